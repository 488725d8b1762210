// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <QWidget>

class QLabel;
class QPushButton;
class QSlider;
class QToolButton;

namespace ropescope {

class ElidedLabel;
class Runs;

/// The selected picture in one line below the views: thumbnail, which it is, of which model, and the one slider over
/// its steps that the preview, Fields and Attention follow. Where its data are gone it offers to make it again.
class RunBar : public QWidget {
    Q_OBJECT
public:
    explicit RunBar(Runs& runs, QWidget* parent = nullptr);

    void togglePlay();
    void stepBy(int steps);
    [[nodiscard]] QSlider* slider() const { return m_slider; }
    [[nodiscard]] QToolButton* playButton() const { return m_play; }
    [[nodiscard]] QPushButton* latestButton() const { return m_latest; }
    [[nodiscard]] QToolButton* decodeButton() const { return m_decode; }
    [[nodiscard]] QPushButton* againButton() const { return m_again; }
    [[nodiscard]] QString text() const;      ///< which picture
    [[nodiscard]] QString stepText() const;  ///< which step

signals:
    void againRequested(int run);
    void decodeRequested(int run, int step);

protected:
    void changeEvent(QEvent* event) override;

private:
    void showRun();
    void showStep();
    void play(bool on);
    void advance();

    Runs& m_runs;
    QTimer m_clock;
    QLabel* m_picture;
    ElidedLabel* m_text;
    ElidedLabel* m_details;
    QToolButton* m_play;
    QSlider* m_slider;
    QLabel* m_step;
    QPushButton* m_latest;
    QToolButton* m_decode;
    QPushButton* m_again;
};

}  // namespace ropescope
