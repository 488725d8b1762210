// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/attention_probe.h"

#include "app/generation.h"
#include "widgets/attention/attention_view.h"

namespace ropescope {

AttentionProbe::AttentionProbe(EngineClient& engine, Generation& generation, AttentionView& view, QObject* parent)
    : QObject(parent), m_engine(engine), m_view(view) {
    connect(&generation, &Generation::starting, this, [this] { m_engine.cancel(m_job); });
    connect(&view, &AttentionView::attentionRequested, this, &AttentionProbe::ask);
    connect(&view, &AttentionView::cancelRequested, this, [this] { m_engine.cancel(m_job); });
}

void AttentionProbe::ask(const AttentionRequest& request) {
    m_job = m_engine.request(
        request, "attention",
        [this, request](const Result<Reply>& reply) {
            if (reply) return m_view.take(request, std::get<AttentionReport>(*reply));
            if (reply.error().code == "replaced") return;  // the newer one answers
            if (reply.error().kind == ErrorKind::Cancelled) return m_view.cancelled();
            m_view.fail(reply.error());
        },
        Watch{.picture = {},
              .share =
                  [this](const ShareProgress& progress) {
                      m_view.showProgress(QString::fromStdString(progress.word), progress.done);
                  },
              .atlas = {}});
}

}  // namespace ropescope
