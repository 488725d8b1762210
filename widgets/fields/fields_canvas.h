// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <optional>
#include <vector>

#include "core/data/field.h"
#include "widgets/frame/plot_style.h"
#include "widgets/state/selection.h"

namespace ropescope {

/// Values over offsets, [2h-1, 2w-1] row-major, zero offset in the middle; empty when there are none.
struct OffsetMap {
    Grid grid;
    std::vector<double> values;

    [[nodiscard]] int rows() const { return 2 * grid.rows - 1; }
    [[nodiscard]] int cols() const { return 2 * grid.cols - 1; }
    [[nodiscard]] bool holds(int row, int col) const {
        return !values.empty() && std::abs(row) < grid.rows && std::abs(col) < grid.cols;
    }
    /// By offset in tokens; holds(row, col) must be true.
    [[nodiscard]] double at(int row, int col) const {
        return values[static_cast<std::size_t>(row + grid.rows - 1) * cols() + col + grid.cols - 1];
    }
};

enum class FieldKind { Analytic, Measured };

struct FieldsPanel {
    HeadRef head;
    QString name;          ///< of the head, or "A - B"
    QStringList captions;  ///< the same at most ... to least length: the first one that has room is drawn
    QString problem;       ///< not empty: hatched, with this message
    int colour = 0;
    OffsetMap analytic;
    OffsetMap measured;
    std::optional<FieldNumbers> numbers;  ///< of the measured field
};

/// One scale of values to colours, shared by all panels of a kind.
struct FieldScale {
    ColourMap map = ColourMap::Viridis;
    double low = 0;
    double high = 1;
    QString title;
    bool log = false;  ///< colours and profiles over log10; low and high are values, not logarithms
    [[nodiscard]] double drawn(double value) const;  ///< the value as coloured: itself or its log10, not below low
};

struct FieldsFigure {
    std::vector<FieldsPanel> panels;
    FieldScale analytic;
    FieldScale measured;
    QString noField;     ///< what a panel without a measured field says
    QString noAnalytic;  ///< what a panel without an analytic one says
    QStringList source;  ///< of the measured fields, longest first; may be empty
    QString letters;     ///< what the letters in short captions mean; may be empty

    /// Offsets that every panel reaches, so that all are of one extent.
    [[nodiscard]] Grid extent() const;
};

/// Draws all panels, the profiles through the crosshair and the legends. Moving the mouse moves the crosshair of every
/// panel. A repaint of six heads on a 31 x 31 grid is the drag that must stay within a frame.
class FieldsCanvas : public QWidget {
    Q_OBJECT
public:
    explicit FieldsCanvas(QWidget* parent = nullptr);

    void setFigure(FieldsFigure figure);
    [[nodiscard]] const FieldsFigure& figure() const { return m_figure; }
    [[nodiscard]] QPoint crosshair() const { return m_cross; }  ///< x: column offset, y: row offset, tokens
    void setCrosshair(QPoint offset);
    void draw(QPainter& painter, const QRectF& place, const Looks& looks) const;
    /// Middle of the cell of an offset (x: columns, y: rows) in a panel's map, in widget coordinates.
    [[nodiscard]] QPointF placeOf(int panel, FieldKind kind, QPoint offset) const;

signals:
    void hovered(int panel, QPoint offset);  ///< panel -1: left the panels
    void repainted();

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    struct Layout;
    struct Frame;
    [[nodiscard]] int heightFor(int width, int height) const;
    void fitHeight();
    [[nodiscard]] Layout layoutIn(const QRectF& place, const QFont& font) const;
    void drawPanel(QPainter& painter, std::size_t index, const Layout& layout, const Looks& looks) const;
    void drawHeading(QPainter& painter, const FieldsPanel& panel, const Layout& layout, const QRectF& left,
                     const QRectF& right, const Looks& looks) const;
    void drawTicks(QPainter& painter, const QRectF& place, const Layout& layout, bool rows, const Looks& looks) const;
    [[nodiscard]] QRectF placeOf(const OffsetMap& map, const QRectF& place) const;
    void drawMap(QPainter& painter, const OffsetMap& map, const FieldScale& scale, const QRectF& place,
                 const Looks& looks) const;
    void drawNothing(QPainter& painter, const QRectF& place, const QString& why, const QString& shortly,
                     const Looks& looks) const;
    void drawNumbers(QPainter& painter, const FieldsPanel& panel, const QRectF& place) const;
    void drawSummary(QPainter& painter, const FieldsPanel& panel, const QRectF& place, const Looks& looks) const;
    void drawProfiles(QPainter& painter, const QRectF& place, const Looks& looks) const;

    FieldsFigure m_figure;
    QPoint m_cross;
};

}  // namespace ropescope
