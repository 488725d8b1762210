// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDockWidget>
#include <QMainWindow>
#include <QStringList>
#include <algorithm>

namespace ropescope::test {

/// Raises every view in turn, one of each stack of tabs at once, and calls look(titles of the raised ones).
template <class Look>
void raiseInTurn(const QMainWindow& centre, Look look) {
    QList<QDockWidget*> views = centre.findChildren<QDockWidget*>();
    while (!views.isEmpty()) {
        QList<QDockWidget*> raised;
        QStringList titles;
        for (QDockWidget* dock : views) {
            const QList<QDockWidget*> tabs = centre.tabifiedDockWidgets(dock);
            if (std::ranges::any_of(raised, [&](QDockWidget* other) { return tabs.contains(other); })) continue;
            dock->raise();
            raised << dock;
            titles << dock->windowTitle();
        }
        look(titles);
        for (QDockWidget* dock : raised) views.removeOne(dock);
    }
}

}  // namespace ropescope::test
