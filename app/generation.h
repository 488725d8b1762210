// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <QTimer>

#include "app/engine_client.h"
#include "widgets/generate_view.h"
#include "widgets/open_models.h"
#include "widgets/selection.h"

namespace ropescope {

/// Runs what the Generate view asks for: one picture at a time, previews and measured fields as they come.
class Generation : public QObject {
    Q_OBJECT
public:
    Generation(EngineClient& engine, OpenModels& models, Selection& selection, GenerateView& view,
               QObject* parent = nullptr);

    void setDevice(const QString& device) { m_device = device; }  ///< Compute::device
    [[nodiscard]] bool isRunning() const { return m_job != 0; }
    void run(GenerateRequest request);
    void cancel();
    /// Writes a picture with its recipe; the answer appears in the view's bar.
    void save(const GeneratedImage& image, const QString& path);

signals:
    void runningChanged(bool running);
    void progressed(const ropescope::GenerateProgress& progress);

private:
    void finish(const GenerateRequest& request, const Result<Reply>& reply);
    void showNewFields();
    void takeFields(const std::vector<StepFields>& steps);

    EngineClient& m_engine;
    OpenModels& m_models;
    Selection& m_selection;
    GenerateView& m_view;
    QString m_device = "auto";
    quint64 m_job = 0;
    int m_model = -1;
    std::vector<StepFields> m_newFields;  ///< not yet given to the views
    QTimer m_fieldsPause;
};

}  // namespace ropescope
