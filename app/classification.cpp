// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/classification.h"

#include <QFileInfo>

#include "widgets/classify/classify_view.h"
#include "widgets/state/image.h"
#include "widgets/state/runs.h"

namespace ropescope {
namespace {

constexpr int kRecordAllUpTo = 400;  // heads: then any selection finds its field

}  // namespace

Classification::Classification(EngineClient& engine, OpenModels& models, Selection& selection, Runs& runs,
                               ClassifyView& view, QObject* parent)
    : QObject(parent), m_engine(engine), m_models(models), m_selection(selection), m_runs(runs), m_view(view) {
    connect(&m_view, &ClassifyView::classifyRequested, this, &Classification::run);
    connect(&m_view, &ClassifyView::cancelRequested, this, &Classification::cancel);
}

void Classification::run(ClassifyRequest request) {
    const int model = m_view.model();
    const OpenModel* open = m_models.find(model);
    if (!open || m_job != 0 || !open->runs()) return;
    request.model = open->ref;
    request.compute.device = m_device.toStdString();
    const int count = open->card.layers * open->card.heads;
    for (int i = 0; i < count && count <= kRecordAllUpTo; ++i)
        request.heads.push_back({i / open->card.heads, i % open->card.heads});
    if (count > kRecordAllUpTo) {
        for (const HeadRef& head : m_selection.shown()) {
            if (head.model == model) request.heads.push_back(head.id);
        }
    }
    m_view.start();
    m_job = m_engine.request(request, "classify",
                             [this, model, request](const Result<Reply>& reply) { finish(model, request, reply); });
}

void Classification::cancel() {
    m_engine.cancel(m_job);
}

void Classification::finish(int model, const ClassifyRequest& request, const Result<Reply>& reply) {
    m_job = 0;
    if (!reply && reply.error().kind == ErrorKind::Cancelled) return m_view.cancelled();
    if (!reply) return m_view.fail(reply.error());
    const OpenModel* open = m_models.find(model);
    if (open != nullptr && open->ref != request.model) {  // its heads were changed meanwhile
        m_view.cancelled();
        return m_view.requestClassify();
    }
    const auto& result = std::get<ClassifyResult>(*reply);
    m_view.finish(result);
    if (open == nullptr) return;
    Run run;
    run.state = Run::State::Done;
    run.model = model;
    run.modelName = open->name();
    run.file = QString::fromStdString(request.image);
    run.subject = QFileInfo(run.file).fileName();
    run.asked.model = request.model;
    run.asked.compute = request.compute;
    run.patches = result.grid;
    run.picture = imageOf(result.input);
    StepFields fields{0, 1, 0, {}};
    for (const HeadAttention& head : result.heads) fields.heads.push_back(head.field);
    run.fields.push_back(std::move(fields));
    m_runs.add(std::move(run));
}

}  // namespace ropescope
