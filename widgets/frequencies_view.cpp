// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frequencies_view.h"

#include <qcustomplot.h>

#include <QComboBox>
#include <QLabel>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <numbers>

#include "widgets/flow_layout.h"
#include "widgets/head_chips.h"
#include "widgets/plot_style.h"

namespace ropescope {
namespace {

constexpr int kMixedAxis = -1;

double omegaOf(const FrequencyEnergy& energy, std::size_t plane, std::size_t planes) {
    const std::size_t axes = planes == 0 ? 0 : energy.frequency.size() / planes;
    double squares = 0;
    for (std::size_t a = 0; a < axes; ++a) squares += std::pow(energy.frequency[plane * axes + a], 2);
    return std::sqrt(squares);
}

/// Wavelength and share of the planes of one axis, by rising wavelength; planes that never turn are left out.
std::vector<QPointF> curve(const HeadReport& report, const std::vector<double>& shares, int axis) {
    std::vector<QPointF> points;
    const std::size_t planes = report.planeAxis.size();
    for (std::size_t p = 0; p < std::min(planes, shares.size()); ++p) {
        const double omega = omegaOf(report.energy, p, planes);
        if (omega <= 0 || static_cast<int>(report.planeAxis[p]) != axis) continue;
        points.emplace_back(2 * std::numbers::pi / omega, shares[p]);
    }
    std::sort(points.begin(), points.end(), [](QPointF a, QPointF b) { return a.x() < b.x(); });
    return points;
}

QString axisName(int axis) {
    if (axis == kMixedAxis) return QObject::tr("mixed axes");
    return axis == 0 ? QObject::tr("rows") : axis == 1 ? QObject::tr("columns") : QObject::tr("axis %1").arg(axis);
}

QString percent(double share) {
    return QStringLiteral("%1 %").arg(100 * share, 0, 'f', share > 0 && share < 0.1 ? 1 : 0);
}

}  // namespace

FrequenciesView::FrequenciesView(OpenModels& models, Selection& selection, QWidget* parent)
    : View(models, selection, tr("Frequencies"), parent),
      m_energy(new QComboBox(this)),
      m_chips(new HeadChips(models, selection, HeadChips::Which::Shown, this)),
      m_plot(new QCustomPlot(this)),
      m_summary(new QLabel(this)) {
    setEmptyText(tr("Over which wavelengths the selected heads spread their energy, row by row and column by column, "
                    "beside what the same weights do with plain rotary positions. Select a head."),
                 tr("Open a model ..."));
    addLabel(tr("Energy"));
    m_energy->addItem(tr("with the head's weights (of the head)"), static_cast<int>(Energy::Weights));
    m_energy->addItem(tr("map only (of the map)"), static_cast<int>(Energy::Map));
    m_energy->setToolTip(
        tr("Share of a plane's logit energy. With weights: projections and map together, the default.\n"
           "Map only: for white content; under the inverse convention an excess is obliqueness, not "
           "reallocation."));
    controls().addWidget(m_energy);

    auto* content = new QWidget(this);
    auto* layout = new QVBoxLayout(content);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(8);
    layout->addWidget(m_chips);
    layout->addWidget(m_plot, 1);
    m_summary->setWordWrap(true);
    m_summary->setTextFormat(Qt::PlainText);
    layout->addWidget(m_summary);
    setContent(content);

    connect(m_plot, &QCustomPlot::mouseMove, this, [this](QMouseEvent* event) { readOut(event->pos()); });
    connect(m_energy, &QComboBox::currentIndexChanged, this, &FrequenciesView::refresh);
    connect(&m_selection, &Selection::changed, this, &FrequenciesView::refresh);
    connect(&m_models, &OpenModels::headChanged, this, &FrequenciesView::refresh);
    connect(&m_models, &OpenModels::modelsChanged, this, &FrequenciesView::refresh);
    restyle();
}

void FrequenciesView::setEnergy(Energy energy) {
    m_energy->setCurrentIndex(static_cast<int>(energy));
}

std::vector<QPointF> FrequenciesView::drawnEnergy(HeadRef head, int axis) const {
    const HeadReport* report = m_models.head(head);
    if (report == nullptr || !report->problem.empty()) return {};
    return curve(*report, m_energy->currentIndex() == 0 ? report->energy.weights : report->energy.map, axis);
}

/// Map only has a flat ladder as its reference: every plane the same share.
std::vector<QPointF> FrequenciesView::drawnReference(HeadRef head, int axis) const {
    const HeadReport* report = m_models.head(head);
    if (report == nullptr || !report->problem.empty()) return {};
    if (m_energy->currentIndex() == 0) return curve(*report, report->energy.reference, axis);
    const std::size_t planes = report->planeAxis.size();
    return curve(*report, std::vector<double>(planes, 1.0 / static_cast<double>(std::max<std::size_t>(1, planes))),
                 axis);
}

std::vector<int> FrequenciesView::axesShown() const {
    std::vector<int> axes;
    for (HeadRef head : m_selection.shown()) {
        const HeadReport* report = m_models.head(head);
        if (report == nullptr || !report->problem.empty()) continue;
        for (std::size_t p = 0; p < report->planeAxis.size(); ++p) {
            const int axis = static_cast<int>(report->planeAxis[p]);
            if (omegaOf(report->energy, p, report->planeAxis.size()) > 0) axes.push_back(axis);
        }
    }
    std::sort(axes.begin(), axes.end());
    axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
    return axes;
}

void FrequenciesView::buildPanels(const std::vector<int>& axes) {
    m_plot->clearPlottables();
    m_plot->clearItems();
    m_plot->plotLayout()->clear();
    m_panels.clear();
    auto* margins = new QCPMarginGroup(m_plot);
    for (std::size_t i = 0; i < axes.size(); ++i) {
        auto* panel = new QCPAxisRect(m_plot);
        panel->setMarginGroup(QCP::msTop | QCP::msBottom, margins);
        m_plot->plotLayout()->addElement(0, static_cast<int>(i), panel);
        QCPAxis* x = panel->axis(QCPAxis::atBottom);
        x->setScaleType(QCPAxis::stLogarithmic);
        x->setTicker(QSharedPointer<QCPAxisTickerLog>(new QCPAxisTickerLog));
        x->setNumberFormat(QStringLiteral("g"));
        x->setLabel(tr("Wavelength along %1 (tokens)").arg(axisName(axes[i])));
        panel->axis(QCPAxis::atLeft)->setLabel(i == 0 ? tr("Energy (share of all planes)") : QString());
        for (QCPAxis* axis : panel->axes()) {
            axis->setLayer(QStringLiteral("axes"));
            axis->grid()->setLayer(QStringLiteral("grid"));
        }
        m_panels[axes[i]] = panel;
    }
    stylePlot(*m_plot, looksOf(palette(), font()));
}

void FrequenciesView::refresh() {
    if (keepsOldContent()) return;
    const std::vector<int> axes = axesShown();
    showEmpty(axes.empty());
    buildPanels(axes);
    double shortest = INFINITY, longest = 0, highest = 0;
    const auto widen = [&](const std::vector<QPointF>& points) {
        for (QPointF point : points) {
            shortest = std::min(shortest, point.x());
            longest = std::max(longest, point.x());
            highest = std::max(highest, point.y());
        }
    };
    for (int axis : axes) {
        addReference(axis);
        widen(drawnReference(m_selection.current(), axis));
        for (HeadRef head : m_selection.shown()) {
            widen(drawnEnergy(head, axis));
            addHead(head, axis);
        }
    }
    for (const auto& [axis, panel] : m_panels) {
        panel->axis(QCPAxis::atBottom)->setRange(shortest / 1.3, longest * 1.3);
        panel->axis(QCPAxis::atLeft)->setRange(0, highest > 0 ? 1.1 * highest : 1);
        addGridMark(axis, panel);
    }
    m_summary->setText(summary(m_selection.current()));
    if (isVisible()) m_plot->replot(QCustomPlot::rpQueuedReplot);  // a hidden one is drawn when it is shown
}

QCPGraph* FrequenciesView::addCurve(int axis, const std::vector<QPointF>& points) {
    QCPAxisRect* panel = m_panels.at(axis);
    QCPGraph* graph = m_plot->addGraph(panel->axis(QCPAxis::atBottom), panel->axis(QCPAxis::atLeft));
    for (QPointF point : points) graph->addData(point.x(), point.y());
    return graph;
}

/// Grey outline of the current head: one reference keeps the figure readable.
void FrequenciesView::addReference(int axis) {
    const Looks looks = looksOf(palette(), font());
    QCPGraph* reference = addCurve(axis, drawnReference(m_selection.current(), axis));
    QColor fill = looks.muted;
    fill.setAlpha(30);
    reference->setPen(QPen(looks.reference, 1.5));
    reference->setBrush(fill);
}

void FrequenciesView::addHead(HeadRef head, int axis) {
    const bool current = head == m_selection.current();
    const int colour = m_selection.colourIndex(head);
    QCPGraph* graph = addCurve(axis, drawnEnergy(head, axis));
    graph->setPen(headPen(colour, current ? 2.2 : 1.5));
    graph->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssDisc, headColour(colour), headColour(colour), 5));
}

