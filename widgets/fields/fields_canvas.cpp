// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/fields/fields_canvas.h"

#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "widgets/fields/field_profiles.h"

namespace ropescope {
namespace {

constexpr qreal kGap = 8;  ///< between analytic and measured
constexpr qreal kBetween = 20;
constexpr qreal kLeastProfiles = 330;  ///< pixels of height below which the maps take all of it
constexpr qreal kTallestProfiles = 240, kTallProfiles = 140, kLeastProfile = 96;
constexpr qreal kLeastMap = 56;  // smaller ones make the canvas scroll
constexpr int kLeastHeight = 180;
constexpr qreal kLeastTicks = 64;  ///< of a map's side

/// The first of these that has room; nothing where none has.
QString fitting(const QStringList& texts, const QFontMetricsF& metrics, qreal width) {
    for (const QString& text : texts)
        if (metrics.horizontalAdvance(text) <= width) return text;
    return {};
}

qreal legendHeightOf(const FieldScale& scale, const QFont& font, qreal width) {
    return legendHeight(scale.low, scale.high, scale.log ? scale.title + QObject::tr(", log") : scale.title, font,
                        width);
}

}  // namespace

double FieldScale::drawn(double value) const {
    return log ? std::log10(std::max(value, low)) : value;
}

Grid FieldsFigure::extent() const {
    Grid all{1, 1};
    for (const FieldsPanel& panel : panels) {
        for (const OffsetMap* map : {&panel.analytic, &panel.measured}) {
            if (map->values.empty()) continue;
            all = {std::max(all.rows, map->grid.rows), std::max(all.cols, map->grid.cols)};
        }
    }
    return all;
}

struct FieldsCanvas::Layout {
    std::vector<QRectF> analytic;
    std::vector<QRectF> measured;
    bool stacked = false;  ///< the measured map below the analytic one
    bool ticks = false;
    qreal top = 0;  ///< room of the heading above a pair
    QRectF profiles;
    QRectF words;  ///< what was measured, and what letters mean
    QRectF legends;
};

FieldsCanvas::FieldsCanvas(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    setMinimumSize(240, kLeastHeight);
    setAccessibleName(tr("Receptive fields over offsets"));
    // Every pixel is painted below: Qt need not clear the widget first.
    setAttribute(Qt::WA_OpaquePaintEvent);
}

void FieldsCanvas::setFigure(FieldsFigure figure) {
    m_figure = std::move(figure);
    fitHeight();
    update();
}

void FieldsCanvas::setCrosshair(QPoint offset) {
    if (offset == m_cross) return;
    m_cross = offset;
    update();
}

/// What surrounds the maps, in pixels.
struct FieldsCanvas::Frame {
    qreal line, left, top, below, between;  ///< between: the two maps of a stacked pair

    explicit Frame(const QFontMetricsF& metrics)
        : line(metrics.height()),
          left(metrics.horizontalAdvance(QStringLiteral("\u221288")) + 4),
          top(2 * line + 6),
          below(2 * line + 8),
          between(2 * line + kGap) {}
    [[nodiscard]] qreal width(qreal map, bool stacked) const { return left + (stacked ? map : 2 * map + kGap); }
    [[nodiscard]] qreal height(qreal map, bool stacked) const {
        return top + (stacked ? 2 * map + between : map) + below;
    }
};

/// Height that maps of a readable size need at this width; 0 where they fit anyway.
int FieldsCanvas::heightFor(int width, int height) const {
    const Layout layout = layoutIn(QRectF(0, 0, width, height), font());
    if (layout.analytic.empty() || layout.analytic.front().height() >= kLeastMap) return 0;
    const Frame frame{QFontMetricsF(font())};
    const auto count = static_cast<int>(m_figure.panels.size());
    const qreal step = frame.width(kLeastMap + 1, false) + kBetween;
    const int columns = std::max(1, static_cast<int>((width - 16 + kBetween) / step));
    const int rows = (count + columns - 1) / columns;
    const qreal others = layout.legends.height() + layout.words.height() + kTallProfiles + 32;
    return static_cast<int>(std::ceil(rows * frame.height(kLeastMap + 1, false) + others));
}

void FieldsCanvas::fitHeight() {
    const QWidget* area = parentWidget();
    const int room = area == nullptr ? height() : area->height();
    setMinimumHeight(std::max(kLeastHeight, heightFor(width(), room)));
}

void FieldsCanvas::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    fitHeight();
}

