// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/atlas/scatter_plot.h"

#include <qcustomplot.h>

#include <QComboBox>
#include <QVBoxLayout>
#include <cmath>

#include "widgets/frame/plot_layout.h"
#include "widgets/frame/plot_style.h"

namespace ropescope {
namespace {

/// Keeps some room around the points, also when all values are equal.
QCPRange roomy(QCPRange range) {
    const double size = range.size() > 0 ? range.size() : std::max(1e-3, 0.1 * std::abs(range.center()));
    return {range.lower - 0.08 * size, range.upper + 0.08 * size};
}

}  // namespace

ScatterPlot::ScatterPlot(QWidget* parent)
    : QWidget(parent), m_x(new QComboBox(this)), m_y(new QComboBox(this)), m_plot(new QCustomPlot(this)) {
    const std::pair<QComboBox*, QString> choices[] = {{m_x, tr("Number of the scatter's x axis")},
                                                      {m_y, tr("Number of the scatter's y axis")}};
    for (const auto& [choice, tip] : choices) {
        choice->setSizeAdjustPolicy(QComboBox::AdjustToContents);
        choice->setToolTip(tip);
    }
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(m_plot, 1);
    m_plot->setMultiSelectModifier(Qt::ControlModifier);
    m_plot->setSelectionRectMode(QCP::srmCustom);
    connect(m_x, &QComboBox::currentIndexChanged, this, &ScatterPlot::refresh);
    connect(m_y, &QComboBox::currentIndexChanged, this, &ScatterPlot::refresh);
    connect(m_plot, &QCustomPlot::mouseMove, this, [this](QMouseEvent* event) { emit hovered(headAt(event->pos())); });
    onLeave(*m_plot, [this] { emit hovered(std::nullopt); });
    connect(m_plot, &QCustomPlot::beforeReplot, this, [this] { fitAxes(*m_plot); });
    connect(m_plot->selectionRect(), &QCPSelectionRect::accepted, this, [this](QRect rect, QMouseEvent* event) {
        rect = rect.normalized();
        if (rect.width() + rect.height() < 6) {
            if (const auto head = headAt(event->pos())) emit picked(*head, event->modifiers());
            return;
        }
        std::vector<HeadId> heads;
        for (const Point& point : m_points) {
            const QPointF pixel(m_plot->xAxis->coordToPixel(point.place.x()),
                                m_plot->yAxis->coordToPixel(point.place.y()));
            if (QRectF(rect).contains(pixel)) heads.push_back(point.id);
        }
        if (!heads.empty()) emit brushed(heads, event->modifiers());
    });
    restyle();
}

void ScatterPlot::setReport(const AtlasReport& report) {
    m_report = report;
    const QSignalBlocker blockX(m_x), blockY(m_y);
    const QVariant keptX = m_x->currentData(), keptY = m_y->currentData();
    for (QComboBox* combo : {m_x, m_y}) {
        combo->clear();
        for (const HeadNumber& number : report.numbers) {
            combo->addItem(QString::fromStdString(number.title), QString::fromStdString(number.key));
            combo->setItemData(combo->count() - 1, definitionText(number), Qt::ToolTipRole);
        }
    }
    m_x->setCurrentIndex(std::max(0, m_x->findData(keptX)));
    const int y = m_y->findData(keptY);
    m_y->setCurrentIndex(y >= 0 ? y : std::min(1, m_y->count() - 1));
    refresh();
}

void ScatterPlot::setMarks(const std::vector<AtlasFigure::Mark>& marks) {
    m_marks = marks;
    drawMarks();
    m_plot->replot(QCustomPlot::rpQueuedReplot);
}

void ScatterPlot::setAxes(const QString& keyX, const QString& keyY) {
    if (const int x = m_x->findData(keyX); x >= 0) m_x->setCurrentIndex(x);
    if (const int y = m_y->findData(keyY); y >= 0) m_y->setCurrentIndex(y);
}

void ScatterPlot::refresh() {
    m_points.clear();
    const int x = m_x->currentIndex();
    const int y = m_y->currentIndex();
    m_plot->clearPlottables();
    if (x < 0 || y < 0) return;
    const HeadNumber& numberX = m_report.numbers[x];
    const HeadNumber& numberY = m_report.numbers[y];
    for (std::size_t i = 0; i < numberX.values.size(); ++i) {
        const QPointF place(numberX.values[i], numberY.values[i]);
        if (std::isnan(place.x()) || std::isnan(place.y())) continue;
        m_points.push_back({{static_cast<int>(i) / m_report.heads, static_cast<int>(i) % m_report.heads}, place});
    }
    QCPGraph* all = m_plot->addGraph();
    for (const Point& point : m_points) all->addData(point.place.x(), point.place.y());
    all->setLineStyle(QCPGraph::lsNone);
    const Looks looks = looksOf(palette(), font());
    QColor fill = looks.muted;
    fill.setAlpha(90);
    all->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssCircle, QPen(looks.muted, 1), fill, 7));
    setTitle(*m_plot->xAxis, titleWithUnit(numberX));
    setTitle(*m_plot->yAxis, titleWithUnit(numberY));
    m_plot->rescaleAxes();
    if (m_points.empty()) m_plot->xAxis->setRange(0, 1), m_plot->yAxis->setRange(0, 1);
    m_plot->xAxis->setRange(roomy(m_plot->xAxis->range()));
    m_plot->yAxis->setRange(roomy(m_plot->yAxis->range()));
    m_plot->clearItems();
    if (m_points.empty()) {
        auto* words = new QCPItemText(m_plot);  // owned by the plot
        words->position->setType(QCPItemPosition::ptAxisRectRatio);
        words->position->setCoords(0.5, 0.5);
        words->setText(tr("no head has\nboth numbers"));
        words->setFont(looks.font);
        words->setColor(looks.muted);
    }
    drawMarks();
    m_plot->replot(QCustomPlot::rpQueuedReplot);
}

