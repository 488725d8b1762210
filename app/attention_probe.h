// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>

#include "app/engine_client.h"

namespace ropescope {

class AttentionView;
class Generation;

/// Answers the questions of the Attention view, the newest one only; a picture that is to be made does not wait for them.
class AttentionProbe : public QObject {
    Q_OBJECT
public:
    AttentionProbe(EngineClient& engine, Generation& generation, AttentionView& view, QObject* parent = nullptr);

private:
    void ask(const AttentionRequest& request);

    EngineClient& m_engine;
    AttentionView& m_view;
    quint64 m_job = 0;
};

}  // namespace ropescope