/// Pairs side by side or stacked, in as many columns as make the maps largest.
FieldsCanvas::Layout FieldsCanvas::layoutIn(const QRectF& place, const QFont& font) const {
    const QFontMetricsF metrics(font);
    const Frame frame(metrics);
    const qreal line = frame.line;
    const int count = std::max<int>(1, static_cast<int>(m_figure.panels.size()));
    Layout layout;
    const qreal legendWidth = place.width() / 2 - 24;
    const qreal legendHeight = std::max(legendHeightOf(m_figure.analytic, font, legendWidth),
                                        legendHeightOf(m_figure.measured, font, legendWidth));
    layout.legends = QRectF(place.left() + 8, place.bottom() - legendHeight - 4, place.width() - 16, legendHeight);
    const int lines = (m_figure.source.isEmpty() ? 0 : 1) + (m_figure.letters.isEmpty() ? 0 : 1);
    layout.words = QRectF(place.left() + 8, layout.legends.top() - lines * line - 2, place.width() - 16, lines * line);
    const qreal profileHeight =
        place.height() < kLeastProfiles ? 0 : std::clamp(place.height() * 0.22, kLeastProfile, kTallProfiles);
    layout.profiles =
        QRectF(place.left() + 8, layout.words.top() - profileHeight - 4, place.width() - 16, profileHeight);
    const QRectF room(place.left() + 8, place.top() + 4, place.width() - 16, layout.profiles.top() - place.top() - 8);
    const Grid extent = m_figure.extent();
    const qreal shape = (2.0 * extent.cols - 1) / (2.0 * extent.rows - 1);  // width of a map over its height
    int bestColumns = 1;
    qreal best = 1;
    for (const bool stacked : {false, true}) {
        for (int columns = 1; columns <= count; ++columns) {
            const int rows = (count + columns - 1) / columns;
            const qreal width = (room.width() + kBetween) / columns - kBetween - frame.left;
            const qreal height = room.height() / rows - frame.top - frame.below;
            const qreal side = stacked ? std::min(width / shape, (height - frame.between) / 2)
                                       : std::min((width - kGap) / 2 / shape, height);
            if (side <= best) continue;
            best = side, bestColumns = columns, layout.stacked = stacked;
        }
    }
    const QSizeF map(best * shape, best);
    layout.ticks = std::min(map.width(), map.height()) >= kLeastTicks;
    layout.top = frame.top;
    const qreal stepX = frame.width(map.width(), layout.stacked) + kBetween;
    const qreal stepY = frame.height(map.height(), layout.stacked);
    // What the maps leave over goes to the profiles, and to both sides.
    const int rows = (count + bestColumns - 1) / bestColumns;
    const qreal left = layout.profiles.bottom() - (room.top() + rows * stepY);
    if (profileHeight > 0 || left >= kLeastProfile)
        layout.profiles.setTop(layout.profiles.bottom() - std::min(left, kTallestProfiles));
    const qreal spare = std::max(0.0, room.width() - (std::min(bestColumns, count) * stepX - kBetween));
    for (int i = 0; i < count; ++i) {
        const QPointF at(room.left() + spare / 2 + frame.left + (i % bestColumns) * stepX,
                         room.top() + layout.top + (i / bestColumns) * stepY);
        layout.analytic.emplace_back(at, map);
        layout.measured.emplace_back(
            layout.stacked ? at + QPointF(0, map.height() + frame.between) : at + QPointF(map.width() + kGap, 0), map);
    }
    return layout;
}

