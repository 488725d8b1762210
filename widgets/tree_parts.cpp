// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/tree_parts.h"

#include <QPainter>
#include <QTreeView>
#include <algorithm>

#include "widgets/plot_style.h"

namespace ropescope {
namespace {

constexpr int kMostLines = 5;
constexpr int kRoomBetween = 6;

int heightOf(const QString& text, int width, const QFontMetrics& metrics) {
    return metrics.boundingRect(0, 0, width, 1 << 20, Qt::TextWordWrap, text).height();
}

/// As many words of a text as kMostLines hold.
QString fitted(const QString& text, int width, const QFontMetrics& metrics) {
    QString part = text;
    while (heightOf(part, width, metrics) > kMostLines * metrics.lineSpacing() && part.contains(QLatin1Char(' ')))
        part = part.left(part.lastIndexOf(QLatin1Char(' '))) + QChar(0x2026);
    return part;
}

}  // namespace

RoomyDelegate::RoomyDelegate(QTreeView* tree) : QStyledItemDelegate(tree), m_tree(tree) {}

/// Pixels for a model's rows, beside indentation, icon and a scroll bar that may come and go.
int RoomyDelegate::room() const {
    const int bar = m_tree->style()->pixelMetric(QStyle::PM_ScrollBarExtent);
    return std::max(40, m_tree->width() - bar - 2 * m_tree->indentation() - 24);
}

QSize RoomyDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const {
    const QSize size = QStyledItemDelegate::sizeHint(option, index) + QSize(0, kRoomBetween);
    if (!index.data(kWrappedRole).toBool()) return size;
    const QString text = fitted(index.data().toString(), room(), option.fontMetrics);
    return {size.width(), std::max(size.height(), heightOf(text, room(), option.fontMetrics) + kRoomBetween)};
}

void RoomyDelegate::initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const {
    QStyledItemDelegate::initStyleOption(option, index);
    if (!index.data(kWrappedRole).toBool()) return;
    option->features |= QStyleOptionViewItem::WrapText;
    option->text = fitted(option->text, room(), option->fontMetrics);
}

void DropZone::paintEvent(QPaintEvent*) {
    const Looks looks = looksOf(palette(), font());
    const bool marked = isDown() || underMouse() || hasFocus();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(marked ? looks.accent : looks.reference, 1, Qt::DashLine));
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4);
    painter.setPen(palette().color(QPalette::WindowText));
    painter.drawText(rect().adjusted(8, 8, -8, -8), Qt::AlignCenter | Qt::TextWordWrap, text());
}

}  // namespace ropescope
