// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/compare_matrix.h"

#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

namespace ropescope {
namespace {

constexpr qreal kMark = 6;  ///< width of the colour beside a shown head's name
constexpr qreal kLargestCell = 64;
constexpr qreal kReadable = 40;  ///< cells of this size hold their value

QColor readableOn(const QColor& ground) {
    return qGray(ground.rgb()) > 130 ? QColor(0x1a, 0x1a, 0x1a) : QColor(0xff, 0xff, 0xff);
}

}  // namespace

struct CompareMatrix::Layout {
    QRectF matrix;
    qreal cell = 0;
    QRectF legend;

    [[nodiscard]] QRectF at(int row, int column) const {
        return {matrix.left() + column * cell, matrix.top() + row * cell, cell, cell};
    }
};

CompareMatrix::CompareMatrix(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    setMinimumSize(240, 200);
    setAccessibleName(tr("Heads against heads"));
}

void CompareMatrix::setFigure(CompareFigure figure) {
    m_figure = std::move(figure);
    m_hover = {-1, -1};
    update();
}

CompareMatrix::Layout CompareMatrix::layoutIn(const QRectF& place, const QFont& font) const {
    const QFontMetricsF metrics(font);
    qreal names = 0;
    for (const auto* all : {&m_figure.names, &m_figure.columns})
        for (const QString& name : *all) names = std::max(names, metrics.horizontalAdvance(name));
    names = std::min(names, place.width() * 0.28) + kMark + 12;
    const qreal legend = 2 * metrics.height() + 4;
    const int rows = std::max(1, m_figure.size()), columns = std::max(1, m_figure.columnCount());
    Layout layout;
    const qreal wide = (place.width() - names - 16) / columns, high = (place.height() - names - legend - 24) / rows;
    layout.cell = std::clamp(std::min(wide, high), 1.0, kLargestCell);
    // Whole pixels per cell keep the cells equal and sharp.
    if (layout.cell > 2) layout.cell = std::floor(layout.cell);
    layout.matrix =
        QRectF(place.left() + names + 4, place.top() + names + 4, layout.cell * columns, layout.cell * rows);
    layout.legend = QRectF(place.left() + 8, place.bottom() - legend - 4, place.width() - 16, legend);
    return layout;
}

QRectF CompareMatrix::cell(int row, int column) const {
    return layoutIn(rect(), font()).at(row, column);
}

void CompareMatrix::draw(QPainter& painter, const QRectF& place, const Looks& looks) const {
    if (m_figure.size() == 0) return;
    const Layout layout = layoutIn(place, looks.font);
    painter.setFont(looks.font);
    const int rows = m_figure.size(), columns = m_figure.columnCount();
    drawHatched(painter, layout.matrix, looks);  // shows through where two heads cannot be compared
    drawCells(painter, layout.matrix,
              mapImage(m_figure.values, rows, columns, m_figure.map, m_figure.low, m_figure.high));
    if (layout.cell >= kReadable) {
        for (int i = 0; i < rows * columns; ++i) {
            const double value = m_figure.values[i];
            if (std::isnan(value)) continue;
            const double share = (value - m_figure.low) / (m_figure.high - m_figure.low);
            painter.setPen(readableOn(mapColour(m_figure.map, share)));
            painter.drawText(layout.at(i / columns, i % columns), Qt::AlignCenter, shortNumber(value));
        }
    }
    drawNames(painter, layout, looks);
    drawFrames(painter, layout, looks);
    drawLegend(painter, layout.legend, m_figure.map, m_figure.low, m_figure.high, m_figure.title, looks);
}

void CompareMatrix::drawNames(QPainter& painter, const Layout& layout, const Looks& looks) const {
    const QFontMetricsF metrics(looks.font);
    const int step = std::max(1, static_cast<int>(std::ceil(metrics.height() / layout.cell)));
    const qreal width = layout.matrix.left() - 4 - kMark;
    const QRectF text(0, -metrics.height() / 2, width - 4, metrics.height());
    const qreal thick = std::max(2.0, layout.cell);
    const auto shorten = [&](const QString& name) { return metrics.elidedText(name, Qt::ElideLeft, width - 8); };
    for (int i = 0; i < m_figure.size(); ++i) {
        const qreal top = layout.matrix.top() + i * layout.cell;
        const int colour = m_figure.colours[i];
        if (colour >= 0)
            painter.fillRect(QRectF(layout.matrix.left() - kMark - 1, top, kMark, thick), headColour(colour));
        if (i % step != 0) continue;
        painter.setPen(colour >= 0 ? looks.text : looks.muted);
        painter.drawText(text.translated(0, top + layout.cell / 2), Qt::AlignRight | Qt::AlignVCenter,
                         shorten(m_figure.names[i]));
    }
    for (int i = 0; i < m_figure.columnCount(); ++i) {
        const qreal left = layout.matrix.left() + i * layout.cell;
        const int colour = m_figure.columns.empty() ? m_figure.colours[i] : -1;
        if (colour >= 0)
            painter.fillRect(QRectF(left, layout.matrix.top() - kMark - 1, thick, kMark), headColour(colour));
        if (i % step != 0) continue;
        painter.setPen(colour >= 0 ? looks.text : looks.muted);
        painter.save();
        painter.translate(left + layout.cell / 2, layout.matrix.top() - kMark - 4);
        painter.rotate(-90);
        painter.drawText(text, Qt::AlignLeft | Qt::AlignVCenter,
                         shorten(m_figure.columns.empty() ? m_figure.names[i] : m_figure.columns[i]));
        painter.restore();
    }
}

void CompareMatrix::drawFrames(QPainter& painter, const Layout& layout, const Looks& looks) const {
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(looks.reference, 1));
    painter.drawRect(layout.matrix);
    for (int start : m_figure.blockStart) {
        if (start == 0) continue;
        const qreal at = start * layout.cell;
        painter.drawLine(QPointF(layout.matrix.left(), layout.matrix.top() + at),
                         QPointF(layout.matrix.right(), layout.matrix.top() + at));
        if (!m_figure.columns.empty()) continue;
        painter.drawLine(QPointF(layout.matrix.left() + at, layout.matrix.top()),
                         QPointF(layout.matrix.left() + at, layout.matrix.bottom()));
    }
    if (m_hover.x() < 0) return;
    painter.setPen(QPen(looks.text, 1.5));
    painter.drawRect(layout.at(m_hover.y(), m_hover.x()));
}

