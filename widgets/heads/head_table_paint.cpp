// SPDX-License-Identifier: GPL-3.0-or-later
#include <QPainter>

#include "widgets/frame/plot_style.h"
#include "widgets/heads/head_table.h"

namespace ropescope {

void HeadTable::paintEvent(QPaintEvent*) {
    const Looks looks = looksOf(palette(), font());
    QPainter painter(viewport());
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(viewport()->rect(), looks.base);
    const QRect columns = viewport()->rect().adjusted(m_nameWidth, 0, 0, 0);
    for (std::size_t i = 0; i < m_rows.columns.size(); ++i) {
        if (!m_rows.columns[i].current || m_rows.columns.size() < 2) continue;
        QColor tint = looks.accent;
        tint.setAlphaF(0.14F);
        const QRect column(columnLeft(static_cast<int>(i)), 0, m_widths[i], viewport()->height());
        painter.fillRect(column & columns, tint);
    }
    painter.setClipRect(viewport()->rect().adjusted(0, headHeight(), 0, 0));
    for (const Line& line : m_lines) {
        const QRect place(0, line.top + headHeight() - scrolledDown(), viewport()->width(), line.height);
        if (place.top() > viewport()->height() || place.top() < headHeight()) continue;
        line.row == nullptr ? paintHeading(painter, place, line, looks) : paintRow(painter, place, line, looks);
    }
    painter.setClipRect(columns);
    for (int i = 0; i < static_cast<int>(m_widths.size()); ++i) paintHead(painter, i, looks);
}

void HeadTable::paintHead(QPainter& painter, int index, const Looks& looks) const {
    const HeadColumn& column = m_rows.columns[index];
    const QRect place(columnLeft(index) + kPadding, 2, m_widths[index] - 2 * kPadding, headHeight() - 4);
    if (place.left() < m_nameWidth || place.left() > viewport()->width()) return;
    const QFont nameFont = column.current ? strong() : font();
    const QFontMetrics metrics(nameFont);
    const QString name = column.name();
    const int left = place.right() - metrics.horizontalAdvance(name) - kPadding - kSwatch + 1;
    const QRectF swatch(left, place.top() + (metrics.height() - kSwatch) / 2.0, kSwatch, kSwatch);
    painter.setPen(Qt::NoPen);
    painter.setBrush(headColour(column.colour));
    if (column.isMarked())
        drawHatched(painter, swatch, looks);
    else if (column.pinned)
        painter.drawRect(swatch);
    else
        painter.drawEllipse(swatch);
    painter.setFont(nameFont);
    painter.setPen(looks.text);
    painter.drawText(place, Qt::AlignTop | Qt::AlignRight, name);
    painter.setFont(font());
    painter.setPen(looks.muted);
    painter.drawText(place.adjusted(0, metrics.lineSpacing(), 0, 0), Qt::AlignTop | Qt::AlignRight,
                     QFontMetrics(font()).elidedText(column.model, Qt::ElideMiddle, place.width()));
    if (column.current) painter.fillRect(place.left(), 0, place.width(), 2, looks.accent);
}

void HeadTable::paintHeading(QPainter& painter, QRect place, const Line& line, const Looks& looks) const {
    const QFontMetrics metrics(strong());
    place.adjust(kPadding, kPadding, -kPadding, 0);
    painter.setPen(Qt::NoPen);
    painter.setBrush(looks.muted);
    if (line.folds) {
        const QPointF middle(place.left() + 4, place.top() + metrics.height() / 2.0);
        const QPolygonF closed{QPointF(-3, -4), QPointF(-3, 4), QPointF(3, 0)};
        const QPolygonF open{QPointF(-4, -3), QPointF(4, -3), QPointF(0, 3)};
        painter.drawPolygon((m_unfolded ? open : closed).translated(middle));
        place.setLeft(place.left() + kSwatch + kPadding);
    }
    const qsizetype end = line.heading.indexOf(QLatin1Char('\n'));
    painter.setPen(looks.muted);
    painter.setFont(strong());
    painter.drawText(place, Qt::AlignTop | Qt::AlignLeft, line.heading.left(end));
    if (end < 0) return;
    painter.setFont(font());
    painter.drawText(place.adjusted(0, metrics.lineSpacing(), 0, 0),
                     static_cast<int>(Qt::AlignTop | Qt::AlignLeft) | Qt::TextWordWrap, line.heading.mid(end + 1));
}

void HeadTable::paintRow(QPainter& painter, QRect place, const Line& line, const Looks& looks) const {
    painter.setFont(font());
    painter.setPen(QPen(looks.grid, 1));
    painter.drawLine(QPointF(0, place.bottom() + 0.5), QPointF(place.right(), place.bottom() + 0.5));
    painter.setPen(looks.text);
    painter.drawText(place.adjusted(kPadding, 0, 0, 0), Qt::AlignVCenter | Qt::AlignLeft,
                     line.name.join(QLatin1Char('\n')));
    painter.save();
    painter.setClipRect(QRect(m_nameWidth, headHeight(), place.width(), viewport()->height()));
    for (int i = 0; i < static_cast<int>(m_widths.size()); ++i) {
        const QRect cell(columnLeft(i) + kPadding, place.top(), m_widths[i] - 2 * kPadding, place.height());
        if (cell.left() < m_nameWidth || cell.left() > place.right()) continue;
        painter.setPen(m_rows.columns[i].isMarked() ? looks.muted : looks.text);
        painter.drawText(cell, Qt::AlignVCenter | Qt::AlignRight, line.row->cells[i]);
    }
    painter.restore();
}

}  // namespace ropescope
