// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPointF>
#include <map>

#include "widgets/frame/curve_view.h"
#include "widgets/frequencies/frequency_polar.h"

class QComboBox;
class QCPAxisRect;
class QCPGraph;
class QLabel;

namespace ropescope {

/// Energy of the planes over wavelength 2 pi/|omega| (tokens, log axis), one panel per axis; the same with B = I as a
/// grey outline; grid size marked. Planes of no single axis are drawn as frequency vectors, planes that never turn as
/// bars.
class FrequenciesView : public CurveView {
    Q_OBJECT
public:
    enum class Energy { Weights, Map, Data };
    static constexpr int kMixedAxis = -1;  ///< stands for planes that belong to no single axis
    FrequenciesView(OpenModels& models, Selection& selection, QWidget* parent = nullptr);

    void setEnergy(Energy energy);

    /// (wavelength in tokens, share of energy) of the planes of an axis, by rising wavelength; still planes left out.
    [[nodiscard]] std::vector<QPointF> drawnEnergy(HeadRef head, int axis) const;
    [[nodiscard]] std::vector<QPointF> drawnReference(HeadRef head, int axis) const;
    /// Standard errors of drawnEnergy; empty where nothing was sampled.
    [[nodiscard]] std::vector<double> drawnError(HeadRef head, int axis) const;
    /// Frequency vectors (x along columns, y along rows, radians per token) of the planes of no single axis.
    [[nodiscard]] std::vector<QPointF> drawnVectors(HeadRef head) const;
    [[nodiscard]] double drawnStill(HeadRef head) const;  ///< share of energy on planes that never turn

protected:
    void restyle() override;
    void refresh() override;
    void fit() const override;
    void resizeEvent(QResizeEvent* event) override;
    void writeNumbers(NumberTable& table) const override;
    [[nodiscard]] QString readOut(QPoint position) const override;

private:
    void buildPanels(const std::vector<int>& axes);
    [[nodiscard]] QCPAxisRect* addPanel(int place);
    QCPGraph* addCurve(int axis, const std::vector<QPointF>& points);
    void addReference(int axis);
    void addHead(HeadRef head, int axis);
    void addErrors(QCPGraph* graph, HeadRef head, int axis);
    void fillPolar();
    void fillStill();
    void fitStill() const;
    void showKey();
    void showSummary();
    void addGridMark(int axis, QCPAxisRect* panel);
    [[nodiscard]] std::vector<int> axesShown() const;  ///< -1: planes that belong to no single axis
    [[nodiscard]] bool isFlattened(HeadRef head) const;
    [[nodiscard]] QString axisName(int axis) const;
    [[nodiscard]] QStringList wavelengthTitles(int axis) const;  ///< longest first
    [[nodiscard]] QString missingReason(HeadRef head) const;     ///< why nothing of it is drawn; empty: it is
    void fitPlot() const;
    [[nodiscard]] const std::vector<double>* shares(HeadRef head) const;    ///< [P] as chosen; nullptr: none
    [[nodiscard]] std::vector<double> referenceShares(HeadRef head) const;  ///< [P]
    [[nodiscard]] QStringList summary(HeadRef head) const;                  ///< the most telling part first
    [[nodiscard]] Energy chosen() const;

    QComboBox* m_energy;
    QLabel* m_about;
    std::map<int, QCPAxisRect*> m_panels;
    QCPAxisRect* m_still = nullptr;
    QStringList m_stillNames;
    FrequencyPolar m_polar;
    std::vector<HeadRef> m_polarHeads;
    QLabel* m_summary;
};

}  // namespace ropescope
