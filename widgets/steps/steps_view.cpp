// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/steps/steps_view.h"

#include <qcustomplot.h>

#include <QMouseEvent>
#include <algorithm>
#include <cmath>
#include <utility>

#include "widgets/frame/key_line.h"
#include "widgets/frame/number_table.h"
#include "widgets/frame/plot_layout.h"
#include "widgets/frame/plot_style.h"
#include "widgets/frame/run_text.h"
#include "widgets/state/command_lines.h"
#include "widgets/state/runs.h"

namespace ropescope {
namespace {

/// What each panel draws, in the order of the panels.
constexpr double StepPoint::*kValues[] = {&StepPoint::entropy, &StepPoint::distance};

constexpr double kPanelShape = 1.6;  ///< width over height that a panel should come near to

QPen markerPen(const Looks& looks) {
    return {looks.accent, 1.5};
}

bool readsText(const Run& run) {
    return std::ranges::any_of(run.fields, [](const StepFields& step) {
        return std::ranges::any_of(step.heads, [](const HeadField& field) { return field.shares.text > 0; });
    });
}

/// All steps of the picture, also those that are still to come.
int stepsOf(const Run& run) {
    return std::max(run.fields.empty() ? run.asked.steps : run.fields.back().steps, run.steps());
}

}  // namespace

StepsView::StepsView(OpenModels& models, Selection& selection, Runs& runs, QWidget* parent)
    : CurveView(models, selection, tr("Steps"), parent), m_runs(runs), m_margins(new QCPMarginGroup(&plot())) {
    setEmptyText(purpose(), tr("Open a model ..."));
    setHelp(
        tr("Entropy: mean over the queries of the picture of \u2212\u03a3 \u03b1 ln \u03b1 over all keys, text "
           "and class tokens too: 0 where every query looks at one key, ln of the number of keys where it looks at "
           "all alike. Mean distance: from a query to the picture tokens it looks at, in tokens, weighted by "
           "attention; what goes to text and class tokens is left out. Both are means over the pictures made at "
           "once."));
    plot().setAccessibleName(tr("Entropy and mean distance by sampling step"));
    plot().plotLayout()->clear();
    addPanel(0, tr("Entropy (nats)"), tr("Entropy"));
    addPanel(1, tr("Mean distance (tokens)"), tr("Distance"));
    connect(&plot(), &QCustomPlot::mousePress, this, [this](QMouseEvent* event) { goTo(*event); });
    connect(&plot(), &QCustomPlot::mouseMove, this, [this](QMouseEvent* event) { goTo(*event); });
    connect(&m_runs, &Runs::selected, this, &StepsView::refresh);
    connect(&m_runs, &Runs::changed, this, [this](int run) {
        if (m_runs.current() != nullptr && run == m_runs.current()->key) refresh();
    });
    connect(&m_runs, &Runs::stepChanged, this, [this] {
        moveMarkers();
        replot();
    });
}

QString StepsView::purpose() {
    return tr(
        "Entropy and mean distance of the selected heads' measured attention, over the sampling steps of the "
        "selected picture. A click moves the step that Fields and the preview show. Select a head.");
}

void StepsView::addPanel(int index, const QString& title, const QString& shortly) {
    auto* panel = new QCPAxisRect(&plot());
    plot().plotLayout()->addElement(0, index, panel);
    for (QCPAxis* axis : panel->axes()) {
        axis->setLayer(QStringLiteral("axes"));
        axis->grid()->setLayer(QStringLiteral("grid"));
    }
    const QSharedPointer<QCPAxisTickerFixed> whole(new QCPAxisTickerFixed);
    whole->setTickStep(1);
    whole->setScaleStrategy(QCPAxisTickerFixed::ssMultiples);
    QCPAxis* x = panel->axis(QCPAxis::atBottom);
    x->setTicker(whole);
    x->setSubTicks(false);
    QCPAxis* y = panel->axis(QCPAxis::atLeft);
    y->setNumberFormat(QStringLiteral("g"));
    y->setNumberPrecision(4);
    setTitle(*x, tr("Sampling step"), {tr("Step")});
    setTitle(*y, title, {shortly});
    panel->setMarginGroup(QCP::msTop | QCP::msBottom, m_margins);
    m_panels[static_cast<std::size_t>(index)] = panel;
}

/// Both panels are as wide as they can be at a shape that shows a curve.
void StepsView::fit() const {
    const QSize room = plot().viewport().size();
    arrange(room.width() < kPanelShape * room.height());
    CurveView::fit();
}

void StepsView::arrange(bool stacked) const {
    QCPLayoutGrid& grid = *plot().plotLayout();
    if ((grid.rowCount() == kPanels) == stacked) return;
    grid.take(m_panels[1]);
    grid.simplify();
    grid.addElement(stacked ? 1 : 0, stacked ? 0 : 1, m_panels[1]);
    for (QCPAxisRect* panel : m_panels) {
        panel->setMarginGroup(QCP::msAll, nullptr);
        panel->setMarginGroup(stacked ? QCP::msLeft | QCP::msRight : QCP::msTop | QCP::msBottom, m_margins);
    }
}

/// Heads that are marked have no series, as in Fields.
void StepsView::measure() {
    const Run* run = m_runs.current();
    const std::map<HeadRef, std::vector<StepPoint>> before = std::exchange(m_series, {});
    const int key = run == nullptr ? -1 : run->key;
    const bool same = std::exchange(m_run, key) == key;
    if (run == nullptr || run->isClassified()) return;
    for (HeadRef head : m_selection.shown()) {
        const HeadReport* report = m_models.head(head);
        if (head.model != run->model || (report != nullptr && !report->problem.empty())) continue;
        const auto known = before.find(head);
        std::vector<StepPoint> series =
            stepSeries(run->fields, head.id, same && known != before.end() ? known->second : std::vector<StepPoint>{});
        if (!series.empty()) m_series[head] = std::move(series);
    }
}

void StepsView::refresh() {
    if (!isVisible()) {
        m_run = -1;  // measured when it is shown: nobody waits for what nobody sees
        return;
    }
    measure();
    plot().clearPlottables();
    plot().clearItems();
    m_markers = {};
    const OpenModel* model = m_models.find(m_selection.current().model);
    setEmptyText(purpose(), model == nullptr ? tr("Open a model ...") : tr("Make a picture"));
    showEmpty(m_series.empty());
    const Run* run = m_runs.current();
    setCommandLine(m_series.empty() ? QString() : fieldLine(*run));
    if (m_series.empty()) return key().setEntries({});
    for (int panel = 0; panel < kPanels; ++panel) drawPanel(panel);
    moveMarkers();
    showKey(*run);
    replot();
}

void StepsView::drawPanel(int index) {
    QCPAxisRect* panel = m_panels[static_cast<std::size_t>(index)];
    QCPAxis* x = panel->axis(QCPAxis::atBottom);
    QCPAxis* y = panel->axis(QCPAxis::atLeft);
    double low = INFINITY, high = -INFINITY;
    for (const auto& [head, series] : m_series) {
        const int colour = m_selection.colourIndex(head);
        QCPGraph* graph = plot().addGraph(x, y);
        for (const StepPoint& point : series) {
            const double value = point.*kValues[index];
            graph->addData(point.step + 1, value);
            if (std::isfinite(value)) low = std::min(low, value), high = std::max(high, value);
        }
        graph->setPen(headPen(colour, head == m_selection.current() ? 2.2 : 1.5));
        graph->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssDisc, headColour(colour), headColour(colour), 4));
    }
    auto* marker = new QCPItemLine(&plot());
    for (QCPItemPosition* position : {marker->start, marker->end}) {
        position->setAxes(x, y);
        position->setAxisRect(panel);
        position->setTypeY(QCPItemPosition::ptAxisRectRatio);
    }
    marker->setClipAxisRect(panel);
    marker->setPen(markerPen(looksOf(palette(), font())));
    marker->setLayer(QStringLiteral("grid"));
    m_markers[static_cast<std::size_t>(index)] = marker;
    x->setRange(0.5, stepsOf(*m_runs.current()) + 0.5);
    if (low > high) low = high = 0;
    const double room = std::max(0.02, 0.06 * (high - low));
    y->setRange(low - room, high + room);
}

