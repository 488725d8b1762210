// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window_docks.h"

#include <QDockWidget>
#include <QMainWindow>
#include <QTimer>

namespace ropescope {
namespace {

constexpr int kStateVersion = 5;
constexpr int kPauseMs = 0;  // tabs are settled when the event is done

/// Left | right, each a stack of tabs with its first dock in front.
void placeViews(const WindowDocks& docks, const QList<QDockWidget*>& left, const QList<QDockWidget*>& right) {
    for (QDockWidget* dock : docks.views) docks.centre->removeDockWidget(dock);
    QDockWidget* leftFront = left.first();
    docks.centre->addDockWidget(Qt::TopDockWidgetArea, leftFront);
    if (!right.isEmpty()) docks.centre->splitDockWidget(leftFront, right.first(), Qt::Horizontal);
    for (const QList<QDockWidget*>& stack : {left, right}) {
        for (int i = 0; i < stack.size(); ++i) {
            if (i > 0) docks.centre->tabifyDockWidget(stack[i - 1], stack[i]);
            stack[i]->show();
        }
    }
    for (const QList<QDockWidget*>& stack : {left, right}) {
        if (!stack.isEmpty()) stack.first()->raise();
    }
    if (!right.isEmpty()) docks.centre->resizeDocks({leftFront, right.first()}, {54, 46}, Qt::Horizontal);
}

void placeTools(const WindowDocks& docks) {
    for (QDockWidget* dock : docks.tools()) docks.window->removeDockWidget(dock);
    docks.window->addDockWidget(Qt::LeftDockWidgetArea, docks.models);
    docks.window->addDockWidget(Qt::RightDockWidgetArea, docks.head);
    docks.window->addDockWidget(Qt::BottomDockWidgetArea, docks.generate);
    for (QDockWidget* dock : docks.tools()) dock->show();
}

}  // namespace

QDockWidget* WindowDocks::of(const QWidget* content) const {
    for (QDockWidget* dock : all())
        if (dock->widget() == content) return dock;
    return nullptr;
}

QDockWidget* makeDock(const QString& objectName, const QString& title, QWidget* content, QWidget* parent) {
    auto* dock = new QDockWidget(title, parent);
    dock->setObjectName(objectName);
    dock->setWidget(content);
    return dock;
}

void followTabs(const WindowDocks& docks) {
    const auto follow = [docks] {
        for (QDockWidget* dock : docks.views) {
            const bool tabbed = !dock->isFloating() && !docks.centre->tabifiedDockWidgets(dock).isEmpty();
            if (tabbed == (dock->titleBarWidget() != nullptr)) continue;
            QWidget* own = dock->titleBarWidget();
            dock->setTitleBarWidget(tabbed ? new QWidget(dock) : nullptr);
            delete own;
        }
    };
    auto* pause = new QTimer(docks.centre);
    pause->setSingleShot(true);
    pause->setInterval(kPauseMs);
    QObject::connect(pause, &QTimer::timeout, docks.centre, follow);
    for (QDockWidget* dock : docks.views) {
        const auto soon = [pause] { pause->start(); };
        QObject::connect(dock, &QDockWidget::topLevelChanged, pause, soon);
        QObject::connect(dock, &QDockWidget::dockLocationChanged, pause, soon);
        QObject::connect(dock, &QDockWidget::visibilityChanged, pause, soon);
    }
    pause->start();
}

void applyLayout(const WindowDocks& docks, Layout layout) {
    placeTools(docks);
    QList<QDockWidget*> sides[2];
    const std::span<const ViewRow> table = viewTable();
    for (int order = 0; order < docks.views.size(); ++order) {
        for (int i = 0; i < docks.views.size(); ++i) {
            const ViewRow::Place place = table[i].places[static_cast<std::size_t>(layout)];
            if (place.order == order) sides[static_cast<int>(place.side)].append(docks.views[i]);
        }
    }
    placeViews(docks, sides[0], sides[1]);
    docks.head->setVisible(layout == Layout::Explore);
    docks.generate->setVisible(layout == Layout::Explore || layout == Layout::Generate);
    docks.models->setVisible(layout != Layout::Publish);
    const int width = docks.window->width();
    const int height = docks.window->height();
    docks.window->resizeDocks({docks.models, docks.head}, {width * 13 / 100, width * 19 / 100}, Qt::Horizontal);
    docks.window->resizeDocks({docks.generate}, {height * (layout == Layout::Generate ? 40 : 24) / 100}, Qt::Vertical);
}

DockLayout saveDocks(const WindowDocks& docks) {
    return {docks.window->saveState(kStateVersion), docks.centre->saveState(kStateVersion)};
}

bool restoreDocks(const WindowDocks& docks, const DockLayout& layout) {
    if (layout.window.isEmpty() || layout.views.isEmpty()) return false;
    return docks.window->restoreState(layout.window, kStateVersion) &&
           docks.centre->restoreState(layout.views, kStateVersion);
}

}  // namespace ropescope
