// SPDX-License-Identifier: GPL-3.0-or-later
// The panels of the Frequencies view and what is drawn into them.
#include <qcustomplot.h>

#include <algorithm>
#include <cmath>

#include "widgets/frame/key_line.h"
#include "widgets/frame/plot_layout.h"
#include "widgets/frame/plot_style.h"
#include "widgets/frequencies/frequencies_view.h"

namespace ropescope {
namespace {

constexpr double kStanding = 2.5;  // standing names may take this part of the height, or there are none

}  // namespace

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
            setTitle(*x, tr("Waves along columns"), {tr("Columns")});
            setTitle(*panel->axis(QCPAxis::atLeft), tr("Waves along rows"), {tr("Rows")});
        } else {
            x->setScaleType(QCPAxis::stLogarithmic);
            x->setTicker(QSharedPointer<QCPAxisTickerLog>(new QCPAxisTickerLog));
            x->setNumberFormat(QStringLiteral("g"));
            setTitle(*x, wavelengthTitles(axis).first());
            setTitle(*panel->axis(QCPAxis::atLeft), place == 0 ? tr("Energy (share of all planes)") : QString(),
                     {place == 0 ? tr("Energy") : QString()});
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
    m_polar.fill(plot(), *found->second, heads, side, looksOf(palette(), font()));
}

/// Grey bars: planes that never turn carry content alone. The current head's reference is an outline.
void FrequenciesView::fillStill() {
    if (m_still == nullptr) return;
    const Looks looks = looksOf(palette(), font());
    QCPAxis* x = m_still->axis(QCPAxis::atBottom);
    QCPAxis* y = m_still->axis(QCPAxis::atLeft);
    m_stillNames.clear();
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
        m_stillNames << m_models.shortHeadName(head);
        ++place;
    }
    x->setRange(-0.8, place - 0.2);
    setTitle(*x, tr("Still planes"), {tr("Still")});
    y->setRange(0, 1);
    setTitle(*y, m_panels.empty() ? tr("Energy (share of all planes)") : QString());
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
    for (QCPItemPosition* position : {mark->start, mark->end}) {
        position->setAxes(panel->axis(QCPAxis::atBottom), panel->axis(QCPAxis::atLeft));
        position->setAxisRect(panel);
        position->setTypeY(QCPItemPosition::ptAxisRectRatio);
    }
    mark->setClipAxisRect(panel);
    mark->start->setCoords(side, 0);
    mark->end->setCoords(side, 1);
    mark->setPen(QPen(looks.reference, 1, Qt::DashLine));
}