void FieldsCanvas::draw(QPainter& painter, const QRectF& place, const Looks& looks) const {
    const Layout layout = layoutIn(place, looks.font);
    painter.setFont(looks.font);
    for (std::size_t i = 0; i < m_figure.panels.size(); ++i) drawPanel(painter, i, layout, looks);
    if (layout.profiles.height() > 0) drawProfiles(painter, layout.profiles, looks);
    painter.setFont(looks.font);
    painter.setPen(looks.muted);
    const QFontMetricsF metrics(looks.font);
    painter.drawText(layout.words, Qt::AlignLeft | Qt::AlignTop,
                     fitting(m_figure.source, metrics, layout.words.width()));
    painter.drawText(layout.words, Qt::AlignLeft | Qt::AlignBottom,
                     fitting({m_figure.letters}, metrics, layout.words.width()));
    const qreal half = layout.legends.width() / 2;
    const auto legend = [&](qreal left, const FieldScale& scale) {
        drawLegend(painter,
                   QRectF(layout.legends.left() + left, layout.legends.top(), half - 16, layout.legends.height()),
                   scale.map, scale.low, scale.high, scale.log ? scale.title + tr(", log") : scale.title, looks);
    };
    legend(0, m_figure.analytic);
    legend(half, m_figure.measured);
}

/// Colour and name above the pair; above each map what it is, where that has room.
void FieldsCanvas::drawHeading(QPainter& painter, const FieldsPanel& panel, const Layout& layout, const QRectF& left,
                               const QRectF& right, const Looks& looks) const {
    const QFontMetricsF metrics(looks.font);
    const qreal height = metrics.height(), y = left.top() - 2 * height - 3;
    painter.setPen(Qt::NoPen);
    painter.setBrush(headColour(panel.colour));
    painter.drawRect(QRectF(left.left(), y + height / 2 - 5, 10, 10));
    const qreal width = (layout.stacked ? left.right() : right.right()) - left.left() - 16;
    painter.setPen(looks.text);
    painter.drawText(QRectF(left.left() + 16, y, width + 2, height), Qt::AlignLeft | Qt::AlignVCenter,
                     fitting(panel.captions, metrics, width));
    if (!panel.problem.isEmpty()) return;
    painter.setPen(looks.muted);
    const auto note = [&](const QRectF& map, const QString& words) {
        if (metrics.horizontalAdvance(words) > map.width()) return;
        painter.drawText(QRectF(map.left(), map.top() - height - 2, map.width(), height),
                         Qt::AlignLeft | Qt::AlignVCenter, words);
    };
    note(left, tr("analytic"));
    note(right, tr("measured"));
}

void FieldsCanvas::drawPanel(QPainter& painter, std::size_t index, const Layout& layout, const Looks& looks) const {
    const FieldsPanel& panel = m_figure.panels[index];
    const QRectF& left = layout.analytic[index];
    const QRectF& right = layout.measured[index];
    drawHeading(painter, panel, layout, left, right, looks);
    if (!panel.problem.isEmpty()) {
        const QRectF both(left.topLeft(), right.bottomRight());
        drawHatched(painter, both, looks);
        drawWords(painter, both, panel.problem, tr("marked"), looks);
        return;
    }
    drawMap(painter, panel.analytic, m_figure.analytic, left, looks);
    if (panel.analytic.values.empty()) drawNothing(painter, left, m_figure.noAnalytic, tr("nothing to show"), looks);
    drawMap(painter, panel.measured, m_figure.measured, right, looks);
    if (panel.measured.values.empty()) drawNothing(painter, right, m_figure.noField, tr("no field yet"), looks);
    drawTicks(painter, left, layout, true, looks);
    drawTicks(painter, right, layout, layout.stacked, looks);
    if (panel.numbers) drawSummary(painter, panel, right, looks);
}

/// Offsets at the ends and in the middle: below a map along columns, left of it along rows.
void FieldsCanvas::drawTicks(QPainter& painter, const QRectF& place, const Layout& layout, bool rows,
                             const Looks& looks) const {
    if (!layout.ticks) return;
    const QFontMetricsF metrics(looks.font);
    const Grid extent = m_figure.extent();
    painter.setPen(looks.muted);
    const bool below = !layout.stacked || rows;
    for (const int end : {-1, 0, 1}) {
        const Qt::Alignment across = end < 0 ? Qt::AlignLeft : end > 0 ? Qt::AlignRight : Qt::AlignHCenter;
        const Qt::Alignment down = end < 0 ? Qt::AlignTop : end > 0 ? Qt::AlignBottom : Qt::AlignVCenter;
        if (below)
            painter.drawText(QRectF(place.left(), place.bottom() + 1, place.width(), metrics.height()), across,
                             QString::number(end * (extent.cols - 1)));
        if (rows)
            painter.drawText(QRectF(place.left() - 44, place.top(), 40, place.height()), Qt::AlignRight | down,
                             QString::number(end * (extent.rows - 1)));
    }
}

