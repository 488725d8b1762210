// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <QTimer>
#include <optional>

#include "app/engine_client.h"
#include "app/variations.h"
#include "widgets/frame/message_bar.h"
#include "widgets/generate/generate_view.h"
#include "widgets/state/open_models.h"
#include "widgets/state/runs.h"
#include "widgets/state/selection.h"

namespace ropescope {

/// Runs what the Generate view asks for: one run at a time, previews and measured fields as they come; tokens of a
/// prompt while it is written; steps through the autoencoder; settings out of saved pictures; pictures of the gallery
/// that are selected or made again.
class Generation : public QObject {
    Q_OBJECT
public:
    Generation(EngineClient& engine, OpenModels& models, Selection& selection, Runs& runs, Variations& variations,
               GenerateView& view, QObject* parent = nullptr);

    void setDevice(const QString& device) { m_device = device; }  ///< Compute::device
    [[nodiscard]] bool isRunning() const { return m_job != 0; }
    void run(GenerateRequest request);
    void cancel();
    /// The same picture once more, with its previews and fields; its model is asked for where it is not open.
    void runAgain(int run);
    void decode(int run, int step);
    /// A picture of the gallery becomes the selected one.
    void showPicture(int row);
    /// Writes a picture with its recipe; the answer appears in the view's bar.
    void save(const GeneratedImage& image, const QString& path);
    /// Puts the settings that a PNG carries into the view, and its changes of heads into its model, which is asked for
    /// where another one is shown.
    void restoreFrom(const QString& path);
    /// A model has been opened: settings that waited for it are put back.
    void modelOpened(int model);
    void modelRefused(const QString& path);
    void undoRestore();                                            ///< of settings, heads, or both at once
    void takeLoras(int model, const std::vector<LoraRef>& loras);  ///< as settings of that model

signals:
    void runningChanged(bool running);
    void starting();  ///< a run is asked for; what the one before left is still there
    void progressed(const ropescope::GenerateProgress& progress);
    void finished(const ropescope::GenerateResult& result);  ///< new pictures, to be kept
    void modelWanted(const ropescope::ModelRef& ref);
    void timeWanted(int model);  ///< it cannot draw before somebody says what its time means

private:
    void start(GenerateRequest request, int model, int again);
    void begin(const GenerateRequest& request);
    void finish(const GenerateRequest& request, const Result<Reply>& reply);
    void takePictures(const GenerateRequest& request, const GenerateResult& result);
    void showNewSteps();
    void joinShares();
    void askTokens(const TokensRequest& request);
    void askLoras(const LorasRequest& request);
    void takeSettings(const PictureSettings& found);
    void restore(const PictureSettings& found, int model);
    /// Its heads become those that a picture was made with. False: they do not fit, which is said.
    bool takeHeads(int model, const ModelRef& made);
    [[nodiscard]] MessageAbout undo();  ///< of restored settings

    EngineClient& m_engine;
    OpenModels& m_models;
    Selection& m_selection;
    Runs& m_runs;
    Variations& m_variations;
    GenerateView& m_view;
    QString m_device = "auto";
    quint64 m_job = 0;
    quint64 m_decoding = 0;
    int m_model = -1;
    int m_run = -1;                            ///< the one that is being made, once its first step is done
    int m_again = -1;                          ///< the one that is made again
    std::vector<GenerateProgress> m_newSteps;  ///< not yet given to the views
    std::optional<PictureSettings> m_waiting;  ///< for its model
    int m_waitingAgain = -1;                   ///< to be made again when its model is open
    QTimer m_stepsPause;
};

}  // namespace ropescope
