// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/data_jobs.h"

#include <algorithm>

#include "widgets/compare/compare_view.h"
#include "widgets/generate/generate_view.h"
#include "widgets/measure/measure_bar.h"
#include "widgets/state/command_lines.h"

namespace ropescope {

namespace {

constexpr int kMeasureAllUpTo = 256;  ///< heads of a model that takes text, whose layers have thousands of tokens

int headsOf(const ModelCard& card) {
    return card.layers * card.heads;
}

}  // namespace

DataJobs::DataJobs(EngineClient& engine, OpenModels& models, Selection& selection, const GenerateView& generate,
                   MeasureBar& bar, CompareView& compare, QObject* parent)
    : QObject(parent),
      m_engine(engine),
      m_models(models),
      m_selection(selection),
      m_generate(generate),
      m_bar(bar),
      m_compare(compare) {
    connect(&m_bar, &MeasureBar::measureRequested, this, &DataJobs::measure);
    connect(&m_bar, &MeasureBar::cancelRequested, this, &DataJobs::cancelMeasurement);
    connect(&m_compare, &CompareView::compareRequested, this, &DataJobs::compare);
    connect(&m_compare, &CompareView::cancelRequested, this, [this] { m_engine.cancel(m_compareJob); });
}

void DataJobs::offerMeasurement(int model) {
    const OpenModel* open = m_models.find(model);
    if (!open) return;
    if (m_measureJob == 0) m_model = model;
    const QString name = open->name();
    if (!open->runs()) return m_bar.finish(tr("%1 cannot be measured: %2").arg(name, problemOf(open->card)));
    const bool draws = open->makesPictures();
    if (!draws && open->card.objective != "classify")
        return m_bar.finish(tr("%1 cannot be measured on images: it neither draws nor classifies any.").arg(name));
    if (open->takesText()) {
        CalibrateRequest settings = m_bar.settings();
        settings.steps = m_generate.request().steps, settings.guidance = m_generate.request().guidance;
        m_bar.setSettings(settings);
    }
    const bool some = open->takesText() && headsOf(open->card) > kMeasureAllUpTo;
    m_bar.offer(some ? tr("the shown heads of %1").arg(name) : name, draws);
}

void DataJobs::measure(CalibrateRequest settings) {
    const OpenModel* open = m_models.find(m_model);
    if (!open || m_measureJob != 0) return;
    settings.model = open->ref;
    settings.compute.device = m_device.toStdString();
    if (open->makesPictures()) settings.folder.clear();
    if (open->takesText()) takePrompt(m_model, settings);
    if (open->drawsImages() && !open->card.nullClass) settings.guidance = 1;  // there is nothing to lead away from
    m_bar.showProgress("Measuring: starting", -1);
    m_measureJob = m_engine.request(
        settings, "measure", [this, settings](const Result<Reply>& reply) { finishMeasurement(settings, reply); },
        Watch{.picture = {},
              .share =
                  [this](const ShareProgress& progress) {
                      m_bar.showProgress(QString("Measuring: %1").arg(QString::fromStdString(progress.word)),
                                         progress.done);
                  },
              .atlas = {}});
}

void DataJobs::takePrompt(int model, CalibrateRequest& settings) const {
    const GenerateRequest run = m_generate.request();
    settings.text = run.text, settings.size = run.size;
    settings.text.prompt.clear();
    if (run.text.embeddings.empty()) settings.prompts = {run.text.prompt};
    settings.compute.precision = run.compute.precision;
    const OpenModel* open = m_models.find(model);
    if (headsOf(open->card) <= kMeasureAllUpTo || !settings.heads.empty()) return;
    for (const HeadRef& head : m_selection.shown())
        if (head.model == model) settings.heads.push_back(head.id);
}

void DataJobs::cancelMeasurement() {
    m_engine.cancel(m_measureJob);
}

void DataJobs::finishMeasurement(const CalibrateRequest& request, const Result<Reply>& reply) {
    m_measureJob = 0;
    const OpenModel* open = m_models.find(m_model);
    if (reply && open && open->ref.changes != request.model.changes)
        return m_bar.finish(
            tr("The heads of %1 were changed while it was measured: measure it again.").arg(open->name()));
    if (!reply && reply.error().kind == ErrorKind::Cancelled) return m_bar.finish({});
    if (!reply) return m_bar.fail(reply.error());
    const auto& report = std::get<CalibrationReport>(*reply);
    m_bar.finish(QString("Measured on %1 in %2 s (%3). Frequencies and Fields offer \"data\" now; the head panel and "
                         "the Atlas hold the numbers.")
                     .arg(QString::fromStdString(report.source))
                     .arg(report.seconds, 0, 'f', 1)
                     .arg(QString::fromStdString(report.device)));
    m_models.setCalibration(m_model, report, calibrateLine(request));
    emit measured(m_model);
}

void DataJobs::compare(CompareRequest request) {
    request.measure = m_bar.settings();
    request.measure.compute.device = m_device.toStdString();
    for (const auto& [key, model] : m_models.all()) {
        const bool asked = std::ranges::find(request.models, model.ref) != request.models.end();
        if (!asked) continue;
        if (model.drawsImages() && !model.card.nullClass) request.measure.guidance = 1;
        if (!model.takesText() || !request.needsData()) continue;
        request.measure.heads = request.heads;
        takePrompt(key, request.measure);
        request.heads = request.measure.heads;
    }
    m_compare.showProgress(request.needsData() ? "Measuring heads to compare" : "Comparing heads", -1);
    m_compareJob = m_engine.request(
        request, "compare",
        [this, request](const Result<Reply>& reply) {
            if (reply) return m_compare.take(request, std::get<CompareReport>(*reply));
            if (reply.error().code == "replaced") return;  // the newer one shows its own progress
            if (reply.error().kind == ErrorKind::Cancelled) return m_compare.cancelled();
            m_compare.fail(reply.error());
        },
        Watch{.picture = {},
              .share =
                  [this](const ShareProgress& progress) {
                      m_compare.showProgress(QString::fromStdString(progress.word), progress.done);
                  },
              .atlas = {}});
}

}  // namespace ropescope
