// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPointF>
#include <QWidget>
#include <optional>
#include <vector>

#include "core/data/head_report.h"
#include "widgets/atlas/atlas_grid.h"

class QComboBox;
class QCPPainter;
class QCustomPlot;

namespace ropescope {

/// Scatter of any two head numbers, chosen in two boxes that its owner gives a place. Hover names a head, click
/// selects, drag brushes many.
class ScatterPlot : public QWidget {
    Q_OBJECT
public:
    explicit ScatterPlot(QWidget* parent = nullptr);

    void setReport(const AtlasReport& report);
    void setMarks(const std::vector<AtlasFigure::Mark>& marks);
    void setAxes(const QString& keyX, const QString& keyY);  ///< HeadNumber::key; unknown keys are ignored
    [[nodiscard]] std::vector<QPointF> points() const;       ///< of sound heads
    [[nodiscard]] QComboBox* xChoice() const { return m_x; }
    [[nodiscard]] QComboBox* yChoice() const { return m_y; }
    void draw(QCPPainter& painter, QSize size) const;
    void restyle();

signals:
    void hovered(std::optional<ropescope::HeadId> head);
    void picked(ropescope::HeadId head, Qt::KeyboardModifiers modifiers);
    void brushed(const std::vector<ropescope::HeadId>& heads, Qt::KeyboardModifiers modifiers);

protected:
    void changeEvent(QEvent* event) override;

private:
    struct Point {
        HeadId id;
        QPointF place;
    };
    void refresh();
    void drawMarks();
    [[nodiscard]] std::optional<HeadId> headAt(QPoint position) const;

    AtlasReport m_report;
    std::vector<AtlasFigure::Mark> m_marks;
    std::vector<Point> m_points;
    QComboBox* m_x;
    QComboBox* m_y;
    QCustomPlot* m_plot;
};

}  // namespace ropescope
