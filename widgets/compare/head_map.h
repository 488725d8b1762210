// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPointF>
#include <QStringList>
#include <QWidget>
#include <vector>

class QCPPainter;
class QCustomPlot;
class QColor;
class QPainter;

namespace ropescope {

/// Heads as points in a plane whose distances mean something: both axes have one scale.
struct HeadMapFigure {
    std::vector<QPointF> places;  ///< [n], NaN: left out
    std::vector<QString> names;   ///< [n]
    std::vector<int> colours;     ///< [n] Selection::colourIndex, -1: not shown elsewhere
    std::vector<int> models;      ///< [n] 0, 1, ...: the shape of the point
    int current = -1;             ///< whose name has its place before all others; -1: none
    QString titleX, titleY;
};

/// The shape that stands for a model on the map.
void drawModelShape(QPainter& painter, QPointF centre, int model, const QColor& fill, const QColor& outline);

/// Map of heads: hover names a head, click selects it.
class HeadMap : public QWidget {
    Q_OBJECT
public:
    explicit HeadMap(QWidget* parent = nullptr);

    void setFigure(HeadMapFigure figure);
    [[nodiscard]] const HeadMapFigure& figure() const { return m_figure; }
    [[nodiscard]] QPointF pixel(int index) const;  ///< where a point lies, in the widget
    [[nodiscard]] QStringList names() const;       ///< that are drawn, those first that had their choice of a place
    void draw(QCPPainter& painter, QSize size) const;
    void restyle();

signals:
    void hovered(int index);  ///< -1: none
    void picked(int index, Qt::KeyboardModifiers modifiers);

private:
    void refresh();
    void fit() const;
    void fitRanges() const;
    void placeLabels() const;
    [[nodiscard]] std::vector<int> named() const;
    [[nodiscard]] int indexAt(QPoint position) const;

    HeadMapFigure m_figure;
    QCustomPlot* m_plot;
};

}  // namespace ropescope
