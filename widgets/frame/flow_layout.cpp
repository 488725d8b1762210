// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/flow_layout.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QWidget>
#include <algorithm>

namespace ropescope {
namespace {

constexpr int kSpacing = 8;

}  // namespace

FlowLayout::~FlowLayout() {
    qDeleteAll(m_items);
}

QWidget* FlowLayout::addPair(const QString& label, QWidget* control) {
    auto* pair = new QWidget(parentWidget());
    auto* row = new QHBoxLayout(pair);
    row->setContentsMargins(0, 0, kSpacing, 0);
    row->setSpacing(kSpacing);
    auto* text = new QLabel(label, pair);
    text->setBuddy(control);
    row->addWidget(text);
    row->addWidget(control);
    addWidget(pair);
    return pair;
}

QLayoutItem* FlowLayout::takeAt(int index) {
    return index >= 0 && index < m_items.size() ? m_items.takeAt(index) : nullptr;
}

int FlowLayout::heightForWidth(int width) const {
    return arrange(QRect(0, 0, width, 0), Mode::Measure);
}

QSize FlowLayout::minimumSize() const {
    QSize size;
    for (const QLayoutItem* item : m_items) {
        if (!item->isEmpty()) size = size.expandedTo(item->minimumSize());
    }
    return size;
}

QSize FlowLayout::sizeHint() const {
    int width = 0;
    for (const QLayoutItem* item : m_items) {
        if (!item->isEmpty()) width += item->sizeHint().width() + kSpacing;
    }
    return {width, heightForWidth(width)};
}

void FlowLayout::setGeometry(const QRect& place) {
    QLayout::setGeometry(place);
    arrange(place, Mode::Place);
}

/// Items of a row are centred on the tallest of them. Returns the height that is needed.
int FlowLayout::arrange(const QRect& place, Mode mode) const {
    QList<QLayoutItem*> row;
    int x = place.left(), y = place.top(), tallest = 0;
    const auto endRow = [&] {
        int left = place.left();
        for (QLayoutItem* item : row) {
            const QSize size = item->sizeHint();
            if (mode == Mode::Place) {
                item->setGeometry(QRect(QPoint(left, y + (tallest - size.height()) / 2), size));
            }
            left += size.width() + kSpacing;
        }
        y += tallest;
        row.clear();
    };
    for (QLayoutItem* item : m_items) {
        if (item->isEmpty()) continue;
        const QSize size = item->sizeHint();
        if (!row.isEmpty() && x + size.width() > place.right() + 1) {
            endRow();
            y += kSpacing;
            x = place.left();
            tallest = 0;
        }
        row.append(item);
        x += size.width() + kSpacing;
        tallest = std::max(tallest, size.height());
    }
    endRow();
    return y - place.top();
}

}  // namespace ropescope