void FieldsCanvas::drawSummary(QPainter& painter, const FieldsPanel& panel, const QRectF& place,
                               const Looks& looks) const {
    const QFontMetricsF metrics(looks.font);
    drawNumbers(painter, panel, placeOf(panel.measured, place));
    painter.setPen(looks.muted);
    const QString distance = shortNumber(panel.numbers->meanDistance);
    const QStringList words = {
        tr("mean distance %1 tokens, anisotropy %2").arg(distance, shortNumber(panel.numbers->anisotropy)),
        tr("mean distance %1 tokens").arg(distance), tr("distance %1 tokens").arg(distance),
        tr("%1 tokens").arg(distance)};
    painter.drawText(QRectF(place.left(), place.bottom() + metrics.height() + 2, place.width(), metrics.height()),
                     Qt::AlignRight | Qt::AlignTop, fitting(words, metrics, place.width()));
}

/// A map lies around zero offset in the extent that all panels share.
QRectF FieldsCanvas::placeOf(const OffsetMap& map, const QRectF& place) const {
    const Grid extent = m_figure.extent();
    const QSizeF size(place.width() * map.cols() / (2 * extent.cols - 1),
                      place.height() * map.rows() / (2 * extent.rows - 1));
    return {place.center() - QPointF(size.width() / 2, size.height() / 2), size};
}

