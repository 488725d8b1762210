// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/two_parts.h"

#include <QPushButton>
#include <algorithm>

namespace ropescope {
namespace {

constexpr int kOnPaper = 8;       // between the parts
constexpr int kMostOfFirst = 64;  // percent, for the first part

int along(QSize size, Qt::Orientation direction) {
    return direction == Qt::Horizontal ? size.width() : size.height();
}

}  // namespace

TwoParts::TwoParts(QWidget* first, QWidget* second, const QString& turnTo, QWidget* parent)
    : QSplitter(Qt::Horizontal, parent), m_turn(new QPushButton(turnTo, parent)) {
    addWidget(first);
    addWidget(second);
    setChildrenCollapsible(false);
    m_turn->setCheckable(true);
    m_turn->hide();
    connect(m_turn, &QPushButton::toggled, this, &TwoParts::arrange);
    connect(this, &QSplitter::splitterMoved, this, [this] { m_moved = true; });
}

void TwoParts::setLeast(QSize first, QSize second) {
    if (m_leastFirst == first && m_leastSecond == second) return;
    m_leastFirst = first, m_leastSecond = second;
    arrange();
}

void TwoParts::setExtent(Extent extent) {
    m_extent = std::move(extent);
}

void TwoParts::setSecondUsed(bool used) {
    m_used = used;
    arrange();
}

bool TwoParts::hasRoom(QSize size, Qt::Orientation direction) const {
    const int both = along(m_leastFirst, direction) + along(m_leastSecond, direction) + handleWidth();
    const QSize least = m_leastFirst.expandedTo(m_leastSecond);
    const bool across = direction == Qt::Horizontal ? size.height() >= least.height() : size.width() >= least.width();
    return across && along(size, direction) >= both;
}

Qt::Orientation TwoParts::directionIn(QSize size) const {
    const bool beside = hasRoom(size, Qt::Horizontal), below = hasRoom(size, Qt::Vertical);
    if (beside != below) return beside ? Qt::Horizontal : Qt::Vertical;
    return size.width() >= size.height() ? Qt::Horizontal : Qt::Vertical;
}

int TwoParts::firstIn(QSize size, Qt::Orientation direction) const {
    const int all = along(size, direction);
    const int wanted = m_extent ? m_extent(size, direction) : all * 3 / 5;
    const int least = along(m_leastFirst, direction), most = all - along(m_leastSecond, direction) - handleWidth();
    return std::clamp(std::min(wanted, all * kMostOfFirst / 100), std::min(least, most), std::max(least, most));
}

std::pair<QRect, QRect> TwoParts::partsIn(QSize size) const {
    const Qt::Orientation direction = directionIn(size);
    const QRect all(QPoint(0, 0), size);
    if (!m_used || !hasRoom(size, direction))
        return m_used && m_turn->isChecked() ? std::pair{QRect(), all} : std::pair{all, QRect()};
    const int first = firstIn(size, direction);
    QRect one = all, other = all;
    if (direction == Qt::Horizontal) {
        one.setWidth(first), other.setLeft(first + kOnPaper);
    } else {
        one.setHeight(first), other.setTop(first + kOnPaper);
    }
    return {one, other};
}

void TwoParts::arrange() {
    const Qt::Orientation direction = directionIn(size());
    const bool both = m_used && hasRoom(size(), direction);
    m_turn->setVisible(m_used && !both);
    const bool second = m_used && (both || m_turn->isChecked());
    widget(0)->setVisible(!m_used || both || !m_turn->isChecked());
    widget(1)->setVisible(second);
    if (!both) return;
    if (orientation() != direction) {
        setOrientation(direction);
        m_moved = false;
    }
    if (m_moved) return;
    const int first = firstIn(size(), direction);
    setSizes({first, std::max(1, along(size(), direction) - first - handleWidth())});
}

void TwoParts::resizeEvent(QResizeEvent* event) {
    QSplitter::resizeEvent(event);
    arrange();
}

}  // namespace ropescope
