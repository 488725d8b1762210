// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QWidget>
#include <set>
#include <utility>
#include <vector>

#include "core/data/joint_attention.h"
#include "widgets/frame/plot_style.h"

namespace ropescope {

/// What is drawn: a picture under the attention of its tokens, and the words beside it.
struct AttentionFigure {
    QStringList titles;  ///< "L3.H2, step 4 of 28", "L3.H2": the first one that has room is drawn
    int colour = -1;     ///< of the head
    QImage picture;
    Grid grid;
    std::vector<float> image;     ///< [rows*cols] row by row; empty: nothing is known yet, as long as `grid` is 0x0
    std::vector<float> text;      ///< [T]
    std::vector<QString> words;   ///< of the text tokens that are drawn
    std::vector<int> wordNumber;  ///< their numbers among the T
    std::vector<std::pair<int, QString>> groups;  ///< index of an encoder's first word, and its name
    JointShares shares;
    QString other;                       ///< what the tokens beside the picture are: "text", "class token"
    std::set<int> patches, chosenWords;  ///< chosen tokens
    double high = 0;                     ///< of the colours; 0 to it
    QString scaleTitle;
    double opacity = 0.65;   ///< of the attention over the picture
    bool onlyWords = false;  ///< beside the pictures of several heads
};

/// Draws an AttentionFigure. A click chooses a patch or a word, Shift adds to the choice, a drag over the picture
/// chooses a rectangle. What the mouse is over is outlined and read; the wheel moves through words that have no room.
class AttentionCanvas : public QWidget {
    Q_OBJECT
public:
    explicit AttentionCanvas(QWidget* parent = nullptr);

    void setFigure(AttentionFigure figure);
    [[nodiscard]] const AttentionFigure& figure() const { return m_figure; }
    void draw(QPainter& painter, const QRectF& place, const Looks& looks) const;
    [[nodiscard]] QSize sizeHint() const override { return {560, 360}; }
    [[nodiscard]] QString reading() const;  ///< of the patch or word under the mouse
    /// Middle of a patch resp. of a drawn word, in widget coordinates: where a click chooses it.
    [[nodiscard]] QPoint placeOfPatch(int patch) const;
    [[nodiscard]] QPoint placeOfWord(int word) const;

signals:
    void chosen(const std::set<int>& patches, const std::set<int>& words);
    void hovered(const QString& text);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;

private:
    struct Layout;
    [[nodiscard]] Layout layoutIn(const QRectF& place, const QFont& font) const;
    void placeWords(Layout& layout, const QRectF& column, const QFont& font) const;
    [[nodiscard]] int patchAt(QPointF position) const;  ///< -1: none
    [[nodiscard]] int wordAt(QPointF position) const;   ///< index into words; -1: none
    void drawPicture(QPainter& painter, const Layout& layout, const Looks& looks) const;
    void drawWordsList(QPainter& painter, const Layout& layout, const Looks& looks) const;
    [[nodiscard]] QString wordsTitle(const Layout& layout, double high, const QFontMetricsF& metrics) const;
    void drawShares(QPainter& painter, const Layout& layout, const Looks& looks) const;

    AttentionFigure m_figure;
    int m_pressed = -1;                     ///< patch under the press
    int m_last = -1;                        ///< patch under the mouse during the drag
    int m_overPatch = -1, m_overWord = -1;  ///< under the mouse
    int m_scrolled = 0;                     ///< rows of words above the first one shown
    std::set<int> m_dragged;                ///< the area of a drag that goes on: shown instead of the chosen patches
};

}  // namespace ropescope
