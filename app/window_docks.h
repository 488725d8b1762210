// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QList>
#include <QString>

#include "app/session.h"
#include "app/view_table.h"

class QDockWidget;
class QMainWindow;
class QWidget;

namespace ropescope {

/// The docks of the window: tools around, and in the centre an inner main window whose docks are the views, so that
/// views can be tabbed, split and torn off among themselves.
struct WindowDocks {
    QMainWindow* window = nullptr;
    QMainWindow* centre = nullptr;
    QDockWidget* models = nullptr;
    QDockWidget* head = nullptr;
    QDockWidget* generate = nullptr;
    QList<QDockWidget*> views;  ///< row by row of viewTable()

    [[nodiscard]] QDockWidget* of(const QWidget* content) const;  ///< nullptr: none
    [[nodiscard]] QList<QDockWidget*> tools() const { return {models, head, generate}; }
    [[nodiscard]] QList<QDockWidget*> all() const { return tools() + views; }
};

/// A dock with an object name, as saveState needs it.
[[nodiscard]] QDockWidget* makeDock(const QString& objectName, const QString& title, QWidget* content, QWidget* parent);
/// A view's tab is its title: the dock's own is seen only where it stands alone.
void followTabs(const WindowDocks& docks);

void applyLayout(const WindowDocks& docks, Layout layout);
[[nodiscard]] DockLayout saveDocks(const WindowDocks& docks);
/// False when the bytes are not a layout of this window; nothing is changed then.
bool restoreDocks(const WindowDocks& docks, const DockLayout& layout);

}  // namespace ropescope