void FrequenciesView::addGridMark(int axis, QCPAxisRect* panel) {
    const OpenModel* model = m_models.find(m_selection.current().model);
    if (model == nullptr) return;
    const int side = axis == 1 ? model->card.grid.cols : model->card.grid.rows;
    if (side <= 0) return;
    const Looks looks = looksOf(palette(), font());
    auto* mark = new QCPItemLine(m_plot);
    auto* label = new QCPItemText(m_plot);
    for (QCPItemPosition* position : {mark->start, mark->end, label->position}) {
        position->setAxes(panel->axis(QCPAxis::atBottom), panel->axis(QCPAxis::atLeft));
        position->setAxisRect(panel);
        position->setTypeY(QCPItemPosition::ptAxisRectRatio);
    }
    mark->setClipAxisRect(panel);
    mark->start->setCoords(side, 0);
    mark->end->setCoords(side, 1);
    mark->setPen(QPen(looks.reference, 1, Qt::DashLine));
    label->setClipAxisRect(panel);
    label->position->setCoords(side, 0.01);
    label->setPositionAlignment(Qt::AlignLeft | Qt::AlignTop);
    label->setPadding(QMargins(6, 0, 0, 0));
    label->setText(tr("grid, %1 tokens").arg(side));
    label->setFont(looks.font);
    label->setColor(looks.muted);
}

