// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/generation.h"

#include <QDir>
#include <utility>

#include "widgets/message_bar.h"

namespace ropescope {
namespace {

constexpr int kRecordAllUpTo = 64;  // heads: small models record every head, so that any selection finds its field
constexpr int kFieldsPauseMs = 50;  // fields are drawn this often at most, so that a drag stays smooth meanwhile

}  // namespace

Generation::Generation(EngineClient& engine, OpenModels& models, Selection& selection, GenerateView& view,
                       QObject* parent)
    : QObject(parent), m_engine(engine), m_models(models), m_selection(selection), m_view(view) {
    connect(&m_view, &GenerateView::generateRequested, this, &Generation::run);
    connect(&m_view, &GenerateView::cancelRequested, this, &Generation::cancel);
    m_fieldsPause.setSingleShot(true);
    m_fieldsPause.setInterval(kFieldsPauseMs);
    connect(&m_fieldsPause, &QTimer::timeout, this, &Generation::showNewFields);
}

void Generation::run(GenerateRequest request) {
    const OpenModel* open = m_models.find(m_view.model());
    if (!open || m_job != 0) return;
    m_model = m_view.model();
    request.model = open->ref;
    request.compute.device = m_device.toStdString();
    request.previews = true;
    if (request.record != RecordFields::None && open->card.layers * open->card.heads > kRecordAllUpTo) {
        request.record = RecordFields::Listed;
        for (const HeadRef& head : m_selection.shown()) {
            if (head.model == m_model) request.recordHeads.push_back(head.id);
        }
    }
    m_models.clearFields(m_model);
    m_view.start(request.steps);
    m_job = m_engine.request(
        request, "generate", [this, request](const Result<Reply>& reply) { finish(request, reply); },
        [this](const GenerateProgress& progress) {
            m_newFields.push_back(progress.fields);
            if (!m_fieldsPause.isActive()) showNewFields();
            m_view.showProgress(progress);
            emit progressed(progress);
        });
    emit runningChanged(true);
}

void Generation::cancel() {
    m_engine.cancel(m_job);
}

/// At once, then not again before the pause is over.
void Generation::showNewFields() {
    if (m_newFields.empty()) return;
    takeFields(std::exchange(m_newFields, {}));
    m_fieldsPause.start();
}

/// Several steps at once are one change for the views.
void Generation::takeFields(const std::vector<StepFields>& steps) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const bool last = i + 1 == steps.size();
        const bool wasBlocked = m_models.blockSignals(!last);
        m_models.putFields(m_model, steps[i]);
        m_models.blockSignals(wasBlocked);
    }
}

void Generation::finish(const GenerateRequest& request, const Result<Reply>& reply) {
    m_job = 0;
    m_fieldsPause.stop();
    takeFields(std::exchange(m_newFields, {}));
    if (reply) {
        const auto& result = std::get<GenerateResult>(*reply);
        for (const StepFields& step : result.fields)
            m_models.putFields(m_model, step);  // steps whose preview was skipped
        m_view.finish(request, result);
    } else if (reply.error().kind == ErrorKind::Cancelled) {
        m_view.cancelled();
    } else {
        m_view.fail(reply.error());
    }
    emit runningChanged(false);
}

void Generation::save(const GeneratedImage& image, const QString& path) {
    const SavePngRequest request{QDir::toNativeSeparators(path).toStdString(), image.pixels, image.recipe};
    m_engine.request(request, "", [this, path](const Result<Reply>& reply) {
        if (reply) {
            m_view.messages().showNote(QString("Saved %1 with its recipe.").arg(path));
        } else {
            m_view.messages().showError(reply.error());
        }
    });
}

}  // namespace ropescope
