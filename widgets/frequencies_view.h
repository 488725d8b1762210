// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPointF>
#include <map>

#include "widgets/view.h"

class QComboBox;
class QCPAxisRect;
class QCPGraph;
class QCustomPlot;
class QLabel;

namespace ropescope {

class HeadChips;

/// Energy of the planes over wavelength 2 pi/|omega| (tokens, log axis), one panel per axis; the same with B = I as a
/// grey outline; grid size marked.
class FrequenciesView : public View {
    Q_OBJECT
public:
    enum class Energy { Weights, Map };
    FrequenciesView(OpenModels& models, Selection& selection, QWidget* parent = nullptr);

    void setEnergy(Energy energy);

    /// (wavelength in tokens, share of energy) of the planes of an axis, by rising wavelength; still planes left out.
    [[nodiscard]] std::vector<QPointF> drawnEnergy(HeadRef head, int axis) const;
    [[nodiscard]] std::vector<QPointF> drawnReference(HeadRef head, int axis) const;
    [[nodiscard]] QString numbers(QChar separator) const override;

protected:
    void drawFigure(QCPPainter& painter, QSize size) const override;
    void restyle() override;

private:
    void refresh();
    void buildPanels(const std::vector<int>& axes);
    QCPGraph* addCurve(int axis, const std::vector<QPointF>& points);
    void addReference(int axis);
    void addHead(HeadRef head, int axis);
    void addGridMark(int axis, QCPAxisRect* panel);
    [[nodiscard]] std::vector<int> axesShown() const;  ///< -1: planes that belong to no single axis
    [[nodiscard]] QString summary(HeadRef head) const;
    void readOut(QPoint position);

    QComboBox* m_energy;
    HeadChips* m_chips;
    QCustomPlot* m_plot;
    std::map<int, QCPAxisRect*> m_panels;
    QLabel* m_summary;
};

}  // namespace ropescope
