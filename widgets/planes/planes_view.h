// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "widgets/frame/view.h"

class QCheckBox;
class QComboBox;
class QScrollArea;

namespace ropescope {

class PlanesCanvas;
struct PlanesPanel;

/// Overlap of a head's rotary planes with the canonical ones, one matrix per shown head on one scale: planes
/// ordered by axis and frequency, axis blocks outlined, strips for the principal angles and the plane gains.
class PlanesView : public View {
    Q_OBJECT
public:
    enum class Side { Query, Key, QueryKey };
    PlanesView(OpenModels& models, Selection& selection, QWidget* parent = nullptr);

    void setSide(Side side);
    /// With exactly two shown heads of equal size: the first one minus the second, centred on zero.
    void setDifference(bool on);
    [[nodiscard]] bool showsDifference() const;
    enum class Range { Whole, Data };
    void setRange(Range range);  ///< of the colours

    /// [P,P] as drawn (rows and columns in drawn order); for QueryKey the diagonal holds the per-plane overlap.
    [[nodiscard]] std::vector<double> drawnOverlap(HeadRef head) const;
    /// Drawn order: position -> plane index.
    [[nodiscard]] std::vector<int> drawnOrder(HeadRef head) const;
    /// What hovering row, column (drawn order) says.
    [[nodiscard]] QString cellText(HeadRef head, int row, int column) const;
    [[nodiscard]] QWidget* canvas() const;

protected:
    void drawFigure(QCPPainter& painter, QSize size) const override;
    [[nodiscard]] QSize figureSize() const override;
    void resizeEvent(QResizeEvent* event) override;
    void writeNumbers(NumberTable& table) const override;

private:
    void refresh();
    void fitCanvas();
    [[nodiscard]] PlanesPanel panelOf(HeadRef head, const HeadReport& report) const;
    [[nodiscard]] QString differenceText(int row, int column) const;

    QComboBox* m_side;
    QComboBox* m_range;
    QCheckBox* m_difference;
    PlanesCanvas* m_canvas;
    QScrollArea* m_scroll;  ///< for more heads than there is room for
};

}  // namespace ropescope
