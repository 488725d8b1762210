// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QList>
#include <QWidget>

#include "core/data/analysis.h"
#include "core/data/error.h"

class QDoubleSpinBox;
class QLabel;
class QPushButton;
class QSpinBox;

namespace ropescope {

class MessageBar;
class PathChoice;

/// The settings of a measurement on images in one row above the views, never a dialog; while it runs, its progress with
/// Cancel. The window fills in the model and runs what measureRequested asks for.
class MeasureBar : public QWidget {
    Q_OBJECT
public:
    explicit MeasureBar(QWidget* parent = nullptr);

    /// Shows the settings for a model of this name: of what it draws, or, of a classifier, of the pictures it is shown.
    void offer(const QString& model, bool makesImages);
    void setFolder(const QString& folder);
    [[nodiscard]] CalibrateRequest settings()
        const;  ///< model, compute and heads left out; the folder is for classifiers
    void setSettings(const CalibrateRequest& settings);
    void showProgress(const QString& words, double share);
    void finish(const QString& note);  ///< empty: hides the bar
    void fail(const Error& error);
    [[nodiscard]] bool isRunning() const { return m_running; }
    [[nodiscard]] QPushButton* startButton() const { return m_start; }
    [[nodiscard]] MessageBar& messages() { return *m_messages; }

signals:
    void measureRequested(const ropescope::CalibrateRequest& settings);
    void cancelRequested();

private:
    void setRunning(bool running);

    bool m_running = false;
    bool m_makesImages = true;
    QWidget* m_row;
    QLabel* m_title;
    PathChoice* m_folder;
    QSpinBox* m_images;
    QSpinBox* m_steps;
    QDoubleSpinBox* m_guidance;
    QList<QWidget*> m_drawing;  ///< settings of models that make images
    QPushButton* m_start;
    QPushButton* m_close;
    MessageBar* m_messages;
};

}  // namespace ropescope
