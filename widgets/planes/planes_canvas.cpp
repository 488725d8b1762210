// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/planes/planes_canvas.h"

#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

namespace ropescope {
namespace {

constexpr qreal kStrip = 12;  ///< width of one strip
constexpr qreal kStripGap = 8;
constexpr qreal kStrips = 3 * kStrip + 2 * kStripGap;  ///< two angles, a gap each side, the gain
constexpr qreal kBetween = 16;
constexpr qreal kSwatch = 8;  ///< of the head's colour
constexpr qreal kSmall = 40;  ///< matrices that would be smaller give up strips and block names to be larger
constexpr qreal kMargin = 8;
constexpr qreal kLeast = 32;  ///< of a matrix: smaller ones say nothing
constexpr int kTallest = 4000;
constexpr int kLeastWidth = 160, kLeastHeight = 120;

double largest(double start, const std::vector<double>& values) {
    for (double value : values) {
        if (std::isfinite(value)) start = std::max(start, std::abs(value));
    }
    return start;
}

}  // namespace

struct PlanesCanvas::Layout {
    bool bare = false;  ///< without strips and block names
    int columns = 1;
    qreal side = 0;                                 ///< of the largest matrix that a slot can hold
    int title = 0;                                  ///< index in PlanesPanel::titles
    qreal left = 0, right = 0, top = 0, below = 0;  ///< what a slot holds around its matrix
    std::vector<QRectF> matrices;
    QRectF letters;
    QRectF legends;
};

PlanesCanvas::PlanesCanvas(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    setMinimumSize(kLeastWidth, kLeastHeight);
    setAccessibleName(tr("Overlap of rotary planes"));
}

void PlanesCanvas::setPanels(std::vector<PlanesPanel> panels, const QString& letters) {
    m_panels = std::move(panels);
    m_letters = letters;
    setScales();
}

void PlanesCanvas::setRange(Range range) {
    m_range = range;
    setScales();
}

std::vector<QRectF> PlanesCanvas::matrices() const {
    return layoutIn(rect(), font()).matrices;
}

int PlanesCanvas::leastHeight(int width) const {
    int height = kLeastHeight;
    while (height < kTallest && layoutIn(QRectF(0, 0, width, height), font()).side < kLeast) height += 16;
    return height;
}

void PlanesCanvas::setScales() {
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
        const bool data = m_range == Range::Data;
        m_overlap = {ColourMap::Viridis, 0, data ? overlap : 1, tr("Overlap (share)")};
        m_angle = {ColourMap::Cividis, 0, data ? angle : 90, tr("\u03b8 (degrees)")};
    }
    update();
}

QImage PlanesCanvas::cells(const std::vector<double>& values, int rows, int columns, const Scale& scale) {
    return mapImage(values, rows, columns, scale.map, scale.low, scale.high);
}

/// The first title of which every panel's fits the width of a slot; the last one where none does.
int PlanesCanvas::titleFor(qreal width, const QFont& font) const {
    const QFontMetricsF metrics(font);
    const auto last = m_panels.empty() ? 0 : static_cast<int>(m_panels.front().titles.size()) - 1;
    for (int i = 0; i < last; ++i) {
        const auto fits = [&](const PlanesPanel& p) { return metrics.horizontalAdvance(p.titles.value(i)) <= width; };
        if (std::all_of(m_panels.begin(), m_panels.end(), fits)) return i;
    }
    return std::max(0, last);
}

/// The number of columns that makes the matrices largest.
void PlanesCanvas::shareOut(Layout& layout, const QRectF& room, const QFont& font) const {
    const QFontMetricsF metrics(font);
    layout.left = layout.bare ? 0 : metrics.height() + 4;
    layout.right = layout.bare ? 0 : kStrips;
    layout.top = metrics.height() + 6;
    layout.below = layout.bare ? 4 : metrics.height() + 12;
    qreal shortest = 0;
    for (const PlanesPanel& panel : m_panels)
        shortest = std::max(shortest, metrics.horizontalAdvance(panel.titles.value(panel.titles.size() - 1)));
    const int count = std::max<int>(1, static_cast<int>(m_panels.size()));
    layout.side = 0;
    for (int columns = 1; columns <= count; ++columns) {
        const int rows = (count + columns - 1) / columns;
        const qreal slot = room.width() / columns - kBetween;
        const qreal side =
            std::min(slot - layout.left - layout.right, room.height() / rows - layout.top - layout.below);
        // Side by side no title may run into the next one.
        if (columns > 1 && slot - layout.left < shortest + 2 * kSwatch) break;
        if (side <= layout.side) continue;
        layout.side = side;
        layout.columns = columns;
    }
}

