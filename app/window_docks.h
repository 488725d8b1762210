// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QList>
#include <QString>

#include "app/session.h"

class QDockWidget;
class QMainWindow;
class QWidget;

namespace ropescope {

/// Arrangements that come with the program.
enum class Layout { Explore, Compare, Generate, Publish };
inline constexpr Layout kLayouts[] = {Layout::Explore, Layout::Compare, Layout::Generate, Layout::Publish};
[[nodiscard]] QString layoutName(Layout layout);

/// The docks of the window: tools around, and in the centre an inner main window whose docks are the views, so that
/// views can be tabbed, split and torn off among themselves.
struct WindowDocks {
    QMainWindow* window = nullptr;
    QMainWindow* centre = nullptr;
    QDockWidget* models = nullptr;
    QDockWidget* head = nullptr;
    QDockWidget* generate = nullptr;
    QDockWidget* atlas = nullptr;
    QDockWidget* spectrum = nullptr;
    QDockWidget* planes = nullptr;
    QDockWidget* frequencies = nullptr;
    QDockWidget* fields = nullptr;
    QDockWidget* attention = nullptr;
    QDockWidget* compare = nullptr;
    QDockWidget* tensors = nullptr;

    [[nodiscard]] QList<QDockWidget*> views() const {
        return {atlas, spectrum, planes, frequencies, fields, attention, compare, tensors};
    }
    [[nodiscard]] QList<QDockWidget*> tools() const { return {models, head, generate}; }
    [[nodiscard]] QList<QDockWidget*> all() const { return tools() + views(); }
};

/// A dock with an object name, as saveState needs it.
[[nodiscard]] QDockWidget* makeDock(const QString& objectName, const QString& title, QWidget* content, QWidget* parent);

void applyLayout(const WindowDocks& docks, Layout layout);
[[nodiscard]] DockLayout saveDocks(const WindowDocks& docks);
/// False when the bytes are not a layout of this window; nothing is changed then.
bool restoreDocks(const WindowDocks& docks, const DockLayout& layout);

}  // namespace ropescope
