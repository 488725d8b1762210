// SPDX-License-Identifier: GPL-3.0-or-later
// The panels of the Frequencies view and what is drawn into them.
#include <qcustomplot.h>

#include <algorithm>
#include <cmath>

#include "widgets/frequencies_view.h"
#include "widgets/plot_layout.h"
#include "widgets/plot_style.h"

namespace ropescope {

QCPAxisRect* FrequenciesView::addPanel(int place) {
    auto* panel = new QCPAxisRect(&plot());
    plot().plotLayout()->addElement(0, place, panel);
    for (QCPAxis* axis : panel->axes()) {
        axis->setLayer(QStringLiteral("axes"));
        axis->grid()->setLayer(QStringLiteral("grid"));
    }
    return panel;
}

void FrequenciesView::buildPanels(const std::vector<int>& axes) {
    plot().clearPlottables();
    plot().clearItems();
    plot().plotLayout()->clear();
    m_panels.clear();
    m_still = nullptr;
    auto* margins = new QCPMarginGroup(&plot());
    int place = 0;
    for (int axis : axes) {
        QCPAxisRect* panel = addPanel(place);
        panel->setMarginGroup(QCP::msTop | QCP::msBottom, margins);
        m_panels[axis] = panel;
        QCPAxis* x = panel->axis(QCPAxis::atBottom);
        if (axis == kMixedAxis) {
            x->setLabel(tr("Wave direction along columns; rings: wavelength"));
            panel->axis(QCPAxis::atLeft)->setLabel(tr("Wave direction along rows"));
        } else {
            x->setScaleType(QCPAxis::stLogarithmic);
            x->setTicker(QSharedPointer<QCPAxisTickerLog>(new QCPAxisTickerLog));
            x->setNumberFormat(QStringLiteral("g"));
            x->setLabel(tr("Wavelength along %1 (tokens)").arg(axisName(axis)));
            panel->axis(QCPAxis::atLeft)->setLabel(place == 0 ? tr("Energy (share of all planes)") : QString());
        }
        ++place;
    }
    const std::vector<HeadRef> shown = m_selection.shown();
    if (std::any_of(shown.begin(), shown.end(), [&](HeadRef head) { return drawnStill(head) > 0; })) {
        m_still = addPanel(place);
        m_still->setMarginGroup(QCP::msTop | QCP::msBottom, margins);
        plot().plotLayout()->setColumnStretchFactor(place, axes.empty() ? 1 : 0.25);
    }
    stylePlot(plot(), looksOf(palette(), font()));
}

void FrequenciesView::fillPolar() {
    m_polarHeads.clear();
    const auto found = m_panels.find(kMixedAxis);
    if (found == m_panels.end()) return;
    std::vector<PolarHead> heads;
    for (HeadRef head : m_selection.shown()) {
        PolarHead polar{drawnVectors(head), {}, m_selection.colourIndex(head)};
        if (polar.omega.empty()) continue;
        const HeadReport& report = *m_models.head(head);
        for (std::size_t p = 0; p < report.planeAxis.size(); ++p) {
            const QPointF omega(report.energy.frequency[2 * p + 1], report.energy.frequency[2 * p]);
            if (static_cast<int>(report.planeAxis[p]) != kMixedAxis || omega.isNull()) continue;
            polar.share.push_back(p < shares(head)->size() ? (*shares(head))[p] : 0);
        }
        heads.push_back(std::move(polar));
        m_polarHeads.push_back(head);
    }
    const OpenModel* model = m_models.find(m_selection.current().model);
    const int side = model == nullptr ? 0 : std::max(model->card.grid.rows, model->card.grid.cols);
    layOut(plot());  // rings need the panel's shape
    m_polar.fill(plot(), *found->second, heads, side, looksOf(palette(), font()));
}

/// Grey bars: planes that never turn carry content alone. The current head's reference is an outline.
void FrequenciesView::fillStill() {
    if (m_still == nullptr) return;
    const Looks looks = looksOf(palette(), font());
    QCPAxis* x = m_still->axis(QCPAxis::atBottom);
    QCPAxis* y = m_still->axis(QCPAxis::atLeft);
    const QSharedPointer<QCPAxisTickerText> names(new QCPAxisTickerText);
    int place = 0;
    for (HeadRef head : m_selection.shown()) {
        if (shares(head) == nullptr) continue;
        auto* bar = new QCPBars(x, y);
        bar->setData({static_cast<double>(place)}, {drawnStill(head)}, true);
        bar->setWidth(0.6);
        QColor fill = looks.muted;
        fill.setAlpha(110);
        bar->setBrush(fill);
        bar->setPen(headPen(m_selection.colourIndex(head), 2));
        names->addTick(place++, QString::fromStdString(head.id.name()));
    }
    x->setTicker(names);
    x->setTickLabelRotation(place > 2 ? -90 : 0);
    x->setRange(-0.8, place - 0.2);
    x->setLabel(tr("Still planes"));
    y->setRange(0, 1);
    if (m_panels.empty()) y->setLabel(tr("Energy (share of all planes)"));
}

QCPGraph* FrequenciesView::addCurve(int axis, const std::vector<QPointF>& points) {
    QCPAxisRect* panel = m_panels.at(axis);
    QCPGraph* graph = plot().addGraph(panel->axis(QCPAxis::atBottom), panel->axis(QCPAxis::atLeft));
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
    addErrors(graph, head, axis);
}

void FrequenciesView::addErrors(QCPGraph* graph, HeadRef head, int axis) {
    const std::vector<double> errors = drawnError(head, axis);
    if (errors.empty()) return;
    QCPAxisRect* panel = m_panels.at(axis);
    auto* bars = new QCPErrorBars(panel->axis(QCPAxis::atBottom), panel->axis(QCPAxis::atLeft));
    bars->setDataPlottable(graph);
    bars->setErrorType(QCPErrorBars::etValueError);
    bars->setData(QVector<double>(errors.begin(), errors.end()));
    bars->setPen(QPen(headColour(m_selection.colourIndex(head)), 1));
}

void FrequenciesView::addGridMark(int axis, QCPAxisRect* panel) {
    const OpenModel* model = m_models.find(m_selection.current().model);
    if (model == nullptr) return;
    const int side = isFlattened(m_selection.current()) ? model->card.grid.tokens()
                     : axis == 1                        ? model->card.grid.cols
                                                        : model->card.grid.rows;
    if (side <= 0) return;
    const Looks looks = looksOf(palette(), font());
    auto* mark = new QCPItemLine(&plot());
    auto* label = new QCPItemText(&plot());
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

}  // namespace ropescope