void FrequenciesView::showKey() {
    const HeadRef current = m_selection.current();
    const std::vector<HeadRef> shown = m_selection.shown();
    std::vector<KeyEntry> entries;
    const bool curves = m_panels.size() > m_panels.count(kMixedAxis);
    if (curves && shares(current) != nullptr) {
        const auto outline = [](QPainter& painter, const QRectF& place, const Looks& looks) {
            QColor fill = looks.muted;
            fill.setAlpha(30);
            painter.fillRect(place, fill);
            painter.setPen(QPen(looks.reference, 1.5));
            painter.drawLine(place.topLeft(), place.topRight());
        };
        const QString name = m_models.headName(current);
        entries.push_back({outline, chosen() == Energy::Data
                                        ? tr("the same data of %1 without its map (B = I)").arg(name)
                                        : tr("%1 without its map (B = I)").arg(name)});
    }
    if (m_panels.count(kMixedAxis) > 0) {
        const auto ring = [](QPainter& painter, const QRectF& place, const Looks& looks) {
            painter.setPen(QPen(looks.reference, 1));
            painter.setBrush(Qt::NoBrush);
            painter.drawEllipse(place.center(), 5, 5);
        };
        entries.push_back({ring, tr("wavelength, shorter outside; area: energy")});
    }
    const OpenModel* model = m_models.find(current.model);
    if (model != nullptr && !m_panels.empty() && model->card.grid.tokens() > 0) {
        const auto dashes = [](QPainter& painter, const QRectF& place, const Looks& looks) {
            painter.setPen(QPen(looks.reference, 1, Qt::DashLine));
            painter.drawLine(QPointF(place.center().x(), place.top()), QPointF(place.center().x(), place.bottom()));
        };
        const Grid grid = model->card.grid;
        entries.push_back({dashes, isFlattened(current)
                                       ? tr("the grid, %1 tokens").arg(grid.tokens())
                                       : tr("the grid, %1 rows \u00d7 %2 columns").arg(grid.rows).arg(grid.cols)});
    }
    if (curves && chosen() == Energy::Data && shares(current) != nullptr) {
        const auto bar = [](QPainter& painter, const QRectF& place, const Looks& looks) {
            painter.setPen(QPen(looks.text, 1));
            painter.drawLine(QPointF(place.center().x(), place.top()), QPointF(place.center().x(), place.bottom()));
            for (const qreal y : {place.top(), place.bottom()})
                painter.drawLine(QPointF(place.center().x() - 4, y), QPointF(place.center().x() + 4, y));
        };
        entries.push_back({bar, tr("one standard error")});
    }
    if (const QString letters = m_models.modelLetters(shown); m_still != nullptr && !letters.isEmpty())
        entries.push_back({{}, letters});
    for (HeadRef head : shown)
        if (const QString why = missingReason(head); !why.isEmpty())
            entries.push_back({{}, tr("%1 is not drawn: %2").arg(m_models.headName(head), why)});
    key().setEntries(std::move(entries));
}

/// Names lie where they have the room, stand where they have not, and some are left out where that is not enough.
void FrequenciesView::fitStill() const {
    QCPAxis* x = m_still->axis(QCPAxis::atBottom);
    const QFontMetricsF metrics(x->tickLabelFont());
    double widest = 0;
    for (const QString& name : m_stillNames) widest = std::max(widest, metrics.horizontalAdvance(name));
    const double slot = m_still->width() / std::max(1.0, x->range().size());
    const bool lying = widest + 6 <= slot;
    const int step = lying ? 1 : std::max(1, static_cast<int>(std::ceil((metrics.height() + 2) / std::max(1.0, slot))));
    const QSharedPointer<QCPAxisTickerText> names(new QCPAxisTickerText);
    for (int i = 0; i < m_stillNames.size(); i += step) names->addTick(i, m_stillNames[i]);
    x->setTicker(names);
    x->setTickLabelRotation(lying ? 0 : -90);
    x->setTickLabels(lying || kStanding * widest < x->parentPlot()->viewport().height());
}

QStringList FrequenciesView::wavelengthTitles(int axis) const {
    const QString name = axisName(axis);
    return {tr("Wavelength along %1 (tokens)").arg(name), tr("Wavelength, %1 (tokens)").arg(name),
            tr("\u03bb, %1 (tokens)").arg(name)};
}

/// All panels say it alike, in the longest words that have room in every one.
void FrequenciesView::fitPlot() const {
    for (int level = 0; level < 3; ++level) {
        bool fits = true;
        for (const auto& [axis, panel] : m_panels)
            if (axis != kMixedAxis) setTitle(*panel->axis(QCPAxis::atBottom), wavelengthTitles(axis).at(level));
        CurveView::fit();
        for (const auto& [axis, panel] : m_panels) fits = fits && !panel->axis(QCPAxis::atBottom)->label().isEmpty();
        if (fits) return;
    }
}

void FrequenciesView::fit() const {
    if (m_still != nullptr) {
        layOut(*m_still->parentPlot());
        fitStill();
    }
    fitPlot();
    if (const auto mixed = m_panels.find(kMixedAxis); mixed != m_panels.end()) m_polar.fit(*mixed->second);
}

}  // namespace ropescope
