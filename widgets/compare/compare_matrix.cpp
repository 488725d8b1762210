// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/compare/compare_matrix.h"

#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

namespace ropescope {
namespace {

constexpr qreal kMark = 6;  ///< width of the colour beside a shown head's name
constexpr qreal kMargin = 8;
constexpr qreal kAround = 6;  ///< free pixels beside a value
constexpr qreal kTall = 4;    ///< cells that compare with something else are at most this much higher than wide

QColor readableOn(const QColor& ground) {
    return qGray(ground.rgb()) > 130 ? QColor(0x1a, 0x1a, 0x1a) : QColor(0xff, 0xff, 0xff);
}

}  // namespace

struct CompareMatrix::Layout {
    QRectF matrix;
    QSizeF cell;
    qreal names = 0;  ///< room beside and above the matrix
    QRectF legend;

    [[nodiscard]] QRectF at(int row, int column) const {
        return {matrix.left() + column * cell.width(), matrix.top() + row * cell.height(), cell.width(), cell.height()};
    }
};

CompareMatrix::CompareMatrix(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    setMinimumSize(160, 120);
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
    Layout layout;
    layout.names = names + kMark + 12;
    const qreal width = place.width() - 2 * kMargin;
    const qreal legend = legendHeight(m_figure.low, m_figure.high, m_figure.title, font, width);
    const int rows = std::max(1, m_figure.size()), columns = std::max(1, m_figure.columnCount());
    const qreal wide = (width - layout.names) / columns;
    const qreal high = (place.height() - layout.names - legend - 3 * kMargin) / rows;
    // Whole pixels per cell keep the cells equal and sharp.
    const auto whole = [](qreal cell) { return cell > 2 ? std::floor(cell) : std::max(0.5, cell); };
    layout.cell = QSizeF(whole(std::min(wide, high)), whole(std::min(wide, high)));
    if (!m_figure.columns.empty()) layout.cell = QSizeF(whole(wide), whole(std::min(high, kTall * wide)));
    const QSizeF size(layout.cell.width() * columns, layout.cell.height() * rows);
    // In the middle, names and all.
    const qreal right = std::max(0.0, width - layout.names - size.width());
    const qreal below = std::max(0.0, place.height() - layout.names - legend - 3 * kMargin - size.height());
    layout.matrix = QRectF(QPointF(std::floor(place.left() + kMargin + layout.names + right / 2),
                                   std::floor(place.top() + kMargin + layout.names + below / 2)),
                           size);
    layout.legend = QRectF(place.left() + kMargin, place.bottom() - legend - kMargin / 2, width, legend);
    return layout;
}

int CompareMatrix::extentIn(QSize place, Qt::Orientation along) const {
    const Layout layout = layoutIn(QRectF(QPointF(0, 0), QSizeF(place)), font());
    if (along == Qt::Horizontal) return static_cast<int>(layout.names + layout.matrix.width() + 2 * kMargin);
    return static_cast<int>(layout.names + layout.matrix.height() + layout.legend.height() + 3 * kMargin);
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
    drawValues(painter, layout, looks);
    drawNames(painter, layout, looks);
    drawFrames(painter, layout, looks);
    drawLegend(painter, layout.legend, m_figure.map, m_figure.low, m_figure.high, m_figure.title, looks);
}

/// Where every one of them has room.
void CompareMatrix::drawValues(QPainter& painter, const Layout& layout, const Looks& looks) const {
    const QFontMetricsF metrics(looks.font);
    if (layout.cell.height() < metrics.height() + 2 || layout.cell.width() < 3 * kAround) return;
    qreal widest = 0;
    for (double value : m_figure.values)
        if (!std::isnan(value)) widest = std::max(widest, metrics.horizontalAdvance(shortNumber(value)));
    if (layout.cell.width() < widest + kAround) return;
    const int columns = m_figure.columnCount();
    for (int i = 0; i < m_figure.size() * columns; ++i) {
        const double value = m_figure.values[i];
        if (std::isnan(value)) continue;
        const double share = (value - m_figure.low) / (m_figure.high - m_figure.low);
        painter.setPen(readableOn(mapColour(m_figure.map, share)));
        painter.drawText(layout.at(i / columns, i % columns), Qt::AlignCenter, shortNumber(value));
    }
}

void CompareMatrix::drawNames(QPainter& painter, const Layout& layout, const Looks& looks) const {
    const QFontMetricsF metrics(looks.font);
    const auto stepOf = [&](qreal cell) { return std::max(1, static_cast<int>(std::ceil(metrics.height() / cell))); };
    const int rowStep = stepOf(layout.cell.height()), columnStep = stepOf(layout.cell.width());
    const QRectF text(layout.matrix.left() - layout.names, -metrics.height() / 2, layout.names - kMark - 5,
                      metrics.height());
    for (int i = 0; i < m_figure.size(); ++i) {
        const qreal top = layout.matrix.top() + i * layout.cell.height();
        const int colour = m_figure.colours[i];
        if (colour >= 0)
            painter.fillRect(QRectF(layout.matrix.left() - kMark - 1, top, kMark, std::max(2.0, layout.cell.height())),
                             headColour(colour));
        if (i % rowStep != 0) continue;
        painter.setPen(colour >= 0 ? looks.text : looks.muted);
        painter.drawText(text.translated(0, top + layout.cell.height() / 2), Qt::AlignRight | Qt::AlignVCenter,
                         m_figure.names[i]);
    }
    for (int i = 0; i < m_figure.columnCount(); ++i) {
        const qreal left = layout.matrix.left() + i * layout.cell.width();
        const int colour = m_figure.columns.empty() ? m_figure.colours[i] : -1;
        if (colour >= 0)
            painter.fillRect(QRectF(left, layout.matrix.top() - kMark - 1, std::max(2.0, layout.cell.width()), kMark),
                             headColour(colour));
        if (i % columnStep != 0) continue;
        painter.setPen(colour >= 0 ? looks.text : looks.muted);
        painter.save();
        painter.translate(left + layout.cell.width() / 2, layout.matrix.top() - kMark - 4);
        painter.rotate(-90);
        painter.drawText(QRectF(0, -metrics.height() / 2, layout.names - kMark - 5, metrics.height()),
                         Qt::AlignLeft | Qt::AlignVCenter,
                         m_figure.columns.empty() ? m_figure.names[i] : m_figure.columns[i]);
        painter.restore();
    }
}

void CompareMatrix::drawFrames(QPainter& painter, const Layout& layout, const Looks& looks) const {
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(looks.reference, 1));
    painter.drawRect(layout.matrix);
    for (int start : m_figure.blockStart) {
        if (start == 0) continue;
        const qreal at = start * layout.cell.height();
        painter.drawLine(QPointF(layout.matrix.left(), layout.matrix.top() + at),
                         QPointF(layout.matrix.right(), layout.matrix.top() + at));
        if (!m_figure.columns.empty()) continue;
        painter.drawLine(QPointF(layout.matrix.left() + at, layout.matrix.top()),
                         QPointF(layout.matrix.left() + at, layout.matrix.bottom()));
    }
    if (m_hover.x() < 0) return;
    // Dashed on a plain ground, unlike any frame that stays.
    const QRectF cell = layout.at(m_hover.y(), m_hover.x());
    painter.setPen(QPen(looks.base, 1.5));
    painter.drawRect(cell);
    painter.setPen(QPen(looks.text, 1.5, Qt::DashLine));
    painter.drawRect(cell);
}

QPoint CompareMatrix::cellAt(QPointF position) const {
    const Layout layout = layoutIn(rect(), font());
    if (m_figure.size() == 0 || !layout.matrix.contains(position)) return {-1, -1};
    const int lastRow = m_figure.size() - 1, lastColumn = m_figure.columnCount() - 1;
    return {std::min(lastColumn, static_cast<int>((position.x() - layout.matrix.left()) / layout.cell.width())),
            std::min(lastRow, static_cast<int>((position.y() - layout.matrix.top()) / layout.cell.height()))};
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