void ScatterPlot::drawMarks() {
    while (m_plot->graphCount() > 1) m_plot->removeGraph(m_plot->graphCount() - 1);
    for (const AtlasFigure::Mark& mark : m_marks) {
        for (const Point& point : m_points) {
            if (point.id != mark.id) continue;
            QCPGraph* graph = m_plot->addGraph();
            graph->addData(point.place.x(), point.place.y());
            graph->setLineStyle(QCPGraph::lsNone);
            const QCPScatterStyle::ScatterShape shape =
                mark.pinned ? QCPScatterStyle::ssSquare : QCPScatterStyle::ssCircle;
            graph->setScatterStyle(QCPScatterStyle(shape, QPen(palette().color(QPalette::Text), mark.current ? 2 : 1),
                                                   headColour(mark.colour), mark.current ? 12 : 10));
        }
    }
}

std::optional<HeadId> ScatterPlot::headAt(QPoint position) const {
    std::optional<HeadId> nearest;
    double best = 12;  // pixels
    for (const Point& point : m_points) {
        const double distance = std::hypot(m_plot->xAxis->coordToPixel(point.place.x()) - position.x(),
                                           m_plot->yAxis->coordToPixel(point.place.y()) - position.y());
        if (distance >= best) continue;
        best = distance;
        nearest = point.id;
    }
    return nearest;
}

std::vector<QPointF> ScatterPlot::points() const {
    std::vector<QPointF> places;
    for (const Point& point : m_points) places.push_back(point.place);
    return places;
}

void ScatterPlot::draw(QCPPainter& painter, QSize size) const {
    drawOnPaper(*m_plot, painter, size, looksOf(palette(), font()), [this] { fitAxes(*m_plot); });
}

void ScatterPlot::restyle() {
    stylePlot(*m_plot, looksOf(palette(), font()));
    refresh();
}

void ScatterPlot::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) restyle();
}

}  // namespace ropescope
