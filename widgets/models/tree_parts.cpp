// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/models/tree_parts.h"

#include <QPainter>

#include "widgets/frame/plot_style.h"

namespace ropescope {
namespace {

constexpr int kRoomBetween = 6;
constexpr int kIcon = 16;

QPixmap dot(const QColor& colour, bool outlined) {
    constexpr int kSharp = 2;
    QPixmap pixmap(kIcon * kSharp, kIcon * kSharp);
    pixmap.setDevicePixelRatio(kSharp);
    pixmap.fill(Qt::transparent);
    if (!colour.isValid()) return pixmap;
    QPainter painter(&pixmap);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(outlined ? QPen(Qt::white, 1.5) : QPen(Qt::NoPen));
    painter.setBrush(colour);
    painter.drawEllipse(QPointF(kIcon / 2.0, kIcon / 2.0), 4.5, 4.5);
    return pixmap;
}

}  // namespace

QIcon dotIcon(const QColor& colour) {
    QIcon icon(dot(colour, false));
    icon.addPixmap(dot(colour, true), QIcon::Selected);
    return icon;
}

QSize RoomyDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const {
    return QStyledItemDelegate::sizeHint(option, index) + QSize(0, kRoomBetween);
}

void RoomyDelegate::initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const {
    QStyledItemDelegate::initStyleOption(option, index);
    option->textElideMode = Qt::ElideMiddle;
    const QString tail = index.data(kTailRole).toString();
    if (tail.isEmpty()) return;
    const QFontMetrics metrics(option->font);
    const int icon = option->icon.isNull() ? 0 : option->decorationSize.width() + 6;
    const int room = option->rect.width() - icon - metrics.horizontalAdvance(tail) - 8;
    // While rows are measured there is no place yet: the whole name counts.
    if (option->rect.width() > 0) option->text = metrics.elidedText(option->text, Qt::ElideMiddle, room);
    option->text += tail;
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
