// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/attention_probe.h"

#include <QJsonDocument>
#include <QJsonObject>

#include "app/generation.h"
#include "widgets/attention_view.h"
#include "widgets/message_bar.h"
#include "widgets/preview_image.h"

namespace ropescope {

AttentionProbe::AttentionProbe(EngineClient& engine, Generation& generation, AttentionView& view, QObject* parent)
    : QObject(parent), m_engine(engine), m_view(view) {
    connect(&generation, &Generation::starting, this, [this] { m_engine.cancel(m_job); });  // a picture does not wait
    connect(&generation, &Generation::started, this, [this](int model, const GenerateRequest& request) {
        ++m_run;
        m_view.beginRun(model, request);
    });
    connect(&generation, &Generation::progressed, &view, [&view](const GenerateProgress& progress) {
        if (progress.step > 0) view.addStep(progress.step - 1, imageOf(progress.preview));
    });
    connect(&generation, &Generation::ended, &view, &AttentionView::endRun);
    connect(&generation, &Generation::pictureMade, &view, [&view](const GeneratedImage& image) {
        const QJsonDocument recipe = QJsonDocument::fromJson(QByteArray::fromStdString(image.recipe));
        view.setRunCommand(recipe.object()["command"].toString());
    });
    connect(&view, &AttentionView::attentionRequested, this, &AttentionProbe::ask);
    connect(&view, &AttentionView::cancelRequested, this, [this] { m_engine.cancel(m_job); });
}

void AttentionProbe::ask(const AttentionRequest& request) {
    m_job = m_engine.request(
        request, "attention",
        [this, request, run = m_run](const Result<Reply>& reply) {
            if (run != m_run) return;
            if (reply) return m_view.take(request, std::get<AttentionReport>(*reply));
            if (reply.error().code == "replaced") return;  // the newer one answers
            if (reply.error().kind == ErrorKind::Cancelled) return m_view.cancelled();
            m_view.fail(reply.error());
        },
        Watch{.picture = {},
              .share =
                  [this, run = m_run](const ShareProgress& progress) {
                      if (run == m_run) m_view.showProgress(QString::fromStdString(progress.word), progress.done);
                  },
              .atlas = {}});
}

}  // namespace ropescope
