// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>

#include "app/engine_client.h"
#include "widgets/state/open_models.h"
#include "widgets/state/selection.h"

namespace ropescope {

class ClassifyView;
class Runs;

/// Runs what the Classify view asks for: one picture at a time; it becomes the selected one, with the measured
/// fields of the heads.
class Classification : public QObject {
    Q_OBJECT
public:
    Classification(EngineClient& engine, OpenModels& models, Selection& selection, Runs& runs, ClassifyView& view,
                   QObject* parent = nullptr);

    void setDevice(const QString& device) { m_device = device; }  ///< Compute::device
    void run(ClassifyRequest request);
    void cancel();

private:
    void finish(int model, const ClassifyRequest& request, const Result<Reply>& reply);

    EngineClient& m_engine;
    OpenModels& m_models;
    Selection& m_selection;
    Runs& m_runs;
    ClassifyView& m_view;
    QString m_device = "auto";
    quint64 m_job = 0;
};

}  // namespace ropescope