QPoint CompareMatrix::cellAt(QPointF position) const {
    const Layout layout = layoutIn(rect(), font());
    if (m_figure.size() == 0 || !layout.matrix.contains(position)) return {-1, -1};
    const int lastRow = m_figure.size() - 1, lastColumn = m_figure.columnCount() - 1;
    return {std::min(lastColumn, static_cast<int>((position.x() - layout.matrix.left()) / layout.cell)),
            std::min(lastRow, static_cast<int>((position.y() - layout.matrix.top()) / layout.cell))};
}

void CompareMatrix::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.fillRect(rect(), palette().color(QPalette::Base));
    painter.setRenderHint(QPainter::Antialiasing);
    draw(painter, rect(), looksOf(palette(), font()));
}

void CompareMatrix::mousePressEvent(QMouseEvent* event) {
    const QPoint at = cellAt(event->position());
    if (event->button() == Qt::LeftButton && at.x() >= 0) emit picked(at.y(), at.x(), event->modifiers());
}

void CompareMatrix::mouseMoveEvent(QMouseEvent* event) {
    const QPoint at = cellAt(event->position());
    if (at == m_hover) return;
    m_hover = at;
    emit hovered(at.y(), at.x());
    update();
}

void CompareMatrix::leaveEvent(QEvent*) {
    m_hover = {-1, -1};
    emit hovered(-1, -1);
    update();
}

}  // namespace ropescope
