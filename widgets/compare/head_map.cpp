// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/compare/head_map.h"

#include <qcustomplot.h>

#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "widgets/frame/plot_layout.h"
#include "widgets/frame/plot_style.h"

namespace ropescope {
namespace {

constexpr double kReach = 12;  ///< pixels
constexpr int kNamesUpTo = 9;  ///< of heads that are not shown; hover tells the others'
constexpr double kBeside = 6;  ///< from a point to its name

bool isThere(QPointF place) {
    return std::isfinite(place.x()) && std::isfinite(place.y());
}

QCPScatterStyle::ScatterShape shapeOf(int model) {
    static constexpr QCPScatterStyle::ScatterShape kShapes[] = {
        QCPScatterStyle::ssCircle, QCPScatterStyle::ssSquare, QCPScatterStyle::ssDiamond, QCPScatterStyle::ssTriangle};
    return kShapes[model % 4];
}

}  // namespace

void drawModelShape(QPainter& painter, QPointF centre, int model, const QColor& fill, const QColor& outline) {
    painter.setPen(QPen(outline, 1));
    painter.setBrush(fill);
    const double r = 4;
    switch (model % 4) {
        case 0:
            painter.drawEllipse(centre, r, r);
            return;
        case 1:
            painter.drawRect(QRectF(centre - QPointF(r, r), QSizeF(2 * r, 2 * r)));
            return;
        case 2:
            painter.drawPolygon(QPolygonF{centre + QPointF(0, -r), centre + QPointF(r, 0), centre + QPointF(0, r),
                                          centre + QPointF(-r, 0)});
            return;
        default:
            painter.drawPolygon(QPolygonF{centre + QPointF(0, -r), centre + QPointF(r, r), centre + QPointF(-r, r)});
    }
}

HeadMap::HeadMap(QWidget* parent) : QWidget(parent), m_plot(new QCustomPlot(this)) {
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(m_plot);
    setAccessibleName(tr("Map of heads"));
    connect(m_plot, &QCustomPlot::mouseMove, this, [this](QMouseEvent* event) { emit hovered(indexAt(event->pos())); });
    connect(m_plot, &QCustomPlot::beforeReplot, this, [this] { fit(); });
    onLeave(*m_plot, [this] { emit hovered(-1); });
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
    for (std::size_t i = 0; i < m_figure.places.size(); ++i) {
        if (!isThere(m_figure.places[i])) continue;
        const bool shown = m_figure.colours[i] >= 0;
        QCPGraph* graph = m_plot->addGraph();
        graph->addData(m_figure.places[i].x(), m_figure.places[i].y());
        graph->setLineStyle(QCPGraph::lsNone);
        graph->setScatterStyle(QCPScatterStyle(shapeOf(m_figure.models[i]), QPen(shown ? looks.text : looks.muted, 1),
                                               shown ? headColour(m_figure.colours[i]) : fill, shown ? 10 : 7));
    }
    for (const int i : named()) {
        auto* label = new QCPItemText(m_plot);
        label->position->setCoords(m_figure.places[i].x(), m_figure.places[i].y());
        label->setText(m_figure.names[i]);
        label->setFont(looks.font);
        label->setColor(m_figure.colours[i] >= 0 ? looks.text : looks.muted);
    }
    setTitle(*m_plot->xAxis, m_figure.titleX);
    setTitle(*m_plot->yAxis, m_figure.titleY);
    m_plot->replot(QCustomPlot::rpQueuedReplot);
}

/// Heads that get a name, the current one before the other shown ones and those before the rest.
std::vector<int> HeadMap::named() const {
    const auto rank = [this](int i) { return i == m_figure.current ? 0 : m_figure.colours[i] >= 0 ? 1 : 2; };
    std::vector<int> heads;
    for (int i = 0; i < static_cast<int>(m_figure.places.size()); ++i)
        if (isThere(m_figure.places[i]) && (rank(i) < 2 || m_figure.places.size() <= kNamesUpTo)) heads.push_back(i);
    std::ranges::stable_sort(heads, {}, rank);
    return heads;
}

QStringList HeadMap::names() const {
    QStringList names;
    for (int i = 0; i < m_plot->itemCount(); ++i)
        if (const auto* label = qobject_cast<QCPItemText*>(m_plot->item(i)); label != nullptr && label->visible())
            names << label->text();
    return names;
}

void HeadMap::fit() const {
    fitRanges();
    fitAxes(*m_plot);
    fitRanges();  // the axes' own labels have taken some room
    placeLabels();
}

/// One unit is as long to the right as it is upwards: distances can be read.
void HeadMap::fitRanges() const {
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
}

/// Names stand beside their points where they cover neither another name nor a point; where there is no such place they
/// are left out, and hover tells them. The current head's name comes first and is never left out.
void HeadMap::placeLabels() const {
    std::vector<QRectF> taken;
    for (std::size_t i = 0; i < m_figure.places.size(); ++i) {
        if (!isThere(m_figure.places[i])) continue;
        const double half = m_figure.colours[i] >= 0 ? 5 : 3.5;
        taken.emplace_back(pixel(static_cast<int>(i)) - QPointF(half, half), QSizeF(2 * half, 2 * half));
    }
    const std::vector<int> heads = named();
    const QRectF inside = m_plot->axisRect()->rect();
    for (int i = 0; i < m_plot->itemCount(); ++i) {
        auto* label = qobject_cast<QCPItemText*>(m_plot->item(i));
        if (label == nullptr) continue;
        const QSizeF size = QFontMetricsF(label->font()).size(0, label->text());
        const QPointF point = label->position->pixelPosition();
        std::ptrdiff_t fewest = heads[i] == m_figure.current ? std::ssize(taken) : 0;  // that it may cover
        QRectF best;
        for (const Qt::Alignment side : {Qt::AlignLeft | Qt::AlignBottom, Qt::AlignRight | Qt::AlignBottom,
                                         Qt::AlignLeft | Qt::AlignTop, Qt::AlignRight | Qt::AlignTop}) {
            const double x = side & Qt::AlignLeft ? point.x() + kBeside : point.x() - kBeside - size.width();
            const double y = side & Qt::AlignTop ? point.y() + 1 : point.y() - 1 - size.height();
            const QRectF place(QPointF(x, y), size);
            const auto covered =
                std::ranges::count_if(taken, [&](const QRectF& other) { return other.intersects(place); });
            if (!inside.contains(place) || covered > fewest || (!best.isNull() && covered == fewest)) continue;
            label->setPositionAlignment(side);
            label->setPadding(QMargins(static_cast<int>(kBeside), 1, static_cast<int>(kBeside), 1));
            best = place;
            fewest = covered;
        }
        label->setVisible(!best.isNull());
        if (!best.isNull()) taken.push_back(best);
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
    drawOnPaper(*m_plot, painter, size, looksOf(palette(), font()), [this] { fit(); });
}

void HeadMap::restyle() {
    stylePlot(*m_plot, looksOf(palette(), font()));
    refresh();
}

}  // namespace ropescope