PlanesCanvas::Layout PlanesCanvas::layoutIn(const QRectF& place, const QFont& font) const {
    const QFontMetricsF metrics(font);
    Layout layout;
    const qreal width = place.width() - 2 * kMargin, part = width / 3 - 2 * kMargin;
    qreal legends = 0;
    for (const Scale* scale : {&m_overlap, &m_angle, &m_gain})
        legends = std::max(legends, legendHeight(scale->low, scale->high, scale->title, font, part));
    layout.legends = QRectF(place.left() + kMargin, place.bottom() - legends - kMargin / 2, width, legends);
    QRectF room = place.adjusted(kMargin, kMargin / 2, -kMargin, -legends - kMargin);
    const auto share = [&] {
        layout.bare = false;
        shareOut(layout, room, font);
        if (layout.side >= kSmall) return;
        layout.bare = true;
        shareOut(layout, room, font);
    };
    share();
    const auto titleWidth = [&] { return room.width() / layout.columns - layout.left - 2 * kSwatch - kBetween / 2; };
    layout.title = titleFor(titleWidth(), font);
    if (layout.title > 0 && !m_letters.isEmpty()) {
        const auto lines = wrapped(m_letters, font, static_cast<int>(width)).count(QLatin1Char('\n')) + 1;
        const qreal high = static_cast<qreal>(lines) * metrics.height();
        layout.letters = QRectF(layout.legends.left(), layout.legends.top() - high - 2, width, high);
        room.setBottom(layout.letters.top() - 2);
        share();
        layout.title = std::max(1, titleFor(titleWidth(), font));
    }
    placeMatrices(layout, room, font);
    return layout;
}

/// Every matrix in the middle of its slot.
void PlanesCanvas::placeMatrices(Layout& layout, const QRectF& room, const QFont& font) const {
    const int count = static_cast<int>(m_panels.size());
    const int rows = std::max(1, (count + layout.columns - 1) / layout.columns);
    int most = 1;
    for (const PlanesPanel& panel : m_panels) most = std::max(most, panel.planes);
    const qreal slotWidth = room.width() / layout.columns, slotHeight = room.height() / rows;
    for (int i = 0; i < count; ++i) {
        const int planes = m_panels[i].planes > 0 ? m_panels[i].planes : most;  // of a marked head nothing is known
        // Whole pixels per cell keep the cells equal and sharp.
        const qreal cell = std::floor(layout.side / planes);
        const qreal side = std::max(1.0, cell >= 1 ? cell * planes : std::floor(layout.side));
        const qreal title = QFontMetricsF(font).horizontalAdvance(m_panels[i].titles.value(layout.title)) + 2 * kSwatch;
        const qreal used = layout.left + std::max(side + layout.right, title), high = layout.top + side + layout.below;
        const qreal x = room.left() + (i % layout.columns) * slotWidth + std::max(0.0, (slotWidth - used) / 2);
        const qreal y = room.top() + (i / layout.columns) * slotHeight + std::max(0.0, (slotHeight - high) / 2);
        layout.matrices.emplace_back(std::floor(x + layout.left), std::floor(y + layout.top), side, side);
    }
}

void PlanesCanvas::draw(QPainter& painter, const QRectF& place, const Looks& looks) const {
    const Layout layout = layoutIn(place, looks.font);
    painter.setFont(looks.font);
    for (std::size_t i = 0; i < m_panels.size(); ++i)
        drawPanel(painter, m_panels[i], layout.matrices[i], layout, looks);
    if (!layout.letters.isEmpty()) {
        painter.setPen(looks.muted);
        painter.drawText(layout.letters, Qt::AlignLeft | Qt::AlignTop,
                         wrapped(m_letters, looks.font, static_cast<int>(layout.letters.width())));
    }
    drawLegends(painter, layout.legends, looks);
}

void PlanesCanvas::drawPanel(QPainter& painter, const PlanesPanel& panel, const QRectF& matrix, const Layout& layout,
                             const Looks& looks) const {
    const QFontMetricsF metrics(looks.font);
    const QString words = panel.titles.value(layout.title);
    const QRectF title(matrix.left(), matrix.top() - metrics.height() - 4,
                       metrics.horizontalAdvance(words) + 2 * kSwatch, metrics.height());
    painter.setPen(Qt::NoPen);
    painter.setBrush(headColour(panel.colour));
    painter.drawRect(QRectF(title.left(), title.center().y() - kSwatch / 2, kSwatch, kSwatch));
    painter.setPen(looks.text);
    painter.drawText(title.adjusted(1.5 * kSwatch, 0, 8, 0), Qt::AlignLeft | Qt::AlignVCenter, words);
    if (!panel.problem.isEmpty()) {
        drawHatched(painter, matrix, looks);
        drawWords(painter, matrix, panel.problem, tr("marked"), looks);
        return;
    }
    drawCells(painter, matrix, cells(panel.overlap, panel.planes, panel.planes, m_overlap));
    if (!layout.bare) drawStrips(painter, panel, matrix, looks);
    drawBlocks(painter, panel, matrix, layout, looks);
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

void PlanesCanvas::drawBlocks(QPainter& painter, const PlanesPanel& panel, const QRectF& matrix, const Layout& layout,
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
        const auto fits = [&](const QString& text) { return metrics.horizontalAdvance(text) <= size; };
        const QString& name = fits(panel.blockName[b]) ? panel.blockName[b] : panel.shortBlockName[b];
        if (layout.bare || !fits(name)) continue;
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
        drawLegend(painter, QRectF(left, place.top(), part - 2 * kMargin, place.height()), scale->map, scale->low,
                   scale->high, scale->title, looks);
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
        if (!matrix.adjusted(0, 0, layout.right, 0).contains(event->position())) continue;
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
