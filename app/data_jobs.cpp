// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/data_jobs.h"

#include <algorithm>

#include "widgets/compare/compare_view.h"
#include "widgets/measure/measure_bar.h"
#include "widgets/state/command_lines.h"

namespace ropescope {

DataJobs::DataJobs(EngineClient& engine, OpenModels& models, MeasureBar& bar, CompareView& compare, QObject* parent)
    : QObject(parent), m_engine(engine), m_models(models), m_bar(bar), m_compare(compare) {
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
    if (!open->drawsImages() && open->card.objective != "classify")
        return m_bar.finish(tr("%1 cannot be measured on images: only class-conditional DiTs and ViTs can.").arg(name));
    m_bar.offer(name, open->drawsImages());
}

void DataJobs::measure(CalibrateRequest settings) {
    const OpenModel* open = m_models.find(m_model);
    if (!open || m_measureJob != 0) return;
    settings.model = open->ref;
    settings.compute.device = m_device.toStdString();
    if (open->drawsImages()) settings.folder.clear();
    if (!open->card.nullClass) settings.guidance = 1;  // there is nothing to lead away from
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

void DataJobs::cancelMeasurement() {
    m_engine.cancel(m_measureJob);
}

void DataJobs::finishMeasurement(const CalibrateRequest& request, const Result<Reply>& reply) {
    m_measureJob = 0;
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
        if (asked && !model.card.nullClass) request.measure.guidance = 1;
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
