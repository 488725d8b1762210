// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window_docks.h"

#include <QDockWidget>
#include <QMainWindow>

namespace ropescope {
namespace {

constexpr int kStateVersion = 4;

/// Left | right, each a stack of tabs with its first dock in front.
void placeViews(const WindowDocks& docks, const QList<QDockWidget*>& left, const QList<QDockWidget*>& right) {
    for (QDockWidget* dock : docks.views()) docks.centre->removeDockWidget(dock);
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

QString layoutName(Layout layout) {
    switch (layout) {
        case Layout::Explore:
            return "Explore";
        case Layout::Compare:
            return "Compare";
        case Layout::Generate:
            return "Generate";
        case Layout::Publish:
            return "Publish";
    }
    return {};
}

QDockWidget* makeDock(const QString& objectName, const QString& title, QWidget* content, QWidget* parent) {
    auto* dock = new QDockWidget(title, parent);
    dock->setObjectName(objectName);
    dock->setWidget(content);
    return dock;
}

void applyLayout(const WindowDocks& docks, Layout layout) {
    placeTools(docks);
    const int width = docks.window->width();
    const int height = docks.window->height();
    const bool large = layout == Layout::Generate;
    docks.window->resizeDocks({docks.models, docks.head}, {width * 13 / 100, width * 18 / 100}, Qt::Horizontal);
    docks.window->resizeDocks({docks.generate}, {height * (large ? 50 : 32) / 100}, Qt::Vertical);
    switch (layout) {
        case Layout::Explore:
            placeViews(docks, {docks.atlas, docks.spectrum, docks.compare, docks.tensors},
                       {docks.fields, docks.attention, docks.planes, docks.frequencies});
            break;
        case Layout::Compare:
            placeViews(docks, {docks.compare, docks.spectrum, docks.frequencies, docks.atlas},
                       {docks.planes, docks.fields, docks.attention, docks.tensors});
            docks.head->hide();
            docks.generate->hide();
            break;
        case Layout::Generate:
            placeViews(docks,
                       {docks.attention, docks.fields, docks.atlas, docks.spectrum, docks.planes, docks.frequencies,
                        docks.compare, docks.tensors},
                       {});
            docks.head->hide();
            break;
        case Layout::Publish:
            placeViews(docks, docks.views(), {});
            for (QDockWidget* dock : docks.tools()) dock->hide();
            break;
    }
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
