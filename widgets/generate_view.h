// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QWidget>
#include <map>
#include <vector>

#include "core/data/error.h"
#include "core/data/generation.h"
#include "core/data/saved_picture.h"
#include "widgets/open_models.h"

class QLabel;
class QProgressBar;
class QPushButton;
class QSlider;
class QStackedLayout;
class QToolButton;

namespace ropescope {

class ElidedLabel;
class Gallery;
class GenerateSettings;
class MessageBar;
class PreviewImage;

/// Settings, live preview, progress with Cancel, timeline over the steps of a run, gallery of results that keep their
/// recipe. The window runs what generateRequested asks for and feeds progress and results back.
class GenerateView : public QWidget {
    Q_OBJECT
public:
    explicit GenerateView(OpenModels& models, QWidget* parent = nullptr);

    void setModel(int model);
    [[nodiscard]] int model() const;
    [[nodiscard]] GenerateRequest request() const;  ///< the settings as they stand
    void restore(const GenerateRequest& request);   ///< puts settings back
    [[nodiscard]] GenerateSettings& settings() const { return *m_settings; }
    void setDevice(const std::string& device);  ///< Compute::device of the requests

    void start(int steps);  ///< a run has begun: Cancel is offered
    void showProgress(const GenerateProgress& progress);
    void showWords(const QString& words);  ///< what the run is at before its first step
    void finish(const GenerateRequest& request, const GenerateResult& result);
    void cancelled();  ///< keeps what was recorded
    /// A step of the run through the autoencoder, in the place of its preview.
    void showDecoded(int step, const DecodedStep& picture);
    void fail(const Error& error);
    [[nodiscard]] bool isRunning() const { return m_running; }
    [[nodiscard]] MessageBar& messages() { return *m_messages; }

    [[nodiscard]] QImage shownImage() const;  ///< what the preview shows, in the model's own pixels
    [[nodiscard]] int resultCount() const;
    [[nodiscard]] QPushButton* generateButton() const { return m_generate; }
    [[nodiscard]] QPushButton* cancelButton() const { return m_cancel; }
    [[nodiscard]] QSlider* timeline() const { return m_timeline; }
    [[nodiscard]] QToolButton* decodeButton() const { return m_decode; }

public slots:
    void requestGenerate();  ///< as the button does
    void requestCancel();
    void rollSeed();

protected:
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;  ///< a result or a saved PNG dropped back restores its settings

signals:
    void generateRequested(const ropescope::GenerateRequest& request);
    void cancelRequested();
    void stepShown(int step);  ///< the timeline moved: fields follow
    void decodeRequested(int step);
    /// The window asks for a file name and writes the picture with its recipe.
    void saveRequested(const ropescope::GeneratedImage& image);
    void pictureDropped(const QString& path);                         ///< its settings are wanted back
    void settingsWanted(const ropescope::GenerateRequest& settings);  ///< those of a result

private:
    void buildStage();
    void connectSignals();
    void setRunning(bool running);
    [[nodiscard]] QString obstacle() const;  ///< why no picture can be made; empty: one can
    void showStep(int step);
    void beginSteps();
    void showDecode();  ///< whether the step shown can be decoded
    void showEntry(int row);

    OpenModels& m_models;
    bool m_running = false;
    std::vector<QImage> m_steps;       ///< previews of the run by step
    std::map<int, QString> m_decoded;  ///< what is said of steps that are no previews any more
    bool m_fresh = false;              ///< the run has shown nothing yet
    QString m_done;                    ///< what was said of the last finished run
    bool m_latents = false;            ///< the run draws latents
    std::string m_device = "auto";
    GenerateSettings* m_settings;
    QWidget* m_stage;
    QStackedLayout* m_right = nullptr;  ///< run and results, or the further settings
    QPushButton* m_generate;
    QPushButton* m_cancel;
    PreviewImage* m_preview;
    QProgressBar* m_progress;
    ElidedLabel* m_status;
    QSlider* m_timeline;
    QLabel* m_timelineText;
    QToolButton* m_decode;
    Gallery* m_gallery;
    MessageBar* m_messages;
};

}  // namespace ropescope
