// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractScrollArea>
#include <functional>

#include "widgets/heads/head_rows.h"

namespace ropescope {

struct Looks;

/// Numbers by rows, heads by columns. Names stand still and are never cut while the columns scroll sideways; the heads
/// stay on top. Both directions scroll by whole columns and lines, so that beside a name no value begins in its middle.
/// Rows without a value are folded under a last heading that says why. Painted as a whole: the items and headers of a
/// table view take too long for 24 heads. Checked by tests/widgets/head_table_test.cpp.
class HeadTable : public QAbstractScrollArea {
    Q_OBJECT
public:
    using TipFn = std::function<QString(const QString& key, HeadRef head)>;

    HeadTable(TipFn tip, QWidget* parent = nullptr);

    void setRows(HeadRows rows);
    [[nodiscard]] const HeadRows& rows() const { return m_rows; }
    [[nodiscard]] QString asTsv() const;  ///< all cells, with the names of heads and numbers
    void setUnfolded(bool unfolded);      ///< whether the rows without a value are shown
    [[nodiscard]] bool isUnfolded() const { return m_unfolded; }
    [[nodiscard]] QRect headingOfUndefined() const;  ///< in the viewport; empty where every row has a value
    [[nodiscard]] int nameWidth() const { return m_nameWidth; }

signals:
    void headChosen(ropescope::HeadRef head);  ///< its column was clicked

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;
    bool viewportEvent(QEvent* event) override;
    bool event(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;

private:
    static constexpr int kPadding = 6;
    static constexpr int kSwatch = 10;

    /// One line of the table: a heading, or the row of a number.
    struct Line {
        int top = 0;
        int height = 0;
        QString heading;
        const HeadRow* row = nullptr;  ///< nullptr: a heading
        QStringList name;              ///< by lines
        bool folds = false;            ///< the heading of the rows without a value
    };
    void measure();  ///< widths of names and columns
    void layOut();   ///< lines and scroll bars
    void addLine(const HeadRow& row, int& y);
    void addHeading(const QString& text, bool folds, int& y);
    void setScrollBars();
    void widenNames();
    void paintHeads(QPainter& painter, const Looks& looks) const;
    void paintHead(QPainter& painter, int index, const Looks& looks) const;
    void paintHeading(QPainter& painter, QRect place, const Line& line, const Looks& looks) const;
    void paintRow(QPainter& painter, QRect place, const Line& line, const Looks& looks) const;
    void revealCurrent();  ///< scrolls sideways until the column of the current head is seen
    [[nodiscard]] HeadRef currentHead() const;
    [[nodiscard]] QFont strong() const;
    [[nodiscard]] int headHeight() const;
    [[nodiscard]] int columnLeft(int column) const;  ///< in the viewport
    [[nodiscard]] int scrolledDown() const;          ///< pixels
    [[nodiscard]] int columnAt(int x) const;         ///< -1 beside the columns
    [[nodiscard]] const Line* lineAt(int y) const;
    [[nodiscard]] QString tipAt(QPoint position) const;
    [[nodiscard]] QString headTip(const HeadColumn& column) const;
    void copy() const;

    TipFn m_tip;
    HeadRows m_rows;
    std::vector<Line> m_lines;
    std::vector<int> m_widths;  ///< of the columns
    int m_longestWord = 0;  ///< of all names
    int m_shortNames = 0;       ///< width that holds every name in two lines ...
    int m_longNames = 0;        ///< ... and in one
    int m_nameWidth = 0;
    bool m_unfolded = false;
};

/// A text by lines that are no wider than `width`, a longer word aside: one where it fits, else two of nearly the same
/// length, else as many as it takes.
[[nodiscard]] QStringList inLines(const QString& text, int width, const QFontMetrics& metrics);

}  // namespace ropescope
