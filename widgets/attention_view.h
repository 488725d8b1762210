// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QElapsedTimer>
#include <QImage>
#include <QTimer>
#include <map>
#include <optional>
#include <set>

#include "core/data/error.h"
#include "core/data/joint_attention.h"
#include "widgets/view.h"

class QCheckBox;
class QComboBox;
class QLabel;
class QPushButton;
class QSlider;

namespace ropescope {

class AttentionCanvas;

/// Where the current head looks in one step of the last picture: chosen patches and words as queries or as keys, over
/// the picture and the words. The window runs what attentionRequested asks for and feeds the answer back.
class AttentionView : public View {
    Q_OBJECT
public:
    enum class Direction { Looks, Seen };  ///< what the chosen tokens look at; who looks at them
    AttentionView(OpenModels& models, Selection& selection, QWidget* parent = nullptr);

    // The run: its pictures are shown while it goes on, questions are asked when it has ended.
    void beginRun(int model, const GenerateRequest& request);
    void addStep(int step, const QImage& picture);  ///< counted from 0
    void endRun(int steps);                         ///< so many steps can be asked about; 0: none
    /// The command line that made the picture: the one of the view follows from it.
    void setRunCommand(const QString& line);
    [[nodiscard]] bool hasRun() const { return m_steps > 0; }

    void choose(const std::set<int>& patches, const std::set<int>& words);
    void setDirection(Direction direction);
    void setStep(int step);
    [[nodiscard]] int step() const;

    void showProgress(const QString& words, double share);
    void take(const AttentionRequest& request, const AttentionReport& report);
    void fail(const Error& error);
    void cancelled();  ///< what is shown stays

    [[nodiscard]] AttentionCanvas* canvas() const { return m_canvas; }
    [[nodiscard]] QString numbers(QChar separator) const override;

signals:
    void attentionRequested(const ropescope::AttentionRequest& request);
    void cancelRequested();

protected:
    void drawFigure(QCPPainter& painter, QSize size) const override;
    [[nodiscard]] bool offersAction() const override { return true; }
    void showEvent(QShowEvent* event) override;

private:
    void buildControls();
    void showNothing();
    void showCommand();
    void ask();
    void askSoon() { m_pause.start(); }
    void refresh();
    [[nodiscard]] QImage pictureOf(int step) const;
    [[nodiscard]] QString chosenText() const;
    [[nodiscard]] std::vector<std::pair<int, QString>> encoderGroups(const std::vector<int>& numbers) const;
    [[nodiscard]] QString wordText(int number) const;

    QComboBox* m_direction;
    QSlider* m_step;
    QLabel* m_stepText;
    QSlider* m_opacity;
    QCheckBox* m_fixed;
    QPushButton* m_all;
    AttentionCanvas* m_canvas;
    QTimer m_pause;         ///< a drag asks when it rests
    QTimer m_patience;      ///< an answer that takes longer is seen to be awaited
    QElapsedTimer m_asked;  ///< progress is shown of answers that take long
    int m_model = -1;
    GenerateRequest m_run;
    int m_steps = 0;
    QString m_runCommand;
    std::map<int, QImage> m_pictures;  ///< by step
    std::set<int> m_patches, m_words;
    AttentionRequest m_answered;  ///< what the report answers: labels are its, whatever is asked meanwhile
    std::optional<AttentionReport> m_report;
};

}  // namespace ropescope
