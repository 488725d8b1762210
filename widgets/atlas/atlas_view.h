// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <optional>

#include "core/data/atlas.h"
#include "widgets/frame/view.h"

class QCheckBox;
class QComboBox;
class QLabel;

namespace ropescope {

struct AtlasFigure;
class AtlasGrid;
class ScatterPlot;
class TwoParts;

/// Layers x heads, one number as colour, with the means by layer and by head; beside it a scatter of any two numbers.
/// Hover names a head, click selects, Ctrl adds, Shift and drag select many, arrow keys move.
class AtlasView : public View {
    Q_OBJECT
public:
    AtlasView(OpenModels& models, Selection& selection, QWidget* parent = nullptr);

    void setModel(int model);  ///< the model whose heads are drawn; follows the current head otherwise
    [[nodiscard]] int model() const { return m_model; }
    void setNumber(const QString& key);  ///< HeadNumber::key
    [[nodiscard]] QString number() const;
    enum class Sort { Stored, Layers, Heads, Both };
    /// Rows and columns by their mean of the shown number, largest first; marked ones last.
    void setSort(Sort sort);
    void setScatter(const QString& keyX, const QString& keyY);

    // What the plots hold, for tests.
    [[nodiscard]] double drawnValue(HeadId head) const;  ///< NaN where the head is marked
    [[nodiscard]] QColor drawnColour(HeadId head) const;
    [[nodiscard]] QRect cellRect(HeadId head) const;  ///< in the coordinates of grid()
    [[nodiscard]] QWidget* grid() const;
    [[nodiscard]] std::vector<double> layerMeans() const;
    [[nodiscard]] std::vector<double> headMeans() const;
    [[nodiscard]] std::vector<QPointF> scatterPoints() const;  ///< sound heads only, layer by layer

protected:
    void drawFigure(QCPPainter& painter, QSize size) const override;
    void writeNumbers(NumberTable& table) const override;
    [[nodiscard]] QString subject() const override;
    void restyle() override;

private:
    void buildControls();
    void fillNumbers();
    void showKnown();
    void connectSignals();
    void refresh();
    void refreshMarks();
    void showHover(std::optional<HeadId> head);
    void take(const std::vector<HeadId>& heads, Qt::KeyboardModifiers modifiers);
    void move(int layers, int heads, Qt::KeyboardModifiers modifiers);
    [[nodiscard]] std::vector<double> values() const;
    void sortFigure(AtlasFigure& figure) const;
    [[nodiscard]] const AtlasReport* report() const;
    [[nodiscard]] const HeadNumber* find(const QString& key) const;

    int m_model = -1;
    QComboBox* m_number;
    QLabel* m_marks;
    QComboBox* m_minus;
    QComboBox* m_sort;
    QCheckBox* m_lock;
    AtlasGrid* m_grid;
    ScatterPlot* m_scatter;
    TwoParts* m_parts;
    std::map<QString, std::pair<double, double>> m_fixed;  ///< ranges held by the lock, by number
};

}  // namespace ropescope
