// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/atlas/atlas_grid.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>
#include <limits>

#include "widgets/atlas/atlas_figure.h"

namespace ropescope {
namespace {

constexpr qreal kAround = 6;  // free pixels beside a number
constexpr int kSmallCell = 10;
constexpr QSizeF kLargest(136, 96);

QColor readableOn(const QColor& ground) {
    return qGray(ground.rgb()) > 130 ? QColor(0x1a, 0x1a, 0x1a) : QColor(0xff, 0xff, 0xff);
}

qreal widest(const std::vector<double>& values, const AtlasFigure& figure, const QFont& font) {
    const QFontMetricsF metrics(font);
    qreal width = 0;
    for (double value : values)
        if (std::isfinite(value))
            width = std::max(width, metrics.horizontalAdvance(rangeNumber(value, figure.low, figure.high)));
    return width;
}

double meanOf(const std::vector<double>& values) {
    double sum = 0;
    int count = 0;
    for (double value : values) {
        if (std::isnan(value)) continue;
        sum += value;
        ++count;
    }
    return count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

/// Where the parts lie.
struct AtlasGrid::Layout {
    QRectF matrix;
    qreal width = 0;  ///< of a cell with its gap
    qreal height = 0;
    qreal gap = 0;
    qreal bars = 0;  ///< longest bar of the means
    QRectF legend;

    [[nodiscard]] QRectF cell(QPoint place) const {
        return {matrix.left() + place.x() * width, matrix.top() + place.y() * height, width - gap, height - gap};
    }
};

AtlasGrid::AtlasGrid(QWidget* parent) : QWidget(parent) {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setMinimumSize(160, 120);
    setAccessibleName(tr("Heads by layer"));
}

void AtlasGrid::setFigure(AtlasFigure figure) {
    m_figure = std::move(figure);
    update();
}

AtlasGrid::Layout AtlasGrid::layoutIn(const QRectF& place, const QFont& font) const {
    const QFontMetricsF metrics(font);
    const qreal left =
        std::max(metrics.horizontalAdvance(QStringLiteral("L88")), metrics.horizontalAdvance(tr("mean"))) + 16;
    const qreal top = metrics.height() + 8;
    Layout layout;
    layout.bars = std::clamp(place.width() * 0.1, 20.0, 56.0);
    const qreal right =
        layout.bars + 24 + std::max(widestMean(font), metrics.horizontalAdvance(tr("mean")) - layout.bars);
    const qreal legendWidth = place.width() - left - 8;
    const qreal legend =
        m_figure.nothing.isEmpty() ? legendHeight(m_figure.low, m_figure.high, m_figure.title, font, legendWidth) : 0;
    const qreal bottom = layout.bars + metrics.height() + legend + 28;
    const int rows = std::max(1, m_figure.layers);
    const int columns = std::max(1, m_figure.heads);
    layout.width = std::clamp((place.width() - left - right) / columns, 1.0, kLargest.width());
    layout.height = std::clamp((place.height() - top - bottom) / rows, 1.0, kLargest.height());
    layout.gap = std::min(layout.width, layout.height) > 14 ? 2 : 0;
    layout.matrix = QRectF(place.left() + left, place.top() + top, layout.width * columns, layout.height * rows);
    layout.legend =
        QRectF(place.left() + left, layout.matrix.bottom() + layout.bars + metrics.height() + 20, legendWidth, legend);
    return layout;
}

double AtlasGrid::value(int layer, int head) const {
    return m_figure.values[layer * m_figure.heads + head];
}

QPoint AtlasGrid::placeOf(HeadId head) const {
    const auto find = [](const std::vector<int>& order, int index) {
        if (order.empty()) return index;
        return static_cast<int>(std::find(order.begin(), order.end(), index) - order.begin());
    };
    return {find(m_figure.headOrder, head.head), find(m_figure.layerOrder, head.layer)};
}

HeadId AtlasGrid::drawnAt(int row, int column) const {
    return {m_figure.layerOrder.empty() ? row : m_figure.layerOrder[row],
            m_figure.headOrder.empty() ? column : m_figure.headOrder[column]};
}

HeadId AtlasGrid::neighbour(HeadId head, int rows, int columns) const {
    const QPoint place = placeOf(head);
    return drawnAt(std::clamp(place.y() + rows, 0, m_figure.layers - 1),
                   std::clamp(place.x() + columns, 0, m_figure.heads - 1));
}

std::vector<HeadId> AtlasGrid::block(HeadId one, HeadId other) const {
    const QPoint a = placeOf(one), b = placeOf(other);
    std::vector<HeadId> heads;
    for (int row = std::min(a.y(), b.y()); row <= std::max(a.y(), b.y()); ++row) {
        for (int column = std::min(a.x(), b.x()); column <= std::max(a.x(), b.x()); ++column) {
            heads.push_back(drawnAt(row, column));
        }
    }
    return heads;
}

QRectF AtlasGrid::cell(HeadId head) const {
    return layoutIn(rect(), font()).cell(placeOf(head));
}

double AtlasGrid::meanOfLayer(int layer) const {
    std::vector<double> values;
    for (int head = 0; head < m_figure.heads; ++head) values.push_back(value(layer, head));
    return meanOf(values);
}

double AtlasGrid::meanOfHead(int head) const {
    std::vector<double> values;
    for (int layer = 0; layer < m_figure.layers; ++layer) values.push_back(value(layer, head));
    return meanOf(values);
}

qreal AtlasGrid::widestNumber(const QFont& font) const {
    return widest(m_figure.values, m_figure, font);
}

qreal AtlasGrid::widestMean(const QFont& font) const {
    std::vector<double> means = meansOf(m_figure, true);
    const std::vector<double> ofHeads = meansOf(m_figure, false);
    means.insert(means.end(), ofHeads.begin(), ofHeads.end());
    return widest(means, m_figure, font);
}

QSize AtlasGrid::least() const {
    const int line = fontMetrics().height();
    return {std::max(220, 150 + m_figure.heads * kSmallCell),
            std::min(320, 5 * line + 50 + m_figure.layers * kSmallCell)};
}

QColor AtlasGrid::colour(HeadId head) const {
    const double drawn = value(head.layer, head.head);
    if (std::isnan(drawn)) return {};
    return mapColour(m_figure.map, (drawn - m_figure.low) / (m_figure.high - m_figure.low));
}

void AtlasGrid::draw(QPainter& painter, const QRectF& place, const Looks& looks) const {
    if (m_figure.layers == 0 || m_figure.heads == 0) return;
    const Layout layout = layoutIn(place, looks.font);
    painter.setFont(looks.font);
    drawCells(painter, layout, looks);
    drawLabels(painter, layout, looks);
    if (m_figure.nothing.isEmpty()) drawMeans(painter, layout, looks);
    drawMarks(painter, layout, looks);
    if (!m_figure.nothing.isEmpty()) {
        drawWords(painter, layout.matrix, m_figure.nothing, tr("no value"), looks);
        return;
    }
    drawLegend(painter, layout.legend, m_figure.map, m_figure.low, m_figure.high, m_figure.title, looks);
}

void AtlasGrid::drawCells(QPainter& painter, const Layout& layout, const Looks& looks) const {
    const bool withText =
        layout.width >= widestNumber(looks.font) + kAround && layout.height >= QFontMetricsF(looks.font).height() + 2;
    painter.setRenderHint(QPainter::Antialiasing, false);
    for (int layer = 0; layer < m_figure.layers; ++layer) {
        for (int head = 0; head < m_figure.heads; ++head) {
            const QRectF cell = layout.cell(placeOf({layer, head}));
            if (!m_figure.nothing.isEmpty()) {  // the sentence stands on quiet ground
                painter.fillRect(cell, looks.grid);
                continue;
            }
            if (std::isnan(value(layer, head))) {
                const std::size_t index = layer * m_figure.heads + head;
                const bool marked = index < m_figure.problems.size() && !m_figure.problems[index].isEmpty();
                marked ? drawHatched(painter, cell, looks) : painter.fillRect(cell, looks.grid);  // no value (yet)
                continue;
            }
            const QColor ground = colour({layer, head});
            painter.fillRect(cell, ground);
            if (!withText) continue;
            painter.setPen(readableOn(ground));
            painter.drawText(cell, Qt::AlignCenter, rangeNumber(value(layer, head), m_figure.low, m_figure.high));
        }
    }
    painter.setRenderHint(QPainter::Antialiasing, true);
}

void AtlasGrid::drawLabels(QPainter& painter, const Layout& layout, const Looks& looks) const {
    const QFontMetricsF metrics(looks.font);
    painter.setPen(looks.muted);
    // Labels thin out when the cells are too small to hold one each.
    const int rowStep = std::max(1, static_cast<int>(std::ceil(metrics.height() / layout.height)));
    const int columnStep = std::max(
        1, static_cast<int>(std::ceil((metrics.horizontalAdvance(QStringLiteral("H%1").arg(m_figure.heads - 1)) + 8) /
                                      layout.width)));
    for (int row = 0; row < m_figure.layers; row += rowStep) {
        const QRectF cell = layout.cell({0, row});
        painter.drawText(QRectF(cell.left() - 64, cell.center().y() - metrics.height() / 2, 56, metrics.height()),
                         Qt::AlignRight | Qt::AlignVCenter, QStringLiteral("L%1").arg(drawnAt(row, 0).layer));
    }
    for (int column = 0; column < m_figure.heads; column += columnStep) {
        const QRectF cell = layout.cell({column, 0});
        painter.drawText(QRectF(cell.center().x() - 32, cell.top() - metrics.height() - 4, 64, metrics.height()),
                         Qt::AlignHCenter | Qt::AlignBottom, QStringLiteral("H%1").arg(drawnAt(0, column).head));
    }
}

/// Bars from the low end of the colour range, so that a bar and a cell of the same value agree.
void AtlasGrid::drawMeans(QPainter& painter, const Layout& layout, const Looks& looks) const {
    const QFontMetricsF metrics(looks.font);
    const double origin = m_figure.map == ColourMap::Diverging ? 0 : m_figure.low;
    const double span = m_figure.map == ColourMap::Diverging ? m_figure.high : m_figure.high - m_figure.low;
    const auto length = [&](double mean) { return layout.bars * std::clamp(std::abs(mean - origin) / span, 0.0, 1.0); };
    const auto tint = [&](double mean) {
        return mapColour(m_figure.map, (mean - m_figure.low) / (m_figure.high - m_figure.low));
    };
    const qreal x = layout.matrix.right() + 12;
    painter.setPen(Qt::NoPen);
    for (int layer = 0; layer < m_figure.layers; ++layer) {
        const QRectF cell = layout.cell({0, placeOf({layer, 0}).y()});
        const double mean = meanOfLayer(layer);
        if (std::isnan(mean)) continue;
        const qreal thick = std::min(cell.height(), 12.0);
        const QRectF bar(x, cell.center().y() - thick / 2, std::max(1.0, length(mean)), thick);
        painter.fillRect(bar, tint(mean));
        if (layout.height < metrics.height()) continue;
        painter.setPen(looks.muted);
        painter.drawText(QPointF(bar.right() + 6, cell.center().y() + metrics.ascent() / 2 - 1),
                         rangeNumber(mean, m_figure.low, m_figure.high));
        painter.setPen(Qt::NoPen);
    }
    const qreal y = layout.matrix.bottom() + 10;
    for (int head = 0; head < m_figure.heads; ++head) {
        const QRectF cell = layout.cell({placeOf({0, head}).x(), 0});
        const double mean = meanOfHead(head);
        if (std::isnan(mean)) continue;
        const qreal thick = std::min(cell.width(), 12.0);
        const qreal tall = std::max(1.0, length(mean));
        painter.fillRect(QRectF(cell.center().x() - thick / 2, y, thick, tall), tint(mean));
        if (layout.width < widestMean(looks.font) + kAround) continue;
        painter.setPen(looks.muted);
        painter.drawText(QRectF(cell.center().x() - 40, y + tall + 2, 80, metrics.height()), Qt::AlignCenter,
                         rangeNumber(mean, m_figure.low, m_figure.high));
        painter.setPen(Qt::NoPen);
    }
    painter.setPen(looks.muted);
    painter.drawText(QRectF(x, layout.matrix.top() - metrics.height() - 4, 96, metrics.height()), Qt::AlignLeft,
                     tr("mean"));
    painter.drawText(QRectF(layout.matrix.left() - 72, y, 64, metrics.height()), Qt::AlignRight, tr("mean"));
}

void AtlasGrid::drawMarks(QPainter& painter, const Layout& layout, const Looks& looks) const {
    painter.setBrush(Qt::NoBrush);
    if (m_hover) {
        // Dashed on a plain ground: the solid outlines are the selected heads.
        const QRectF cell = layout.cell(placeOf(*m_hover)).adjusted(0.5, 0.5, -0.5, -0.5);
        painter.setPen(QPen(looks.base, 1));
        painter.drawRect(cell);
        painter.setPen(QPen(looks.text, 1, Qt::DashLine));
        painter.drawRect(cell);
    }
    for (const AtlasFigure::Mark& mark : m_figure.marks) {
        if (mark.id.layer >= m_figure.layers || mark.id.head >= m_figure.heads) continue;
        const QRectF cell = layout.cell(placeOf(mark.id)).adjusted(-1, -1, 1, 1);
        painter.setPen(QPen(looks.base, 5));
        painter.drawRect(cell);
        painter.setPen(QPen(headColour(mark.colour), mark.current ? 3 : 2));
        painter.drawRect(cell);
        if (mark.pinned) {
            painter.setBrush(headColour(mark.colour));
            painter.setPen(QPen(looks.base, 1));
            painter.drawEllipse(cell.topRight(), 4, 4);
            painter.setBrush(Qt::NoBrush);
        }
    }
    if (m_brush.isValid()) {
        QColor fill = looks.accent;
        fill.setAlpha(40);
        painter.setPen(QPen(looks.accent, 1));
        painter.setBrush(fill);
        painter.drawRect(m_brush);
    }
}

std::optional<HeadId> AtlasGrid::headAt(QPointF position) const {
    const Layout layout = layoutIn(rect(), font());
    if (!layout.matrix.contains(position)) return std::nullopt;
    const int row = static_cast<int>((position.y() - layout.matrix.top()) / layout.height);
    const int column = static_cast<int>((position.x() - layout.matrix.left()) / layout.width);
    if (row >= m_figure.layers || column >= m_figure.heads) return std::nullopt;
    return drawnAt(row, column);
}

void AtlasGrid::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.fillRect(rect(), palette().color(QPalette::Base));
    painter.setRenderHint(QPainter::Antialiasing);
    draw(painter, rect(), looksOf(palette(), font()));
    if (hasFocus()) {
        painter.setPen(QPen(palette().color(QPalette::Highlight), 1));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5));
    }
}

