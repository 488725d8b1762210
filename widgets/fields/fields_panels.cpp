// SPDX-License-Identifier: GPL-3.0-or-later
// What the panels of the Fields view hold and on which scales.
#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QSignalBlocker>
#include <QSlider>
#include <algorithm>
#include <cmath>

#include "core/data/field.h"
#include "core/data/kernel_series.h"
#include "widgets/fields/fields_canvas.h"
#include "widgets/fields/fields_view.h"
#include "widgets/frame/run_text.h"
#include "widgets/state/change_text.h"
#include "widgets/state/runs.h"

namespace ropescope {
namespace {

constexpr double kLogDecades = 4;  ///< range of a logarithmic scale below its largest value

/// a minus b; nothing where they do not lie on the same grid.
OffsetMap minus(OffsetMap a, const OffsetMap& b) {
    if (a.values.size() != b.values.size() || !(a.grid == b.grid)) return {};
    for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] -= b.values[i];
    return a;
}

}  // namespace

OffsetMap FieldsView::analyticOf(HeadRef head, const HeadReport& report) const {
    OffsetMap map{grid(), {}};
    const auto content = static_cast<Content>(m_content->currentIndex());
    const HeadCalibration* data = m_models.calibration(head);
    if (content == Content::Data && (data == nullptr || !data->problem.empty())) return map;
    const HeadReport* scaled = scaledOf(head);
    const HeadReport& source = scaled == nullptr ? report : *scaled;
    KernelSeries kernel = content == Content::Weights ? source.kernelWeights
                          : content == Content::White ? source.kernelWhite
                                                      : data->kernel;
    SensitivityForm sensitivity = content == Content::Weights ? source.sensitivityWeights
                                  : content == Content::White ? source.sensitivityWhite
                                                              : data->sensitivity;
    if (scaled != nullptr && content == Content::Data) {  // what was measured, turned by the changed frequencies
        kernel.frequency = scaled->kernelWeights.frequency;
        sensitivity.frequency = scaled->sensitivityWeights.frequency;
    }
    if (kernel.a.empty()) return map;  // nothing turns, or norms stand between the weights and the content
    switch (static_cast<Analytic>(m_analytic->currentIndex())) {
        case Analytic::Kernel:
            map.values = evaluateKernel(kernel, map.grid);
            break;
        case Analytic::Softmax:
            map.values = softmaxOfOffsets(evaluateKernel(kernel, map.grid), beta());
            break;
        case Analytic::Sensitivity:
            map.values = evaluateSensitivity(sensitivity, map.grid);
            break;
    }
    return map;
}

/// With the chosen method; while the report for a new grid is on its way, the one of the last grid stands in.
const HeadReport* FieldsView::scaledOf(HeadRef head) const {
    const auto found = m_scaled.find(head);
    if (found == m_scaled.end() || extrapolation() == Extrapolation::None) return nullptr;
    return found->second.method == extrapolation() && found->second.report.problem.empty() ? &found->second.report
                                                                                           : nullptr;
}

const HeadField* FieldsView::fieldOf(HeadRef head) const {
    if (m_runs.current() != nullptr) return m_runs.field(head);
    const HeadCalibration* data = m_models.calibration(head);
    return data == nullptr || data->field.sum.empty() ? nullptr : &data->field;
}

FieldsPanel FieldsView::panelOf(HeadRef head, const HeadReport& report) const {
    FieldsPanel panel;
    panel.head = head;
    panel.name = m_models.headName(head);
    const QString id = QString::fromStdString(head.id.name());
    for (const QString& caption : {panel.name, m_models.shortHeadName(head), id}) {
        if (report.identity) panel.captions << caption + tr("  identity");
        panel.captions << caption;
    }
    panel.problem = QString::fromStdString(report.problem);
    panel.colour = m_selection.colourIndex(head);
    if (!report.problem.empty()) return panel;
    panel.analytic = analyticOf(head, report);
    if (const HeadField* field = fieldOf(head)) {
        const std::vector<float>& values = m_measured->currentIndex() == 0 ? field->mean : field->sum;
        panel.measured = {field->grid, {values.begin(), values.end()}};
        panel.numbers = measureField(field->sum, field->grid);
    }
    return panel;
}

