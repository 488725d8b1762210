// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>

#include "app/engine_client.h"

namespace ropescope {

class AttentionView;
class Generation;

/// Gives the Attention view the pictures of the latest run and answers its questions about it, the newest one only.
class AttentionProbe : public QObject {
    Q_OBJECT
public:
    AttentionProbe(EngineClient& engine, Generation& generation, AttentionView& view, QObject* parent = nullptr);

private:
    void ask(const AttentionRequest& request);

    EngineClient& m_engine;
    AttentionView& m_view;
    quint64 m_job = 0;
    int m_run = 0;  ///< answers about earlier runs are not shown
};

}  // namespace ropescope
