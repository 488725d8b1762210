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
    for (const QString& name : m_figure.names) names = std::max(names, metrics.horizontalAdvance(name));
    names = std::min(names, place.width() * 0.28) + kMark + 12;
    const qreal legend = 2 * metrics.height() + 4;
    const int count = std::max(1, m_figure.size());
    Layout layout;
    const qreal room = std::min(place.width() - names - 16, place.height() - names - legend - 24);
    layout.cell = std::clamp(room / count, 1.0, kLargestCell);
    // Whole pixels per cell keep the cells equal and sharp.
    if (layout.cell > 2) layout.cell = std::floor(layout.cell);
    const qreal side = layout.cell * count;
    layout.matrix = QRectF(place.left() + names + 4, place.top() + names + 4, side, side);
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
    const int count = m_figure.size();
    drawHatched(painter, layout.matrix, looks);  // shows through where two heads cannot be compared
    drawCells(painter, layout.matrix,
              mapImage(m_figure.values, count, count, m_figure.map, m_figure.low, m_figure.high));
    if (layout.cell >= kReadable) {
        for (int i = 0; i < count * count; ++i) {
            const double value = m_figure.values[i];
            if (std::isnan(value)) continue;
            const double share = (value - m_figure.low) / (m_figure.high - m_figure.low);
            painter.setPen(readableOn(mapColour(m_figure.map, share)));
            painter.drawText(layout.at(i / count, i % count), Qt::AlignCenter, shortNumber(value));
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
    for (int i = 0; i < m_figure.size(); ++i) {
        const qreal middle = (i + 0.5) * layout.cell;
        const int colour = m_figure.colours[i];
        const QRectF rowMark(layout.matrix.left() - kMark - 1, layout.matrix.top() + i * layout.cell, kMark,
                             std::max(2.0, layout.cell));
        const QRectF columnMark(layout.matrix.left() + i * layout.cell, layout.matrix.top() - kMark - 1,
                                std::max(2.0, layout.cell), kMark);
        if (colour >= 0) {
            painter.fillRect(rowMark, headColour(colour));
            painter.fillRect(columnMark, headColour(colour));
        }
        if (i % step != 0) continue;
        const QString name = metrics.elidedText(m_figure.names[i], Qt::ElideLeft, width - 8);
        painter.setPen(colour >= 0 ? looks.text : looks.muted);
        const QRectF text(0, -metrics.height() / 2, width - 4, metrics.height());
        painter.drawText(text.translated(0, layout.matrix.top() + middle), Qt::AlignRight | Qt::AlignVCenter, name);
        painter.save();
        painter.translate(layout.matrix.left() + middle, layout.matrix.top() - kMark - 4);
        painter.rotate(-90);
        painter.drawText(text, Qt::AlignLeft | Qt::AlignVCenter, name);
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
    const int last = m_figure.size() - 1;
    return {std::min(last, static_cast<int>((position.x() - layout.matrix.left()) / layout.cell)),
            std::min(last, static_cast<int>((position.y() - layout.matrix.top()) / layout.cell))};
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
