// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <optional>
#include <vector>

#include "core/data/colour.h"
#include "core/data/model.h"
#include "widgets/frame/plot_style.h"

namespace ropescope {

/// What the grid of the Atlas draws.
struct AtlasFigure {
    int layers = 0;
    int heads = 0;
    std::vector<double> values;     ///< [L*H], NaN where marked
    std::vector<QString> problems;  ///< [L*H], empty where sound
    QString title;                  ///< with the unit
    QString nothing;                ///< why there is no value at all; empty: there is one
    ColourMap map = ColourMap::Viridis;
    double low = 0;
    double high = 1;
    std::vector<int> layerOrder;  ///< layers from top to bottom; empty: as stored
    std::vector<int> headOrder;   ///< heads from left to right; empty: as stored

    struct Mark {
        HeadId id;
        int colour = 0;
        bool current = false;
        bool pinned = false;
    };
    std::vector<Mark> marks;  ///< selected and pinned heads
};

/// One widget that draws all cells, the means by layer (right) and by head (below) and the legend.
class AtlasGrid : public QWidget {
    Q_OBJECT
public:
    explicit AtlasGrid(QWidget* parent = nullptr);

    void setFigure(AtlasFigure figure);
    [[nodiscard]] const AtlasFigure& figure() const { return m_figure; }
    [[nodiscard]] QRectF cell(HeadId head) const;
    [[nodiscard]] QSize least() const;  ///< below it cells cannot be told apart
    [[nodiscard]] double meanOfLayer(int layer) const;
    [[nodiscard]] double meanOfHead(int head) const;
    [[nodiscard]] QColor colour(HeadId head) const;
    /// The head that is drawn `rows` below and `columns` right of another one, stopping at the edges.
    [[nodiscard]] HeadId neighbour(HeadId head, int rows, int columns) const;
    /// All heads of the rectangle that two heads span as they are drawn.
    [[nodiscard]] std::vector<HeadId> block(HeadId one, HeadId other) const;
    void draw(QPainter& painter, const QRectF& place, const Looks& looks) const;

signals:
    void hovered(std::optional<ropescope::HeadId> head);
    void picked(ropescope::HeadId head, Qt::KeyboardModifiers modifiers);
    void brushed(const std::vector<ropescope::HeadId>& heads, Qt::KeyboardModifiers modifiers);
    void moved(int layers, int heads, Qt::KeyboardModifiers modifiers);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    struct Layout;
    [[nodiscard]] Layout layoutIn(const QRectF& place, const QFont& font) const;
    [[nodiscard]] std::optional<HeadId> headAt(QPointF position) const;
    [[nodiscard]] double value(int layer, int head) const;
    [[nodiscard]] qreal widestNumber(const QFont& font) const;
    [[nodiscard]] qreal widestMean(const QFont& font) const;
    [[nodiscard]] QPoint placeOf(HeadId head) const;  ///< x: column, y: row as drawn
    [[nodiscard]] HeadId drawnAt(int row, int column) const;
    void drawCells(QPainter& painter, const Layout& layout, const Looks& looks) const;
    void drawMarks(QPainter& painter, const Layout& layout, const Looks& looks) const;
    void drawMeans(QPainter& painter, const Layout& layout, const Looks& looks) const;
    void drawLabels(QPainter& painter, const Layout& layout, const Looks& looks) const;

    AtlasFigure m_figure;
    std::optional<HeadId> m_hover;
    QPointF m_pressed;
    QRectF m_brush;  ///< while dragging
};

}  // namespace ropescope
