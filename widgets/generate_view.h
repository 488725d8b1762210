// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QWidget>
#include <vector>

#include "core/data/error.h"
#include "core/data/generation.h"
#include "widgets/open_models.h"

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QLineEdit;
class QProgressBar;
class QPushButton;
class QSlider;
class QSpinBox;

namespace ropescope {

class Gallery;
class MessageBar;
class PathChoice;
class PreviewImage;

/// Settings, live preview, progress with Cancel, timeline over the steps of a run, gallery of results that keep their
/// recipe. The window runs what generateRequested asks for and feeds progress and results back.
class GenerateView : public QWidget {
    Q_OBJECT
public:
    explicit GenerateView(OpenModels& models, QWidget* parent = nullptr);

    void setModel(int model);  ///< fills the classes; keeps the other settings
    [[nodiscard]] int model() const { return m_model; }
    [[nodiscard]] GenerateRequest request() const;  ///< the settings as they stand
    void restore(const GenerateRequest& request);   ///< puts settings back
    void setSize(Grid patches);                     ///< rows x columns of patches; 0x0: as trained
    [[nodiscard]] Grid patches() const;
    void setDevice(const std::string& device);  ///< Compute::device of the requests

    void start(int steps);  ///< a run has begun: Cancel is offered
    void showProgress(const GenerateProgress& progress);
    void finish(const GenerateRequest& request, const GenerateResult& result);
    void cancelled();  ///< keeps what was recorded
    void fail(const Error& error);
    [[nodiscard]] bool isRunning() const { return m_running; }
    [[nodiscard]] MessageBar& messages() { return *m_messages; }

    [[nodiscard]] QImage shownImage() const;  ///< what the preview shows, in the model's own pixels
    [[nodiscard]] int resultCount() const;
    [[nodiscard]] QPushButton* generateButton() const { return m_generate; }
    [[nodiscard]] QPushButton* cancelButton() const { return m_cancel; }
    [[nodiscard]] QSlider* timeline() const { return m_timeline; }

public slots:
    void requestGenerate();  ///< as the button does
    void requestCancel();
    void rollSeed();

protected:
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;  ///< a result dropped back restores its settings

signals:
    void generateRequested(const ropescope::GenerateRequest& request);
    void cancelRequested();
    void stepShown(int step);  ///< the timeline moved: fields follow
    /// The window asks for a file name and writes the picture with its recipe.
    void saveRequested(const ropescope::GeneratedImage& image);

private:
    void buildSettings();
    [[nodiscard]] QWidget* buildSize();
    void showSize();
    [[nodiscard]] Grid trainedPatches() const;  ///< 0x0 where no model is open
    void buildStage();
    void connectSignals();
    void setRunning(bool running);
    void showStep(int step);
    void showEntry(int row);

    OpenModels& m_models;
    int m_model = -1;
    bool m_running = false;
    std::vector<QImage> m_steps;  ///< previews of the run by step
    std::string m_device = "auto";
    QWidget* m_settings;
    QWidget* m_stage;
    QComboBox* m_class;
    QLineEdit* m_seed;
    QPushButton* m_dice;
    QSpinBox* m_stepCount;
    QDoubleSpinBox* m_guidance;
    QComboBox* m_sampler;
    QSpinBox* m_rows;  ///< patches; the text says the pixels
    QSpinBox* m_cols;
    QLabel* m_pixels;
    QComboBox* m_method;  ///< Extrapolation by index
    QSpinBox* m_batch;
    QComboBox* m_precision;
    QWidget* m_vaePair;  ///< for models that draw latents
    PathChoice* m_vae;
    QCheckBox* m_record;
    QPushButton* m_generate;
    QPushButton* m_cancel;
    PreviewImage* m_preview;
    QProgressBar* m_progress;
    QLabel* m_status;
    QSlider* m_timeline;
    QLabel* m_timelineText;
    Gallery* m_gallery;
    MessageBar* m_messages;
};

}  // namespace ropescope
