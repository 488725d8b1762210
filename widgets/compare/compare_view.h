// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <vector>

#include "core/data/analysis.h"
#include "core/data/comparison.h"
#include "core/data/error.h"
#include "widgets/frame/view.h"

class QComboBox;
class QLabel;
class QPushButton;

namespace ropescope {

class CompareMatrix;
class HeadMap;
class KeyLine;
class TwoParts;
struct CompareFigure;

/// Every head against every other as a matrix of one metric, beside it the map of heads. The window runs what
/// compareRequested asks for. What the weights alone decide is asked for by itself; what has to be measured waits for
/// its button.
class CompareView : public View {
    Q_OBJECT
public:
    enum class Metric { KernelWeights, KernelData, FrequencyWeights, FrequencyData, FieldData, PlaneOverlap };
    CompareView(OpenModels& models, Selection& selection, QWidget* parent = nullptr);

    void setMetric(Metric metric);
    /// -1: the shown heads of all models; -2: all heads of all open models; else all heads of that model.
    void setHeads(int which);
    enum class Range { Whole, Data };
    void setRange(Range range);                    ///< of the colours of similarities
    [[nodiscard]] CompareRequest request() const;  ///< models empty when there is nothing to compare
    /// Asks when what is chosen is not what is drawn; `measure`: also when images must be made for it.
    void ask(bool measure);

    void showProgress(const QString& words, double share);
    void take(const CompareRequest& request, const CompareReport& report);
    void fail(const Error& error);
    void cancelled();

    [[nodiscard]] double drawnValue(HeadRef row, HeadRef column) const;  ///< NaN when it is not drawn
    [[nodiscard]] QPointF drawnPlace(HeadRef head) const;
    [[nodiscard]] QString pairText(int row, int column) const;
    [[nodiscard]] CompareMatrix* matrix() const { return m_matrix; }
    [[nodiscard]] HeadMap* map() const { return m_map; }
    [[nodiscard]] QPushButton* measureButton() const { return m_measure; }

signals:
    void compareRequested(const ropescope::CompareRequest& request);
    void cancelRequested();

protected:
    void drawFigure(QCPPainter& painter, QSize size) const override;
    void writeNumbers(NumberTable& table) const override;
    [[nodiscard]] QString subject() const override;
    void restyle() override;
    [[nodiscard]] QString emptyReason(const QString& otherwise) const override;
    [[nodiscard]] bool offersAction() const override { return View::offersAction() || lacksSecondState(); }

private:
    void buildControls();
    void fillHeads();
    void followModel();
    void onChoice();
    void draw();
    void drawMatrix();
    void drawOverlaps();
    void showKey();
    void showCommand(bool current);  ///< whether what is chosen is what is drawn
    void setRange(CompareFigure& figure) const;
    /// Chosen is what needs two models, and there are not two.
    [[nodiscard]] bool lacksSecondState() const;
    /// "L0.H1"; of several models with the letter of its own, which the key explains.
    [[nodiscard]] QString shortName(int index) const;
    void writeMatrix(NumberTable& table) const;
    void writeOverlaps(NumberTable& table) const;
    [[nodiscard]] bool isOverlap() const { return m_report && !m_report->perPlane.empty(); }
    void drawMap();
    void pick(const std::vector<int>& indices, Qt::KeyboardModifiers modifiers);
    [[nodiscard]] int indexOf(HeadRef head) const;
    [[nodiscard]] std::vector<int> keysOf(const CompareRequest& request) const;

    QComboBox* m_metric;
    QComboBox* m_which;
    QComboBox* m_range;
    bool m_chosen = false;  ///< by the user
    QPushButton* m_measure;
    QLabel* m_about;
    CompareMatrix* m_matrix;
    HeadMap* m_map;
    TwoParts* m_parts;
    KeyLine* m_key;
    QLabel* m_note;
    std::optional<CompareReport> m_report;
    std::vector<HeadRef> m_heads;           ///< [n] of the report
    std::optional<CompareRequest> m_asked;  ///< on its way
    std::optional<CompareRequest> m_drawn;
};

}  // namespace ropescope
