// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <map>
#include <vector>

#include "core/data/request.h"
#include "widgets/view.h"

class QCheckBox;
class QComboBox;
class QLabel;
class QSlider;

namespace ropescope {

class FieldsCanvas;
struct FieldsFigure;
struct FieldsPanel;
struct OffsetMap;

/// Small multiples over offsets: for every shown head the analytic kernel or sensitivity beside the measured field, on
/// shared scales with a crosshair that all panels follow. Kernels are evaluated here, so a slider drag needs no engine.
class FieldsView : public View {
    Q_OBJECT
public:
    enum class Analytic { Kernel, Softmax, Sensitivity };
    enum class Content { Weights, White, Data };
    enum class Measured { Mean, Sum };
    enum class Scale { Linear, Log };
    FieldsView(OpenModels& models, Selection& selection, QWidget* parent = nullptr);

    void setAnalytic(Analytic analytic);
    void setContentKind(Content content);
    void setMeasured(Measured measured);
    void setScale(Scale scale);
    /// With exactly two shown heads: the first one minus the second, centred on zero.
    void setDifference(bool on);
    [[nodiscard]] bool showsDifference() const { return m_subtracted; }
    void setGrid(Grid grid);  ///< up to 31 x 31; starts as the model's own grid
    [[nodiscard]] Grid grid() const;
    /// How positions change on a grid other than the model's own; asks for the changed frequencies.
    void setExtrapolation(Extrapolation method);
    [[nodiscard]] Extrapolation extrapolation() const;  ///< None on the model's own grid
    void takeScaled(int model, Grid grid, Extrapolation method, const HeadsReport& report);
    void setBeta(double beta);  ///< content strength of the softmax
    [[nodiscard]] double beta() const;
    void setStep(int step);  ///< sampling step of the measured field
    [[nodiscard]] int step() const;

    /// As drawn, [2h-1, 2w-1] row-major on grid() resp. the field's own grid; empty when not there.
    [[nodiscard]] std::vector<double> drawnAnalytic(HeadRef head) const;
    [[nodiscard]] std::vector<double> drawnMeasured(HeadRef head) const;
    [[nodiscard]] QWidget* canvas() const;  ///< the one widget that draws all panels
    [[nodiscard]] QSlider* gridSlider() const { return m_rows; }
    [[nodiscard]] QSlider* betaSlider() const { return m_beta; }
    [[nodiscard]] QString numbers(QChar separator) const override;

signals:
    void repainted();  ///< the canvas has finished a paint (for the latency figure)
    void stepChanged(int step);
    /// Reports of these heads are wanted with the frequencies of a method on a grid.
    void scaledRequested(int model, const std::vector<ropescope::HeadId>& heads, ropescope::Grid grid,
                         ropescope::Extrapolation method);

protected:
    void drawFigure(QCPPainter& painter, QSize size) const override;

private:
    void buildControls();
    void refresh();
    void refreshSteps();
    void refreshMethod();
    void askScaled();
    [[nodiscard]] const HeadReport* scaledOf(HeadRef head) const;
    void takeDefaults();
    [[nodiscard]] OffsetMap analyticOf(HeadRef head, const HeadReport& report) const;
    /// The field of the shown step, else the one measured over many images; nullptr without any.
    [[nodiscard]] const HeadField* fieldOf(HeadRef head) const;
    [[nodiscard]] FieldsPanel panelOf(HeadRef head, const HeadReport& report) const;
    void setScales(FieldsFigure& figure) const;
    void subtract(FieldsFigure& figure);
    void showHover(int index, QPoint offset);

    QComboBox* m_analytic;
    QComboBox* m_content;
    QComboBox* m_measured;
    QComboBox* m_scale;
    QCheckBox* m_difference;
    QSlider* m_rows;
    QSlider* m_cols;
    QCheckBox* m_square;
    QLabel* m_gridText;
    QComboBox* m_method;
    QSlider* m_beta;
    QLabel* m_betaText;
    QSlider* m_step;
    QLabel* m_stepText;
    FieldsCanvas* m_canvas;
    bool m_subtracted = false;  ///< the canvas holds a difference
    bool m_betaChosen = false;  ///< by hand; otherwise the current head's own strength
    struct Scaled {
        Grid grid;
        Extrapolation method = Extrapolation::None;
        HeadReport report;
    };
    std::map<HeadRef, Scaled> m_scaled;  ///< the latest of every head
    QTimer m_askPause;                   ///< a drag asks when it rests
    int m_gridOf = -1;                   ///< the model whose own grid the sliders took
    bool m_contentChosen = false;        ///< by hand; otherwise weights, or white where weights say nothing
};

}  // namespace ropescope
