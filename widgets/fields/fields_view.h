// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <map>
#include <vector>

#include "core/data/request.h"
#include "widgets/frame/view.h"

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QSlider;

namespace ropescope {

class FieldsCanvas;
class Runs;
struct FieldsFigure;
struct FieldsPanel;
struct OffsetMap;

/// Small multiples over offsets: for every shown head the analytic kernel or sensitivity beside the field measured in
/// the selected picture, of one extent and on shared scales, with a crosshair that all panels follow. Kernels are
/// evaluated here, so a slider drag needs no engine.
class FieldsView : public View {
    Q_OBJECT
public:
    enum class Analytic { Kernel, Softmax, Sensitivity };
    enum class Content { Weights, White, Data };
    enum class Measured { Mean, Sum };
    enum class Scale { Linear, Log };
    FieldsView(OpenModels& models, Selection& selection, Runs& runs, QWidget* parent = nullptr);

    void setAnalytic(Analytic analytic);
    void setContentKind(Content content);
    void setMeasured(Measured measured);
    void setScale(Scale scale);
    /// With exactly two shown heads: the first one minus the second, centred on zero.
    void setDifference(bool on);
    [[nodiscard]] bool showsDifference() const { return m_subtracted; }
    /// The grid of the analytic field: that of the selected picture, else the model's own, until it is changed.
    void setGrid(Grid grid);
    [[nodiscard]] Grid grid() const;
    /// How positions change on a grid other than the model's own; asks for the changed frequencies.
    void setExtrapolation(Extrapolation method);
    [[nodiscard]] Extrapolation extrapolation() const;  ///< None on the model's own grid
    void takeScaled(int model, Grid grid, Extrapolation method, const HeadsReport& report);
    void setBeta(double beta);  ///< content strength of the softmax
    [[nodiscard]] double beta() const;
    void setFixedRange(bool fixed);             ///< colours keep their range over steps and heads; it can be typed
    [[nodiscard]] double highMeasured() const;  ///< end of the drawn range

    /// As drawn, [2h-1, 2w-1] row-major on grid() resp. the field's own grid; empty when not there.
    [[nodiscard]] std::vector<double> drawnAnalytic(HeadRef head) const;
    [[nodiscard]] std::vector<double> drawnMeasured(HeadRef head) const;
    [[nodiscard]] QWidget* canvas() const;  ///< the one widget that draws all panels
    [[nodiscard]] QSlider* gridSlider() const { return m_rows; }
    [[nodiscard]] QSlider* betaSlider() const { return m_beta; }

signals:
    void repainted();  ///< the canvas has finished a paint (for the latency figure)
    /// Reports of these heads are wanted with the frequencies of a method on a grid.
    void scaledRequested(int model, const std::vector<ropescope::HeadId>& heads, ropescope::Grid grid,
                         ropescope::Extrapolation method);

protected:
    void drawFigure(QCPPainter& painter, QSize size) const override;
    [[nodiscard]] QSize figureSize() const override;
    void writeNumbers(NumberTable& table) const override;

private:
    void buildControls();
    void refresh();
    void refreshMethod();
    void showCommand();
    void askScaled();
    [[nodiscard]] const HeadReport* scaledOf(HeadRef head) const;
    void takeDefaults();
    [[nodiscard]] OffsetMap analyticOf(HeadRef head, const HeadReport& report) const;
    /// The field of the shown step, else the one measured over many images; nullptr without any.
    [[nodiscard]] const HeadField* fieldOf(HeadRef head) const;
    [[nodiscard]] FieldsPanel panelOf(HeadRef head, const HeadReport& report) const;
    void setScales(FieldsFigure& figure);
    [[nodiscard]] double largestField(HeadRef head) const;
    [[nodiscard]] QStringList sourceTexts() const;
    [[nodiscard]] QString noFieldText() const;
    void subtract(FieldsFigure& figure);
    void showHover(int index, QPoint offset);

    Runs& m_runs;
    QComboBox* m_analytic;
    QComboBox* m_content;
    QPushButton* m_measure = nullptr;  ///< offered where data are asked for, or weights say nothing
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
    QCheckBox* m_fixed;
    QDoubleSpinBox* m_highAnalytic;
    QDoubleSpinBox* m_highMeasured;
    FieldsCanvas* m_canvas;
    bool m_subtracted = false;  ///< the canvas holds a difference
    bool m_betaChosen = false;  ///< by hand; otherwise the current head's own strength
    struct Scaled {
        Grid grid;
        Extrapolation method = Extrapolation::None;
        HeadReport report;
    };
    std::map<HeadRef, Scaled> m_scaled;    ///< the latest of every head
    QTimer m_askPause;                     ///< a drag asks when it rests
    std::pair<int, int> m_gridOf{-1, -1};  ///< model and picture whose grid the sliders took
};

}  // namespace ropescope
