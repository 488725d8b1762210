// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QWidget>

#include "core/data/error.h"
#include "core/data/generation.h"
#include "widgets/state/open_models.h"

class QProgressBar;
class QPushButton;
class QStackedLayout;

namespace ropescope {

class ElidedLabel;
class Gallery;
class GenerateSettings;
class MessageBar;
class PreviewImage;
class Runs;
class StatusText;

/// Settings in fixed rows at the left with one button that makes or cancels, the selected picture, and at the right the
/// gallery or the further settings. The window runs what generateRequested asks for and says how it goes.
class GenerateView : public QWidget {
    Q_OBJECT
public:
    GenerateView(OpenModels& models, Runs& runs, QWidget* parent = nullptr);

    void setModel(int model);
    [[nodiscard]] int model() const;
    [[nodiscard]] GenerateRequest request() const;        ///< the settings as they stand
    static constexpr const char* kRestored = "restored";  ///< cause of messages about restored settings
    void restore(const GenerateRequest& request);         ///< puts settings back
    void undoRestore();                                   ///< as they were; what was said of it goes
    [[nodiscard]] GenerateSettings& settings() const { return *m_settings; }
    void setDevice(const std::string& device);  ///< Compute::device of the requests

    void start(int steps);  ///< a run has begun: Cancel is offered
    void showProgress(const GenerateProgress& progress);
    void showWords(const QString& words);  ///< what the run is at before its first step
    void finish(const GenerateResult& result);
    void cancelled();
    void fail(const Error& error);
    [[nodiscard]] bool isRunning() const { return m_running; }
    [[nodiscard]] MessageBar& messages() { return *m_messages; }
    void showSetting(QWidget* control);  ///< brings it into view and gives it the keyboard

    [[nodiscard]] QImage shownImage() const;  ///< what the preview shows, in the model's own pixels
    [[nodiscard]] QString statusText() const;
    [[nodiscard]] Gallery& gallery() const { return *m_gallery; }
    [[nodiscard]] QPushButton* generateButton() const { return m_generate; }  ///< Cancel while a picture is made

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
    void pictureDropped(const QString& path);                         ///< its settings are wanted back
    void settingsWanted(const ropescope::GenerateRequest& settings);  ///< those of a result

private:
    void buildLayout();
    void connectSignals();
    void setRunning(bool running);
    [[nodiscard]] QString obstacle() const;  ///< why no picture can be made; empty: one can
    void showButton();
    void showPicture();

    OpenModels& m_models;
    Runs& m_runs;
    bool m_running = false;
    std::string m_device = "auto";
    QString m_obstacle;  ///< as it was said last
    GenerateSettings* m_settings;
    QStackedLayout* m_right = nullptr;  ///< gallery, or the further settings
    QPushButton* m_generate;
    PreviewImage* m_preview;
    ElidedLabel* m_pictureName;
    QProgressBar* m_progress;
    StatusText* m_status;
    Gallery* m_gallery;
    MessageBar* m_messages;
};

}  // namespace ropescope
