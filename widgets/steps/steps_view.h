// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <map>
#include <vector>

#include "widgets/frame/curve_view.h"
#include "widgets/steps/step_series.h"

class QCPAxisRect;
class QCPItemLine;
class QCPMarginGroup;
class QMouseEvent;

namespace ropescope {

struct Run;
class Runs;

/// Entropy and mean distance of the shown heads' measured attention over the sampling steps of the selected picture, in
/// two panels beside or above each other. A marker stands at the step of the run's slider; a click or a drag moves it.
/// Up to date only while it can be seen. Checked by tests/widgets/steps_view_test.cpp.
class StepsView : public CurveView {
    Q_OBJECT
public:
    StepsView(OpenModels& models, Selection& selection, Runs& runs, QWidget* parent = nullptr);

    [[nodiscard]] std::vector<StepPoint> drawnSeries(HeadRef head) const;
    [[nodiscard]] double drawnMarker() const;  ///< on the axis, where steps count from 1; 0: none
    /// Where a step lies in the plot, counted from 0, in the panel of the entropy (0) or of the distance (1).
    [[nodiscard]] QPoint placeOf(int panel, int step) const;

protected:
    void restyle() override;
    void refresh() override;
    void fit() const override;
    void writeNumbers(NumberTable& table) const override;
    [[nodiscard]] QString readOut(QPoint position) const override;
    [[nodiscard]] QString emptyReason(const QString& otherwise) const override;
    [[nodiscard]] bool offersAction() const override;

private:
    static constexpr int kPanels = 2;
    [[nodiscard]] static QString purpose();
    void addPanel(int index, const QString& title, const QString& shortly);
    void arrange(bool stacked) const;
    void measure();
    void drawPanel(int index);
    void moveMarkers();
    void showKey(const Run& run);
    void goTo(const QMouseEvent& event);
    [[nodiscard]] int panelAt(QPoint position) const;  ///< -1: none
    [[nodiscard]] int stepAt(int panel, QPoint position) const;
    [[nodiscard]] QString whyEmpty(const Run& run) const;

    Runs& m_runs;
    std::array<QCPAxisRect*, kPanels> m_panels{};
    std::array<QCPItemLine*, kPanels> m_markers{};
    QCPMarginGroup* m_margins = nullptr;
    int m_run = -1;  ///< that m_series is of
    std::map<HeadRef, std::vector<StepPoint>> m_series;
};

}  // namespace ropescope
