// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <QTimer>
#include <optional>

#include "app/engine_client.h"
#include "widgets/generate_view.h"
#include "widgets/open_models.h"
#include "widgets/selection.h"

namespace ropescope {

/// Runs what the Generate view asks for: one run at a time, previews and measured fields as they come; tokens of a
/// prompt while it is written; steps through the autoencoder; settings out of saved pictures.
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
    /// Puts the settings that a PNG carries into the view; its model is asked for where another one is shown.
    void restoreFrom(const QString& path);
    /// A model has been opened: settings that waited for it are put back.
    void modelOpened(int model);
    void modelRefused(const QString& path);

signals:
    void runningChanged(bool running);
    void starting();  ///< a run is asked for; what the one before left is still there
    void started(int model, const ropescope::GenerateRequest& request);  ///< its first step is done
    void progressed(const ropescope::GenerateProgress& progress);
    void ended(int steps);  ///< steps that were taken
    void finished(const ropescope::GenerateResult& result);
    void pictureMade(const ropescope::GeneratedImage& first);
    void modelWanted(const ropescope::ModelRef& ref);
    void timeWanted(int model);  ///< it cannot draw before somebody says what its time means

private:
    void begin(const GenerateRequest& request);
    void finish(const GenerateRequest& request, const Result<Reply>& reply);
    void showNewFields();
    void takeFields(const std::vector<StepFields>& steps);
    void askTokens(const TokensRequest& request);
    void askLoras(const LorasRequest& request);
    void decode(int step);
    void takeSettings(const PictureSettings& found);

    EngineClient& m_engine;
    OpenModels& m_models;
    Selection& m_selection;
    GenerateView& m_view;
    QString m_device = "auto";
    quint64 m_job = 0;
    quint64 m_decoding = 0;
    int m_model = -1;
    GenerateRequest m_run;  ///< the latest
    int m_runModel = -1;
    bool m_begun = false;                      ///< it has taken the place of the one before
    int m_steps = 0;                           ///< taken by it so far
    std::vector<StepFields> m_newFields;       ///< not yet given to the views
    std::optional<PictureSettings> m_waiting;  ///< for its model
    QTimer m_fieldsPause;
};

}  // namespace ropescope
