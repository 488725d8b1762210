// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <optional>
#include <vector>

#include "widgets/frame/plot_style.h"

namespace ropescope {

/// Heads against heads, or against something else, everything in drawn order.
struct CompareFigure {
    std::vector<QString> names;    ///< [n] of the rows
    std::vector<QString> columns;  ///< [m]; empty: the rows' heads again
    std::vector<double> values;    ///< [n,m], NaN: cannot be compared
    std::vector<int> colours;      ///< [n] Selection::colourIndex, -1: not shown elsewhere
    std::vector<int> blockStart;   ///< first head of every model
    ColourMap map = ColourMap::Viridis;
    double low = 0;
    double high = 1;
    QString title;  ///< with the unit

    [[nodiscard]] int size() const { return static_cast<int>(names.size()); }
    [[nodiscard]] int columnCount() const { return columns.empty() ? size() : static_cast<int>(columns.size()); }
};

/// Draws the matrix with the names at its sides, models outlined, and the legend below.
class CompareMatrix : public QWidget {
    Q_OBJECT
public:
    explicit CompareMatrix(QWidget* parent = nullptr);

    void setFigure(CompareFigure figure);
    [[nodiscard]] const CompareFigure& figure() const { return m_figure; }
    [[nodiscard]] QRectF cell(int row, int column) const;
    /// How far the matrix with all around it reaches in a place of this size, to the right or downwards.
    [[nodiscard]] int extentIn(QSize place, Qt::Orientation along) const;
    void draw(QPainter& painter, const QRectF& place, const Looks& looks) const;

signals:
    void hovered(int row, int column);  ///< -1: left the matrix
    void picked(int row, int column, Qt::KeyboardModifiers modifiers);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;

private:
    struct Layout;
    [[nodiscard]] Layout layoutIn(const QRectF& place, const QFont& font) const;
    [[nodiscard]] QPoint cellAt(QPointF position) const;  ///< x: column, y: row; -1: none
    void drawValues(QPainter& painter, const Layout& layout, const Looks& looks) const;
    void drawNames(QPainter& painter, const Layout& layout, const Looks& looks) const;
    void drawFrames(QPainter& painter, const Layout& layout, const Looks& looks) const;

    CompareFigure m_figure;
    QPoint m_hover{-1, -1};
};

}  // namespace ropescope