/// Two panels become one: the first minus the second.
void FieldsView::subtract(FieldsFigure& figure) {
    const bool able =
        figure.panels.size() == 2 && figure.panels[0].problem.isEmpty() && figure.panels[1].problem.isEmpty();
    m_difference->setVisible(able);
    m_subtracted = able && m_difference->isChecked();
    if (!m_subtracted) return;
    FieldsPanel one = figure.panels[0];
    const FieldsPanel& other = figure.panels[1];
    one.analytic = minus(one.analytic, other.analytic);
    one.measured = minus(one.measured, other.measured);
    one.name = tr("%1 \u2212 %2").arg(one.name, other.name);
    const QString a = QString::fromStdString(one.head.id.name()), b = QString::fromStdString(other.head.id.name());
    one.captions = {one.name, tr("%1 \u2212 %2").arg(a, b), tr("A \u2212 B")};
    one.numbers.reset();
    figure.panels = {one};
    figure.noField = tr("No difference: both heads need a measured field on the same grid");
}

/// Over all steps of the selected picture, so that one step after the other is drawn on one scale.
double FieldsView::largestField(HeadRef head) const {
    const bool mean = m_measured->currentIndex() == 0;
    const auto largest = [&](const HeadField& field) {
        const std::vector<float>& values = mean ? field.mean : field.sum;
        return values.empty() ? 0.0 : static_cast<double>(*std::max_element(values.begin(), values.end()));
    };
    double all = 0;
    if (const Run* run = m_runs.current(); run != nullptr && run->model == head.model) {
        for (const StepFields& step : run->fields)
            for (const HeadField& field : step.heads)
                if (field.id == head.id) all = std::max(all, largest(field));
        return all;
    }
    const HeadField* field = fieldOf(head);
    return field == nullptr ? 0 : largest(*field);
}

void FieldsView::setScales(FieldsFigure& figure) {
    double analytic = 0, measured = 0;
    for (const FieldsPanel& panel : figure.panels) {
        for (double value : panel.analytic.values) analytic = std::max(analytic, std::abs(value));
        for (double value : panel.measured.values) measured = std::max(measured, std::abs(value));
        if (!m_subtracted) measured = std::max(measured, largestField(panel.head));
    }
    if (!(analytic > 0)) analytic = 1;
    if (!(measured > 0)) measured = 1;
    const bool fixed = m_fixed->isChecked();
    for (auto& [box, high] :
         {std::pair<QDoubleSpinBox*, double&>{m_highAnalytic, analytic}, {m_highMeasured, measured}}) {
        if (fixed) {
            high = box->value();
            continue;
        }
        const QSignalBlocker quiet(box);
        box->setValue(high);
    }
    const bool kernel = m_analytic->currentIndex() == static_cast<int>(Analytic::Kernel);
    const bool log = m_scale->currentIndex() == 1;
    const QString titles[] = {tr("Kernel (share of energy)"), tr("Softmax of kernel (share)"),
                              tr("Sensitivity (share of a logit)")};
    figure.analytic = {kernel ? ColourMap::Diverging : ColourMap::Viridis, kernel ? -analytic : 0, analytic,
                       titles[m_analytic->currentIndex()], false};
    figure.measured = {
        ColourMap::Viridis, log ? measured * std::pow(10.0, -kLogDecades) : 0, measured,
        m_measured->currentIndex() == 0 ? tr("Measured per pair (share)") : tr("Measured by offset (share)"), log};
    if (!m_subtracted) return;
    for (FieldScale* scale : {&figure.analytic, &figure.measured}) {
        scale->map = ColourMap::Diverging;
        scale->low = -scale->high;
        scale->log = false;
        scale->title = tr("Difference: %1").arg(scale->title);
    }
}

/// Which picture and step the measured fields are of; of images where no picture is selected.
QStringList FieldsView::sourceTexts() const {
    const Run* run = m_runs.current();
    if (run == nullptr) {
        for (HeadRef head : m_selection.shown()) {
            if (m_models.calibration(head) == nullptr) continue;
            const int images = m_models.find(head.model)->calibration->images;
            return {tr("Measured: mean over %1 images, no picture is selected").arg(images),
                    tr("Measured: mean over %1 images").arg(images)};
        }
        return {};
    }
    const std::vector<HeadRef> shown = m_selection.shown();
    const bool own = std::any_of(shown.begin(), shown.end(), [run](HeadRef head) { return head.model == run->model; });
    if (run->fields.empty() || !own) return {};
    if (run->isClassified()) return {tr("Measured on %1").arg(run->subject), tr("Measured on the classified image")};
    const OpenModel* model = m_models.find(run->model);
    const QString heads = model == nullptr ? QString() : otherHeadsText(*model, run->asked.model.changes);
    const QString step = stepText(*run, m_runs.step()) + (heads.isEmpty() ? QString() : QStringLiteral(", ") + heads);
    QStringList texts;
    if (run->pictures > 1)
        texts << tr("Measured: mean over %1 pictures, %2").arg(run->pictures).arg(step);
    else
        texts << tr("Measured in %1, %2").arg(runName(*run), step);
    return texts << tr("Measured: %1").arg(step);
}

}  // namespace ropescope
