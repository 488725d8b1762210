// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/head_map.h"

#include <qcustomplot.h>

#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "widgets/plot_layout.h"
#include "widgets/plot_style.h"

namespace ropescope {
namespace {

constexpr double kReach = 12;  ///< pixels
constexpr int kNamesUpTo = 9;  ///< more names would cover each other: hover tells them

bool isThere(QPointF place) {
    return std::isfinite(place.x()) && std::isfinite(place.y());
}

QCPScatterStyle::ScatterShape shapeOf(int model) {
    static constexpr QCPScatterStyle::ScatterShape kShapes[] = {
        QCPScatterStyle::ssCircle, QCPScatterStyle::ssSquare, QCPScatterStyle::ssDiamond, QCPScatterStyle::ssTriangle};
    return kShapes[model % 4];
}

}  // namespace

HeadMap::HeadMap(QWidget* parent) : QWidget(parent), m_plot(new QCustomPlot(this)) {
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(m_plot);
    setMinimumWidth(200);
    setAccessibleName(tr("Map of heads"));
    connect(m_plot, &QCustomPlot::mouseMove, this, [this](QMouseEvent* event) { emit hovered(indexAt(event->pos())); });
    connect(m_plot, &QCustomPlot::mousePress, this, [this](QMouseEvent* event) {
        if (const int index = indexAt(event->pos()); index >= 0) emit picked(index, event->modifiers());
    });
    restyle();
}

void HeadMap::setFigure(HeadMapFigure figure) {
    m_figure = std::move(figure);
    refresh();
}

void HeadMap::refresh() {
    m_plot->clearPlottables();
    m_plot->clearItems();
    const Looks looks = looksOf(palette(), font());
    QColor fill = looks.muted;
    fill.setAlpha(90);
    const bool named = m_figure.places.size() <= kNamesUpTo;
    for (std::size_t i = 0; i < m_figure.places.size(); ++i) {
        if (!isThere(m_figure.places[i])) continue;
        const bool shown = m_figure.colours[i] >= 0;
        QCPGraph* graph = m_plot->addGraph();
        graph->addData(m_figure.places[i].x(), m_figure.places[i].y());
        graph->setLineStyle(QCPGraph::lsNone);
        graph->setScatterStyle(QCPScatterStyle(shapeOf(m_figure.models[i]), QPen(shown ? looks.text : looks.muted, 1),
                                               shown ? headColour(m_figure.colours[i]) : fill, shown ? 10 : 7));
        if (!named && !shown) continue;
        auto* label = new QCPItemText(m_plot);
        label->position->setCoords(m_figure.places[i].x(), m_figure.places[i].y());
        label->setPadding(QMargins(6, 0, 6, 4));
        label->setText(m_figure.names[i]);
        label->setFont(looks.font);
        label->setColor(shown ? looks.text : looks.muted);
    }
    fitRanges();
    m_plot->replot(QCustomPlot::rpQueuedReplot);
}

/// One unit is as long to the right as it is upwards: distances can be read.
void HeadMap::fitRanges() {
    QRectF all;
    for (QPointF place : m_figure.places) {
        if (!isThere(place)) continue;
        const QRectF point(place - QPointF(1e-9, 1e-9), QSizeF(2e-9, 2e-9));
        all = all.isNull() ? point : all.united(point);
    }
    if (all.isNull()) return;
    layOut(*m_plot);
    const double width = std::max(1, m_plot->axisRect()->width()), height = std::max(1, m_plot->axisRect()->height());
    const double unit = std::max({all.width() / width, all.height() / height, 1e-9}) * 1.25;
    m_plot->xAxis->setRange(all.center().x() - unit * width / 2, all.center().x() + unit * width / 2);
    m_plot->yAxis->setRange(all.center().y() - unit * height / 2, all.center().y() + unit * height / 2);
    const QFontMetrics metrics(font());
    m_plot->xAxis->setLabel(metrics.elidedText(m_figure.titleX, Qt::ElideRight, m_plot->width() - 72));
    m_plot->yAxis->setLabel(metrics.elidedText(m_figure.titleY, Qt::ElideRight, m_plot->height() - 64));
    placeLabels();
    m_plot->xAxis->ticker()->setTickCount(std::clamp(static_cast<int>(width / 72), 2, 6));
    m_plot->yAxis->ticker()->setTickCount(std::clamp(static_cast<int>(height / 48), 2, 6));
}

/// Names stand to the right of their points, and to the left where they would be cut off.
void HeadMap::placeLabels() {
    const QFontMetrics metrics(font());
    for (int i = 0; i < m_plot->itemCount(); ++i) {
        auto* label = qobject_cast<QCPItemText*>(m_plot->item(i));
        if (label == nullptr) continue;
        const double right = label->position->pixelPosition().x() + metrics.horizontalAdvance(label->text()) + 12;
        const bool fits = right <= m_plot->axisRect()->right();
        label->setPositionAlignment((fits ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignBottom);
    }
}

QPointF HeadMap::pixel(int index) const {
    return {m_plot->xAxis->coordToPixel(m_figure.places[index].x()),
            m_plot->yAxis->coordToPixel(m_figure.places[index].y())};
}

int HeadMap::indexAt(QPoint position) const {
    int nearest = -1;
    double best = kReach;
    for (std::size_t i = 0; i < m_figure.places.size(); ++i) {
        if (!isThere(m_figure.places[i])) continue;
        const QPointF apart = pixel(static_cast<int>(i)) - position;
        const double distance = std::hypot(apart.x(), apart.y());
        if (distance >= best) continue;
        best = distance;
        nearest = static_cast<int>(i);
    }
    return nearest;
}

void HeadMap::draw(QCPPainter& painter, QSize size) const {
    drawOnPaper(*m_plot, painter, size, looksOf(palette(), font()));
}

void HeadMap::restyle() {
    stylePlot(*m_plot, looksOf(palette(), font()));
    refresh();
}

void HeadMap::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    fitRanges();
    m_plot->replot(QCustomPlot::rpQueuedReplot);
}

}  // namespace ropescope