void StepsView::moveMarkers() {
    for (QCPItemLine* marker : m_markers) {
        if (marker == nullptr) continue;
        marker->start->setCoords(m_runs.step() + 1, 0);
        marker->end->setCoords(m_runs.step() + 1, 1);
    }
}

void StepsView::showKey(const Run& run) {
    const auto upright = [](QPainter& painter, const QRectF& place, const Looks& looks) {
        painter.setPen(markerPen(looks));
        painter.drawLine(QPointF(place.center().x(), place.top()), QPointF(place.center().x(), place.bottom()));
    };
    std::vector<KeyEntry> entries{{upright, tr("the step shown; a click moves it")}};
    entries.push_back({{},
                       run.pictures > 1 ? tr("mean over the queries of %1 pictures").arg(run.pictures)
                                        : tr("mean over the picture's queries")});
    if (readsText(run)) entries.push_back({{}, tr("entropy over picture and text, distance over the picture alone")});
    const std::vector<HeadRef> shown = m_selection.shown();
    if (std::ranges::any_of(shown, [&](HeadRef head) { return head.model != run.model; }))
        entries.push_back({{}, tr("the picture is of %1: other models have no lines").arg(run.modelName)});
    for (HeadRef head : shown) {
        if (head.model != run.model || m_series.contains(head)) continue;
        const HeadReport* report = m_models.head(head);
        const QString why = report == nullptr || report->problem.empty() ? tr("not measured in this picture")
                                                                         : QString::fromStdString(report->problem);
        entries.push_back({{}, tr("%1 is not drawn: %2").arg(m_models.headName(head), why)});
    }
    key().setEntries(std::move(entries));
}

