// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/planes_canvas.h"

#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

namespace ropescope {
namespace {

constexpr qreal kStrip = 12;  ///< width of one strip
constexpr qreal kStripGap = 8;
constexpr qreal kStrips = 3 * kStrip + 2 * kStripGap;  ///< two angles, a gap each side, the gain
constexpr qreal kBetween = 24;
constexpr qreal kNarrow = 760;  ///< below this the legends take two lines

double largest(double start, const std::vector<double>& values) {
    for (double value : values) {
        if (std::isfinite(value)) start = std::max(start, std::abs(value));
    }
    return start;
}

}  // namespace

struct PlanesCanvas::Layout {
    std::vector<QRectF> matrices;
    QRectF legends;
};

PlanesCanvas::PlanesCanvas(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    setMinimumSize(240, 200);
    setAccessibleName(tr("Overlap of rotary planes"));
}

void PlanesCanvas::setPanels(std::vector<PlanesPanel> panels) {
    m_panels = std::move(panels);
    const bool difference = !m_panels.empty() && m_panels.front().difference;
    double overlap = 1e-3, angle = 1, gain = 0.1;
    for (const PlanesPanel& panel : m_panels) {
        overlap = largest(overlap, panel.overlap);
        angle = largest(largest(angle, panel.angle1), panel.angle2);
        gain = largest(gain, panel.logGain);
    }
    m_gain = {ColourMap::Diverging, -gain, gain, difference ? tr("g A \u2212 B (ln)") : tr("g (ln gain)")};
    if (difference) {
        m_overlap = {ColourMap::Diverging, -overlap, overlap, tr("Overlap A \u2212 B")};
        m_angle = {ColourMap::Diverging, -angle, angle, tr("\u03b8 A \u2212 B (degrees)")};
    } else {
        m_overlap = {ColourMap::Viridis, 0, 1, tr("Overlap (share)")};
        m_angle = {ColourMap::Cividis, 0, 90, tr("\u03b8 (degrees)")};
    }
    update();
}

QImage PlanesCanvas::cells(const std::vector<double>& values, int rows, int columns, const Scale& scale) {
    return mapImage(values, rows, columns, scale.map, scale.low, scale.high);
}

/// The number of columns that makes the matrices largest.
PlanesCanvas::Layout PlanesCanvas::layoutIn(const QRectF& place, const QFont& font) const {
    const QFontMetricsF metrics(font);
    const qreal left = metrics.height() + 8, top = metrics.height() + 8, bottom = metrics.height() * 2 + 8;
    const qreal legendHeight = metrics.height() * (place.width() < kNarrow ? 2 : 1) + 12;
    const int count = std::max<int>(1, static_cast<int>(m_panels.size()));
    Layout layout;
    layout.legends = QRectF(place.left() + 8, place.bottom() - legendHeight, place.width() - 16, legendHeight);
    const QRectF room = place.adjusted(8, 8, -8, -legendHeight - 8);
    int bestColumns = 1;
    qreal best = 0;
    for (int columns = 1; columns <= count; ++columns) {
        const int rows = (count + columns - 1) / columns;
        const qreal side =
            std::min(room.width() / columns - left - kStrips - kBetween, room.height() / rows - top - bottom);
        if (side > best) {
            best = side;
            bestColumns = columns;
        }
    }
    const int planes = m_panels.empty() ? 1 : std::max(1, m_panels.front().planes);
    // Whole pixels per cell keep the cells equal and sharp.
    const qreal cell = std::max(1.0, std::floor(best / planes));
    const qreal side = cell * planes;
    for (int i = 0; i < count; ++i) {
        const qreal x = room.left() + (i % bestColumns) * (side + left + kStrips + kBetween) + left;
        const qreal y = room.top() + (i / bestColumns) * (side + top + bottom) + top;
        layout.matrices.emplace_back(x, y, side, side);
    }
    return layout;
}

void PlanesCanvas::draw(QPainter& painter, const QRectF& place, const Looks& looks) const {
    const Layout layout = layoutIn(place, looks.font);
    painter.setFont(looks.font);
    for (std::size_t i = 0; i < m_panels.size(); ++i) drawPanel(painter, m_panels[i], layout.matrices[i], looks);
    drawLegends(painter, layout.legends, looks);
}

void PlanesCanvas::drawPanel(QPainter& painter, const PlanesPanel& panel, const QRectF& matrix,
                             const Looks& looks) const {
    const QFontMetricsF metrics(looks.font);
    const QRectF title(matrix.left(), matrix.top() - metrics.height() - 6, matrix.width() + kStrips, metrics.height());
    painter.setPen(Qt::NoPen);
    painter.setBrush(headColour(panel.colour));
    painter.drawRect(QRectF(title.left(), title.center().y() - 5, 10, 10));
    painter.setPen(looks.text);
    painter.drawText(title.adjusted(16, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter, panel.title);
    if (!panel.problem.isEmpty()) {
        drawHatched(painter, matrix, looks);
        drawWords(painter, matrix, panel.problem, tr("marked"), looks);
        return;
    }
    drawCells(painter, matrix, cells(panel.overlap, panel.planes, panel.planes, m_overlap));
    drawStrips(painter, panel, matrix, looks);
    drawBlocks(painter, panel, matrix, looks);
}

void PlanesCanvas::drawStrips(QPainter& painter, const PlanesPanel& panel, const QRectF& matrix,
                              const Looks& looks) const {
    const QFontMetricsF metrics(looks.font);
    const qreal x = matrix.right() + kStripGap;
    const QRectF angles(x, matrix.top(), 2 * kStrip, matrix.height());
    const QRectF gains(x + 2 * kStrip + kStripGap, matrix.top(), kStrip, matrix.height());
    std::vector<double> both;
    for (int p = 0; p < panel.planes; ++p) {
        both.push_back(panel.angle1[p]);
        both.push_back(panel.angle2[p]);
    }
    drawCells(painter, angles, cells(both, panel.planes, 2, m_angle));
    drawCells(painter, gains, cells(panel.logGain, panel.planes, 1, m_gain));
    painter.setPen(QPen(looks.reference, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(angles);
    painter.drawRect(gains);
    painter.setPen(looks.muted);
    const qreal y = matrix.bottom() + 4;
    painter.drawText(QRectF(angles.center().x() - 20, y, 40, metrics.height()), Qt::AlignCenter,
                     QStringLiteral("\u03b8"));
    painter.drawText(QRectF(gains.center().x() - 20, y, 40, metrics.height()), Qt::AlignCenter, QStringLiteral("g"));
}

void PlanesCanvas::drawBlocks(QPainter& painter, const PlanesPanel& panel, const QRectF& matrix,
                              const Looks& looks) const {
    const QFontMetricsF metrics(looks.font);
    const qreal cell = matrix.width() / std::max(1, panel.planes);
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(looks.reference, 1));
    painter.drawRect(matrix);
    for (std::size_t b = 0; b < panel.blockStart.size(); ++b) {
        const int from = panel.blockStart[b];
        const int to = b + 1 < panel.blockStart.size() ? panel.blockStart[b + 1] : panel.planes;
        const qreal start = from * cell, size = (to - from) * cell;
        painter.setPen(panel.difference ? QPen(looks.reference, 1) : QPen(QColor(255, 255, 255, 200), 1.5));
        painter.drawRect(QRectF(matrix.left() + start, matrix.top() + start, size, size));
        QString name = panel.blockName[b];
        if (metrics.horizontalAdvance(name) > size) name = name.left(3);
        if (metrics.horizontalAdvance(name) > size) continue;
        painter.setPen(looks.muted);
        painter.drawText(QRectF(matrix.left() + start, matrix.bottom() + 4, size, metrics.height()), Qt::AlignCenter,
                         name);
        painter.save();
        painter.translate(matrix.left() - 4, matrix.top() + start + size);
        painter.rotate(-90);
        painter.drawText(QRectF(0, -metrics.height(), size, metrics.height()), Qt::AlignCenter, name);
        painter.restore();
    }
}

void PlanesCanvas::drawLegends(QPainter& painter, const QRectF& place, const Looks& looks) const {
    const qreal part = place.width() / 3;
    qreal left = place.left();
    for (const Scale* scale : {&m_overlap, &m_angle, &m_gain}) {
        drawLegend(painter, QRectF(left, place.top(), part - 16, place.height()), scale->map, scale->low, scale->high,
                   scale->title, looks);
        left += part;
    }
}

void PlanesCanvas::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.fillRect(rect(), palette().color(QPalette::Base));
    painter.setRenderHint(QPainter::Antialiasing);
    draw(painter, rect(), looksOf(palette(), font()));
}

void PlanesCanvas::mouseMoveEvent(QMouseEvent* event) {
    const Layout layout = layoutIn(rect(), font());
    for (std::size_t i = 0; i < m_panels.size(); ++i) {
        const QRectF& matrix = layout.matrices[i];
        if (!matrix.adjusted(0, 0, kStrips, 0).contains(event->position())) continue;
        const qreal cell = matrix.width() / std::max(1, m_panels[i].planes);
        const int row =
            std::min(m_panels[i].planes - 1, static_cast<int>((event->position().y() - matrix.top()) / cell));
        const int column = static_cast<int>((event->position().x() - matrix.left()) / cell);
        emit hovered(static_cast<int>(i), row, std::min(column, m_panels[i].planes));
        return;
    }
    emit hovered(-1, -1, -1);
}

void PlanesCanvas::leaveEvent(QEvent*) {
    emit hovered(-1, -1, -1);
}

}  // namespace ropescope
