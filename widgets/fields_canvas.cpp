// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/fields_canvas.h"

#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "widgets/field_profiles.h"

namespace ropescope {
namespace {

constexpr qreal kPairGap = 8;  ///< between analytic and measured
constexpr qreal kBetween = 24;
constexpr qreal kNarrow = 760;  ///< below this the legends take two lines

QRectF squareIn(const QRectF& place, int rows, int cols) {
    const qreal unit = std::min(place.width() / cols, place.height() / rows);
    const QSizeF size(unit * cols, unit * rows);
    return {place.center().x() - size.width() / 2, place.center().y() - size.height() / 2, size.width(), size.height()};
}

/// What a panel is, quietly at its top right, where it does not meet the title.
void drawCaption(QPainter& painter, const QRectF& panel, const QString& words, qreal taken, const Looks& looks) {
    const QFontMetricsF metrics(looks.font);
    if (metrics.horizontalAdvance(words) + taken > panel.width()) return;
    painter.setPen(looks.muted);
    painter.drawText(QRectF(panel.left(), panel.top() - metrics.height() - 5, panel.width(), metrics.height()),
                     Qt::AlignRight | Qt::AlignVCenter, words);
}

}  // namespace

double FieldScale::drawn(double value) const {
    return log ? std::log10(std::max(value, low)) : value;
}

struct FieldsCanvas::Layout {
    std::vector<QRectF> analytic;
    std::vector<QRectF> measured;
    QRectF profiles;
    QRectF legends;
};

FieldsCanvas::FieldsCanvas(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    setMinimumSize(320, 240);
    setAccessibleName(tr("Receptive fields over offsets"));
    // Every pixel is painted below: Qt need not clear the widget first.
    setAttribute(Qt::WA_OpaquePaintEvent);
}

void FieldsCanvas::setFigure(FieldsFigure figure) {
    m_figure = std::move(figure);
    update();
}

void FieldsCanvas::setCrosshair(QPoint offset) {
    if (offset == m_cross) return;
    m_cross = offset;
    update();
}

/// As many pairs side by side as make the panels largest.
FieldsCanvas::Layout FieldsCanvas::layoutIn(const QRectF& place, const QFont& font) const {
    const QFontMetricsF metrics(font);
    const qreal line = metrics.height();
    const int count = std::max<int>(1, static_cast<int>(m_figure.panels.size()));
    Layout layout;
    const qreal legendHeight = place.width() < kNarrow ? 2 * line + 8 : line + 8;
    layout.legends = QRectF(place.left() + 8, place.bottom() - legendHeight - 4, place.width() - 16, legendHeight);
    const qreal profileHeight = std::clamp(place.height() * 0.26, 72.0, 180.0);
    layout.profiles =
        QRectF(place.left() + 8, layout.legends.top() - profileHeight - 8, place.width() - 16, profileHeight);
    const QRectF room(place.left() + 8, place.top() + 4, place.width() - 16, layout.profiles.top() - place.top() - 12);
    const qreal top = line + 8, bottom = line + 12;
    int bestColumns = 1;
    qreal best = 0;
    for (int columns = 1; columns <= count; ++columns) {
        const int rows = (count + columns - 1) / columns;
        const qreal side = std::min(((room.width() + kBetween) / columns - kBetween - kPairGap) / 2,
                                    room.height() / rows - top - bottom);
        if (side <= best) continue;
        best = side;
        bestColumns = columns;
    }
    for (int i = 0; i < count; ++i) {
        const qreal x = room.left() + (i % bestColumns) * (2 * best + kPairGap + kBetween);
        const qreal y = room.top() + (i / bestColumns) * (best + top + bottom) + top;
        layout.analytic.emplace_back(x, y, best, best);
        layout.measured.emplace_back(x + best + kPairGap, y, best, best);
    }
    return layout;
}

void FieldsCanvas::draw(QPainter& painter, const QRectF& place, const Looks& looks) const {
    const Layout layout = layoutIn(place, looks.font);
    painter.setFont(looks.font);
    for (std::size_t i = 0; i < m_figure.panels.size(); ++i) drawPanel(painter, i, layout, looks);
    drawProfiles(painter, layout.profiles, looks);
    const qreal half = layout.legends.width() / 2;
    const auto legend = [&](qreal left, const FieldScale& scale) {
        drawLegend(painter,
                   QRectF(layout.legends.left() + left, layout.legends.top(), half - 16, layout.legends.height()),
                   scale.map, scale.low, scale.high, scale.log ? scale.title + tr(", log") : scale.title, looks);
    };
    legend(0, m_figure.analytic);
    legend(half, m_figure.measured);
}

void FieldsCanvas::drawPanel(QPainter& painter, std::size_t index, const Layout& layout, const Looks& looks) const {
    const FieldsPanel& panel = m_figure.panels[index];
    const QRectF& left = layout.analytic[index];
    const QRectF& right = layout.measured[index];
    const QFontMetricsF metrics(looks.font);
    painter.setPen(Qt::NoPen);
    painter.setBrush(headColour(panel.colour));
    painter.drawRect(QRectF(left.left(), left.top() - metrics.height() / 2 - 10, 10, 10));
    painter.setPen(looks.text);
    painter.drawText(
        QRectF(left.left() + 16, left.top() - metrics.height() - 5, right.right() - left.left() - 16, metrics.height()),
        Qt::AlignLeft | Qt::AlignVCenter, panel.title);
    if (!panel.problem.isEmpty()) {
        const QRectF both(left.topLeft(), right.bottomRight());
        drawHatched(painter, both, looks);
        drawWords(painter, both, panel.problem, tr("marked"), looks);
        return;
    }
    drawCaption(painter, left, tr("analytic"), 24 + metrics.horizontalAdvance(panel.title), looks);
    drawCaption(painter, right, tr("measured"),
                left.right() < left.left() + 16 + metrics.horizontalAdvance(panel.title)
                    ? metrics.horizontalAdvance(panel.title)
                    : 0,
                looks);
    drawMap(painter, panel.analytic, m_figure.analytic, left, looks);
    if (panel.analytic.values.empty()) drawNothing(painter, left, m_figure.noAnalytic, tr("nothing to show"), looks);
    if (panel.measured.values.empty()) return drawNothing(painter, right, m_figure.noField, tr("no field yet"), looks);
    drawMap(painter, panel.measured, m_figure.measured, right, looks);
    if (!panel.numbers) return;
    drawNumbers(painter, panel, squareIn(right, panel.measured.rows(), panel.measured.cols()));
    painter.setPen(looks.muted);
    const QString distance = shortNumber(panel.numbers->meanDistance);
    QString words = tr("mean distance %1 tokens, anisotropy %2").arg(distance, shortNumber(panel.numbers->anisotropy));
    if (metrics.horizontalAdvance(words) > right.right() - left.left()) words = tr("mean %1 tokens").arg(distance);
    painter.drawText(QRectF(left.left(), right.bottom() + 2, right.right() - left.left(), metrics.height()),
                     Qt::AlignRight | Qt::AlignTop,
                     metrics.elidedText(words, Qt::ElideRight, right.right() - left.left()));
}

void FieldsCanvas::drawNothing(QPainter& painter, const QRectF& place, const QString& why, const QString& shortly,
                               const Looks& looks) const {
    painter.setPen(QPen(looks.grid, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(place);
    drawWords(painter, place, why, shortly, looks);
}

void FieldsCanvas::drawMap(QPainter& painter, const OffsetMap& map, const FieldScale& scale, const QRectF& place,
                           const Looks& looks) const {
    if (map.values.empty()) return;
    const QRectF square = squareIn(place, map.rows(), map.cols());
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

void FieldsCanvas::drawProfiles(QPainter& painter, const QRectF& place, const Looks& looks) const {
    const qreal quarter = place.width() / 4;
    int i = 0;
    for (const bool measured : {false, true}) {
        for (const ProfileDirection direction : {ProfileDirection::AlongColumns, ProfileDirection::AlongRows}) {
            const QRectF part(place.left() + quarter * i++, place.top(), quarter - 8, place.height());
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
            const QRectF square = squareIn(measured ? layout.measured[i] : layout.analytic[i], map.rows(), map.cols());
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
