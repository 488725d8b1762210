// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/overlay_stack.h"

#include <QEvent>
#include <QPainter>
#include <QVBoxLayout>
#include <algorithm>

namespace ropescope {
namespace {

constexpr int kWidest = 760;
constexpr int kMargin = 8;

}  // namespace

OverlayStack::OverlayStack(QWidget* below) : QWidget(below), m_below(below) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(1, 1, 1, 1);
    column->setSpacing(4);
    below->installEventFilter(this);
    m_pause.setSingleShot(true);
    connect(&m_pause, &QTimer::timeout, this, &OverlayStack::place);
    hide();
}

void OverlayStack::add(QWidget* bar) {
    layout()->addWidget(bar);
    bar->installEventFilter(this);
}

bool OverlayStack::eventFilter(QObject* watched, QEvent* event) {
    switch (event->type()) {
        case QEvent::Resize:
            if (watched == m_below) m_pause.start(0);
            break;
        case QEvent::ShowToParent:
        case QEvent::HideToParent:
        case QEvent::LayoutRequest:
            if (watched != m_below) m_pause.start(0);
            break;
        default:
            break;
    }
    return QWidget::eventFilter(watched, event);
}

/// A frame around each bar, so that it stands out from what it lies over.
void OverlayStack::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setPen(palette().color(QPalette::PlaceholderText));
    for (int i = 0; i < layout()->count(); ++i) {
        const QWidget* bar = layout()->itemAt(i)->widget();
        if (!bar->isHidden()) painter.drawRect(bar->geometry().adjusted(-1, -1, 0, 0));
    }
}

void OverlayStack::place() {
    bool any = false;
    for (int i = 0; i < layout()->count(); ++i) any |= !layout()->itemAt(i)->widget()->isHidden();
    setVisible(any);
    if (!any) return;
    layout()->activate();
    const int width = std::max(1, std::min(kWidest, m_below->width() - 2 * kMargin));
    const int wanted =
        layout()->hasHeightForWidth() ? layout()->totalHeightForWidth(width) : layout()->sizeHint().height();
    const int height = std::min(wanted, m_below->height());
    setGeometry((m_below->width() - width) / 2, m_below->height() - height - kMargin, width, height);
    raise();
}

}  // namespace ropescope
