// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QElapsedTimer>
#include <QTimer>
#include <map>
#include <set>

#include "core/data/error.h"
#include "core/data/joint_attention.h"
#include "widgets/frame/view.h"

class QCheckBox;
class QComboBox;
class QGridLayout;
class QPushButton;
class QSlider;

namespace ropescope {

class AttentionCanvas;
class Runs;
class StatusText;
struct AttentionFigure;
struct Run;

/// Where the shown heads look in one step of the selected picture, or in the picture that was classified: chosen
/// patches and words (or class token) as queries or as keys, over the picture and the words. The window runs what
/// attentionRequested asks for, one head after the other, and feeds the answers back.
class AttentionView : public View {
    Q_OBJECT
public:
    enum class Direction { Looks, Seen };         ///< what the chosen tokens look at; who looks at them
    static constexpr std::size_t kMostHeads = 8;  ///< side by side
    AttentionView(OpenModels& models, Selection& selection, Runs& runs, QWidget* parent = nullptr);

    void choose(const std::set<int>& patches, const std::set<int>& words);
    void setDirection(Direction direction);

    void showProgress(const QString& words, double share);
    /// Answers to what is no longer asked are not shown.
    void take(const AttentionRequest& request, const AttentionReport& report);
    void fail(const Error& error);
    void cancelled();  ///< what is shown stays

    [[nodiscard]] AttentionCanvas* canvas() const;                ///< of the current head
    [[nodiscard]] AttentionCanvas* canvasOf(HeadRef head) const;  ///< nullptr: not drawn
    [[nodiscard]] AttentionCanvas* words() const;  ///< with those of the current head: its own where it stands alone
    [[nodiscard]] QString hint() const;            ///< what was asked and what can be done, below the pictures
    [[nodiscard]] bool canAsk() const;             ///< the selected picture is finished and its model open

signals:
    void attentionRequested(const ropescope::AttentionRequest& request);
    void cancelRequested();

protected:
    void drawFigure(QCPPainter& painter, QSize size) const override;
    void writeNumbers(NumberTable& table) const override;
    [[nodiscard]] QString subject() const override;
    [[nodiscard]] bool offersAction() const override { return true; }
    [[nodiscard]] QString emptyReason(const QString& otherwise) const override { return otherwise; }
    void showEvent(QShowEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    struct Answer {
        AttentionRequest request;  ///< labels are its, whatever is asked meanwhile
        AttentionReport report;
    };
    void buildControls();
    void followRun();
    void ask();
    void askSoon() { m_pause.start(); }
    void refresh();
    void showCommand();
    [[nodiscard]] AttentionCanvas* newCanvas();
    void placeCanvases(int count);
    void showWords();
    [[nodiscard]] int wordsWidth(int width) const;  ///< of the words beside several pictures; 0: there are none
    [[nodiscard]] int step() const;
    [[nodiscard]] std::vector<HeadRef> heads() const;  ///< drawn, in the order of all views
    [[nodiscard]] AttentionRequest question(HeadRef head) const;
    [[nodiscard]] bool answers(HeadRef head) const;  ///< what is asked now
    [[nodiscard]] AttentionFigure figureOf(HeadRef head, double high) const;
    void addWords(AttentionFigure& figure, const AttentionReport& report) const;
    [[nodiscard]] double largestOf(HeadRef head) const;
    [[nodiscard]] QString hintText(const Run& run) const;
    [[nodiscard]] QString leftOutText(const Run& run) const;  ///< heads that are shown elsewhere and not drawn here
    [[nodiscard]] QString emptyText() const;

    Runs& m_runs;
    QComboBox* m_direction;
    QSlider* m_opacity;
    QCheckBox* m_fixed;
    QPushButton* m_all;
    QGridLayout* m_grid;
    StatusText* m_hint;
    std::vector<AttentionCanvas*> m_canvases;
    AttentionCanvas* m_wordsBeside;      ///< beside several pictures, so that these are alike
    std::pair<int, int> m_placed{0, 0};  ///< canvases shown, and their columns
    QTimer m_pause;                      ///< a drag asks when it rests
    QTimer m_patience;                   ///< an answer that takes longer is seen to be awaited
    QElapsedTimer m_asked;               ///< progress is shown of answers that take long
    int m_run = -1;                      ///< whose answers are kept
    Grid m_chosenOn;                     ///< the grid that the chosen patches are on
    struct Scaled {
        std::vector<HeadRef> heads;
        std::set<int> patches, words;
        int direction = 0;
        bool operator==(const Scaled&) const = default;
    };
    Scaled m_scaled;    ///< what the range is of
    double m_high = 0;  ///< range that is kept
    std::set<int> m_patches, m_words;
    std::map<HeadRef, Answer> m_answers;
};

}  // namespace ropescope