void AtlasGrid::mousePressEvent(QMouseEvent* event) {
    if (event->button() == Qt::LeftButton) m_pressed = event->position();
}

void AtlasGrid::mouseMoveEvent(QMouseEvent* event) {
    if ((event->buttons() & Qt::LeftButton) && (event->position() - m_pressed).manhattanLength() > 6) {
        m_brush = QRectF(m_pressed, event->position()).normalized();
    }
    const std::optional<HeadId> head = headAt(event->position());
    if (head != m_hover) {
        m_hover = head;
        emit hovered(head);
    }
    update();
}

void AtlasGrid::mouseReleaseEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton) return;
    if (m_brush.isValid()) {
        const Layout layout = layoutIn(rect(), font());
        std::vector<HeadId> heads;
        for (int layer = 0; layer < m_figure.layers; ++layer) {
            for (int head = 0; head < m_figure.heads; ++head) {
                if (layout.cell(placeOf({layer, head})).intersects(m_brush)) heads.push_back({layer, head});
            }
        }
        m_brush = {};
        if (!heads.empty()) emit brushed(heads, event->modifiers());
    } else if (const std::optional<HeadId> head = headAt(event->position())) {
        emit picked(*head, event->modifiers());
    }
    update();
}

void AtlasGrid::leaveEvent(QEvent*) {
    m_hover.reset();
    emit hovered(m_hover);
    update();
}

void AtlasGrid::keyPressEvent(QKeyEvent* event) {
    switch (event->key()) {
        case Qt::Key_Up:
            emit moved(-1, 0, event->modifiers());
            return;
        case Qt::Key_Down:
            emit moved(1, 0, event->modifiers());
            return;
        case Qt::Key_Left:
            emit moved(0, -1, event->modifiers());
            return;
        case Qt::Key_Right:
            emit moved(0, 1, event->modifiers());
            return;
        default:
            QWidget::keyPressEvent(event);
    }
}

}  // namespace ropescope