int StepsView::panelAt(QPoint position) const {
    for (int panel = 0; panel < kPanels; ++panel)
        if (m_panels[static_cast<std::size_t>(panel)]->rect().contains(position)) return panel;
    return -1;
}

int StepsView::stepAt(int panel, QPoint position) const {
    const QCPAxis* x = m_panels[static_cast<std::size_t>(panel)]->axis(QCPAxis::atBottom);
    return static_cast<int>(std::lround(x->pixelToCoord(position.x()))) - 1;
}

QPoint StepsView::placeOf(int panel, int step) const {
    const QCPAxisRect* rect = m_panels[static_cast<std::size_t>(panel)];
    const double x = rect->axis(QCPAxis::atBottom)->coordToPixel(step + 1);
    return {static_cast<int>(std::lround(x)), rect->rect().center().y()};
}

void StepsView::goTo(const QMouseEvent& event) {
    const int panel = panelAt(event.pos());
    if (panel >= 0 && event.buttons().testFlag(Qt::LeftButton)) m_runs.setStep(stepAt(panel, event.pos()));
}

QString StepsView::readOut(QPoint position) const {
    const int panel = panelAt(position);
    if (panel < 0 || m_series.empty() || m_runs.current() == nullptr) return {};
    const int step = stepAt(panel, position);
    QStringList parts;
    for (const auto& [head, series] : m_series)
        if (const StepPoint* point = pointAt(series, step))
            parts << m_models.headName(head) + QLatin1Char(' ') + shortNumber(point->*kValues[panel]);
    if (parts.isEmpty()) return {};
    const QString what = panel == 0 ? tr("entropy (nats)") : tr("mean distance (tokens)");
    return tr("%1, %2: ").arg(stepText(*m_runs.current(), step), what) + parts.join(QStringLiteral(", "));
}

/// Why the selected picture gives no line to any shown head.
QString StepsView::whyEmpty(const Run& run) const {
    const std::vector<HeadRef> shown = m_selection.shown();
    if (run.model >= 0 && std::ranges::count(shown, run.model, &HeadRef::model) == 0)
        return tr("The selected picture is of %1: select heads of that model, or a picture of this one.")
            .arg(run.modelName);
    if (run.isClassified())
        return tr("The selected picture went through %1 in one pass: there are no sampling steps to follow.")
            .arg(run.modelName);
    if (!run.fields.empty())
        return View::emptyReason(tr("No fields of the selected heads were measured for the selected picture."));
    const bool running = run.state == Run::State::Running;
    if (running && run.asked.record != RecordFields::None)
        return tr("The lines begin with the first step of the picture that is being made.");
    return running || run.steps() > 0
               ? tr("No fields are measured for the selected picture: there is nothing to draw over its steps.")
               : tr("The fields of this picture are gone: \"Make again\" below brings them back.");
}

QString StepsView::emptyReason(const QString& otherwise) const {
    if (m_selection.shown().empty()) return View::emptyReason(otherwise);
    if (const Run* run = m_runs.current()) return whyEmpty(*run);
    const OpenModel* model = m_models.find(m_selection.current().model);
    return model != nullptr && !model->makesPictures()
               ? tr("%1 takes no sampling steps: there is nothing to follow over them.").arg(model->name())
               : tr("No picture is selected: make one, or click one in the gallery. The lines grow while it is made.");
}

bool StepsView::offersAction() const {
    if (View::offersAction()) return true;
    const OpenModel* model = m_models.find(m_selection.current().model);
    return m_runs.current() == nullptr && model != nullptr && model->makesPictures();
}

std::vector<StepPoint> StepsView::drawnSeries(HeadRef head) const {
    const auto found = m_series.find(head);
    return found == m_series.end() ? std::vector<StepPoint>{} : found->second;
}

double StepsView::drawnMarker() const {
    return m_markers[0] == nullptr ? 0 : m_markers[0]->start->coords().x();
}

void StepsView::writeNumbers(NumberTable& table) const {
    for (const char* title : {"model", "head", "step", "time", "entropy_nats", "distance_tokens"})
        table.label(QLatin1String(title));
    table.endRow();
    for (const auto& [head, series] : m_series) {
        const OpenModel* model = m_models.find(head.model);
        for (const StepPoint& point : series) {
            table.label(model == nullptr ? QString() : model->name()).label(QString::fromStdString(head.id.name()));
            table.label(point.step + 1).label(QString::number(point.time, 'g', 10));
            table.number(point.entropy).number(point.distance).endRow();
        }
    }
}

void StepsView::restyle() {
    stylePlot(plot(), looksOf(palette(), font()));
    refresh();
}

}  // namespace ropescope