QString FrequenciesView::summary(HeadRef head) const {
    const HeadReport* report = m_models.head(head);
    if (report == nullptr || !report->problem.empty()) return {};
    const FrequencyEnergy& energy = report->energy;
    QStringList parts;
    if (m_energy->currentIndex() == 1) {
        parts << tr("shift from a flat ladder %1 (1-Wasserstein over ln |\u03c9|)")
                     .arg(shortNumber(energy.wassersteinMap));
    } else {
        parts << tr("shift from B = I %1 (1-Wasserstein over ln |\u03c9|)").arg(shortNumber(energy.wasserstein))
              << tr("mean ln |\u03c9| %1 \u00b1 %2")
                     .arg(shortNumber(energy.meanLogOmega), shortNumber(energy.stdLogOmega));
        for (std::size_t a = 0; a < energy.axisShare.size(); ++a) {
            parts << axisName(static_cast<int>(a)) + QLatin1Char(' ') + percent(energy.axisShare[a]);
        }
        parts << tr("still %1").arg(percent(energy.stillShare))
              << tr("longer than 4 \u00d7 grid %1").arg(percent(energy.longWaveShare));
    }
    return m_models.headName(head) + QStringLiteral(":  ") + parts.join(QStringLiteral("  \u00b7  ")) +
           tr("  \u00b7  grey: the same head with B = I");
}

void FrequenciesView::readOut(QPoint position) {
    for (const auto& [axis, panel] : m_panels) {
        if (!panel->rect().contains(position)) continue;
        const double wavelength = panel->axis(QCPAxis::atBottom)->pixelToCoord(position.x());
        QStringList parts;
        double nearest = 0;
        for (HeadRef head : m_selection.shown()) {
            const std::vector<QPointF> points = drawnEnergy(head, axis);
            if (points.empty()) continue;
            const auto distance = [&](QPointF p) { return std::abs(std::log(p.x() / wavelength)); };
            const QPointF point = *std::min_element(points.begin(), points.end(),
                                                    [&](QPointF a, QPointF b) { return distance(a) < distance(b); });
            nearest = point.x();
            parts << m_models.headName(head) + QLatin1Char(' ') + shortNumber(point.y());
        }
        const QString text = parts.isEmpty()
                                 ? QString()
                                 : tr("wavelength %1 tokens along %2: ").arg(shortNumber(nearest), axisName(axis)) +
                                       parts.join(QStringLiteral(", "));
        m_plot->setToolTip(text);
        emit hovered(text);
    }
}

QString FrequenciesView::numbers(QChar separator) const {
    QString text = QStringLiteral("head") + separator + QStringLiteral("axis") + separator +
                   QStringLiteral("wavelength_tokens") + separator + QStringLiteral("energy_share") + separator +
                   QStringLiteral("reference_share\n");
    for (HeadRef head : m_selection.shown()) {
        for (int axis : axesShown()) {
            const std::vector<QPointF> energy = drawnEnergy(head, axis), reference = drawnReference(head, axis);
            for (std::size_t i = 0; i < energy.size(); ++i) {
                text += m_models.headName(head) + separator + axisName(axis) + separator +
                        QString::number(energy[i].x(), 'g', 10) + separator + QString::number(energy[i].y(), 'g', 10) +
                        separator + (i < reference.size() ? QString::number(reference[i].y(), 'g', 10) : QString()) +
                        QLatin1Char('\n');
            }
        }
    }
    return text;
}

void FrequenciesView::drawFigure(QCPPainter& painter, QSize size) const {
    const Looks paper = paperLooks(font());
    const qreal used = m_chips->draw(painter, QRectF(8, 8, size.width() - 16, 0), paper) + 16;
    painter.save();
    painter.translate(0, used);
    drawOnPaper(*m_plot, painter, QSize(size.width(), size.height() - static_cast<int>(used)),
                looksOf(palette(), font()));
    painter.restore();
}

void FrequenciesView::restyle() {
    refresh();
}

}  // namespace ropescope
