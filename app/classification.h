// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>

#include "app/engine_client.h"
#include "widgets/open_models.h"
#include "widgets/selection.h"

namespace ropescope {

class ClassifyView;

/// Runs what the Classify view asks for: one picture at a time; the measured fields of the heads go to the views.
class Classification : public QObject {
    Q_OBJECT
public:
    Classification(EngineClient& engine, OpenModels& models, Selection& selection, ClassifyView& view,
                   QObject* parent = nullptr);

    void setDevice(const QString& device) { m_device = device; }  ///< Compute::device
    void run(ClassifyRequest request);
    void cancel();

private:
    void finish(int model, const Result<Reply>& reply);

    EngineClient& m_engine;
    OpenModels& m_models;
    Selection& m_selection;
    ClassifyView& m_view;
    QString m_device = "auto";
    quint64 m_job = 0;
};

}  // namespace ropescope