void FieldsCanvas::drawNothing(QPainter& painter, const QRectF& place, const QString& why, const QString& shortly,
                               const Looks& looks) const {
    painter.setPen(QPen(looks.grid, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(place);
    drawWords(painter, place, why, shortly, looks);
}

QPointF FieldsCanvas::placeOf(int panel, FieldKind kind, QPoint offset) const {
    const Layout layout = layoutIn(rect(), font());
    const FieldsPanel& own = m_figure.panels[static_cast<std::size_t>(panel)];
    const bool measured = kind == FieldKind::Measured;
    const OffsetMap& map = measured ? own.measured : own.analytic;
    const QRectF square = placeOf(map, (measured ? layout.measured : layout.analytic)[static_cast<std::size_t>(panel)]);
    return {square.left() + (offset.x() + map.grid.cols - 0.5) * square.width() / map.cols(),
            square.top() + (offset.y() + map.grid.rows - 0.5) * square.height() / map.rows()};
}

void FieldsCanvas::drawMap(QPainter& painter, const OffsetMap& map, const FieldScale& scale, const QRectF& place,
                           const Looks& looks) const {
    if (map.values.empty()) return;
    const QRectF square = placeOf(map, place);
    if (square.width() < place.width() - 1 || square.height() < place.height() - 1) {
        drawHatched(painter, place, looks);  // offsets that others reach and this one does not
        painter.fillRect(square, looks.base);
        painter.setPen(QPen(looks.grid, 1));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(place);
    }
    if (scale.log) {
        std::vector<double> logs(map.values.size());
        std::transform(map.values.begin(), map.values.end(), logs.begin(), [&](double v) { return scale.drawn(v); });
        drawCells(painter, square,
                  mapImage(logs, map.rows(), map.cols(), scale.map, scale.drawn(scale.low), scale.drawn(scale.high)));
    } else {
        drawCells(painter, square, mapImage(map.values, map.rows(), map.cols(), scale.map, scale.low, scale.high));
    }
    if (!map.holds(m_cross.y(), m_cross.x())) return;
    // Dark under light, so that the crosshair shows on every colour.
    const qreal unit = square.width() / map.cols();
    const QPointF at(square.left() + (m_cross.x() + map.grid.cols - 0.5) * unit,
                     square.top() + (m_cross.y() + map.grid.rows - 0.5) * unit);
    for (const QPen& pen : {QPen(QColor(0, 0, 0, 110), 2), QPen(QColor(255, 255, 255, 190), 1)}) {
        painter.setPen(pen);
        painter.drawLine(QPointF(square.left(), at.y()), QPointF(square.right(), at.y()));
        painter.drawLine(QPointF(at.x(), square.top()), QPointF(at.x(), square.bottom()));
    }
    painter.setPen(QPen(looks.grid, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(square);
}

/// Ellipse of one standard deviation about the centre of mass, dashed circle of the mean distance about zero offset.
void FieldsCanvas::drawNumbers(QPainter& painter, const FieldsPanel& panel, const QRectF& square) const {
    const FieldNumbers& n = *panel.numbers;
    if (!std::isfinite(n.meanDistance)) return;
    const qreal unit = square.width() / panel.measured.cols();
    painter.save();
    painter.setClipRect(square);
    painter.translate(square.center());
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(QColor(255, 255, 255, 170), 1, Qt::DashLine));
    painter.drawEllipse(QPointF(0, 0), n.meanDistance * unit, n.meanDistance * unit);
    painter.translate(n.centreCol * unit, n.centreRow * unit);
    painter.rotate(n.orientation);
    for (const QPen& pen : {QPen(QColor(0, 0, 0, 140), 3), QPen(QColor(255, 255, 255), 1.5)}) {
        painter.setPen(pen);
        painter.drawEllipse(QPointF(0, 0), std::sqrt(n.lambda1) * unit, std::sqrt(n.lambda2) * unit);
    }
    painter.restore();
}

/// Two of each kind below its name.
void FieldsCanvas::drawProfiles(QPainter& painter, const QRectF& place, const Looks& looks) const {
    const QFontMetricsF metrics(looks.font);
    const qreal quarter = place.width() / 4, heading = metrics.height();
    int i = 0;
    for (const bool measured : {false, true}) {
        const QStringList names = measured ? QStringList{tr("Measured, through the crosshair"), tr("Measured")}
                                           : QStringList{tr("Analytic, through the crosshair"), tr("Analytic")};
        painter.setFont(looks.font);
        painter.setPen(looks.muted);
        painter.drawText(QRectF(place.left() + quarter * i, place.top(), 2 * quarter - 8, heading),
                         Qt::AlignLeft | Qt::AlignVCenter, fitting(names, metrics, 2 * quarter - 8));
        for (const ProfileDirection direction : {ProfileDirection::AlongColumns, ProfileDirection::AlongRows}) {
            const QRectF part(place.left() + quarter * i++, place.top() + heading, quarter - 8,
                              place.height() - heading);
            drawProfile(painter, part, m_figure, measured ? FieldKind::Measured : FieldKind::Analytic, direction,
                        m_cross, looks);
        }
    }
}

void FieldsCanvas::paintEvent(QPaintEvent*) {
    {
        QPainter painter(this);
        painter.fillRect(rect(), palette().color(QPalette::Base));
        painter.setRenderHint(QPainter::Antialiasing);
        draw(painter, rect(), looksOf(palette(), font()));
    }
    emit repainted();
}

void FieldsCanvas::mouseMoveEvent(QMouseEvent* event) {
    const Layout layout = layoutIn(rect(), font());
    for (std::size_t i = 0; i < m_figure.panels.size(); ++i) {
        const FieldsPanel& panel = m_figure.panels[i];
        if (!panel.problem.isEmpty() &&
            QRectF(layout.analytic[i].topLeft(), layout.measured[i].bottomRight()).contains(event->position())) {
            emit hovered(static_cast<int>(i), {});
            return;
        }
        for (const bool measured : {false, true}) {
            const OffsetMap& map = measured ? panel.measured : panel.analytic;
            if (map.values.empty()) continue;
            const QRectF square = placeOf(map, measured ? layout.measured[i] : layout.analytic[i]);
            if (!square.contains(event->position())) continue;
            const qreal unit = square.width() / map.cols();
            const QPoint offset(static_cast<int>((event->position().x() - square.left()) / unit) - map.grid.cols + 1,
                                static_cast<int>((event->position().y() - square.top()) / unit) - map.grid.rows + 1);
            setCrosshair(offset);
            emit hovered(static_cast<int>(i), offset);
            return;
        }
    }
    emit hovered(-1, {});
}

void FieldsCanvas::leaveEvent(QEvent*) {
    setCrosshair({0, 0});
    emit hovered(-1, {});
}

}  // namespace ropescope
