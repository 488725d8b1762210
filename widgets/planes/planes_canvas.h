// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <QWidget>
#include <optional>
#include <vector>

#include "widgets/frame/plot_style.h"
#include "widgets/state/selection.h"

namespace ropescope {

/// One head's matrix with its strips, everything in drawn order.
struct PlanesPanel {
    HeadRef head;
    bool difference = false;  ///< two heads subtracted: every number is the first one's minus the second one's
    QStringList titles;  ///< from the longest to the shortest: the first one that all panels have room for is drawn
    QString problem;     ///< not empty: hatched, with this message
    int colour = 0;
    int planes = 0;
    std::vector<double> overlap;  ///< [P,P] in [0,1] (differences in [-1,1]), NaN: not defined
    std::vector<double> angle1;   ///< [P] degrees
    std::vector<double> angle2;   ///< [P] degrees
    std::vector<double> logGain;  ///< [P] ln of the plane gain, 0 for plain rotary positions
    std::vector<int> blockStart;  ///< first position of every axis block
    std::vector<QString> blockName;
    std::vector<QString> shortBlockName;  ///< where the block is too small for its name
};

/// Draws all panels on one scale, as large as the place allows and in its middle, with the legends below.
class PlanesCanvas : public QWidget {
    Q_OBJECT
public:
    explicit PlanesCanvas(QWidget* parent = nullptr);

    /// `letters` explains the letters of the shorter titles.
    void setPanels(std::vector<PlanesPanel> panels, const QString& letters);
    /// Of overlaps and angles: all they can be, or from zero to the largest that is drawn.
    enum class Range { Whole, Data };
    void setRange(Range range);
    [[nodiscard]] std::vector<QRectF> matrices() const;  ///< where the matrices lie
    /// The height below which matrices of a canvas of this width are too small to be read.
    [[nodiscard]] int leastHeight(int width) const;
    [[nodiscard]] double highestOverlap() const { return m_overlap.high; }
    [[nodiscard]] const std::vector<PlanesPanel>& panels() const { return m_panels; }
    void draw(QPainter& painter, const QRectF& place, const Looks& looks) const;

signals:
    /// panel index -1: nothing under the mouse
    void hovered(int panel, int row, int column);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;

private:
    struct Layout;
    [[nodiscard]] Layout layoutIn(const QRectF& place, const QFont& font) const;
    void shareOut(Layout& layout, const QRectF& room, const QFont& font) const;
    void placeMatrices(Layout& layout, const QRectF& room, const QFont& font) const;
    [[nodiscard]] int titleFor(qreal width, const QFont& font) const;
    void setScales();
    void drawPanel(QPainter& painter, const PlanesPanel& panel, const QRectF& matrix, const Layout& layout,
                   const Looks& looks) const;
    void drawStrips(QPainter& painter, const PlanesPanel& panel, const QRectF& matrix, const Looks& looks) const;
    void drawBlocks(QPainter& painter, const PlanesPanel& panel, const QRectF& matrix, const Layout& layout,
                    const Looks& looks) const;
    void drawLegends(QPainter& painter, const QRectF& place, const Looks& looks) const;

    struct Scale {
        ColourMap map;
        double low;
        double high;
        QString title;
    };
    [[nodiscard]] static QImage cells(const std::vector<double>& values, int rows, int columns, const Scale& scale);

    std::vector<PlanesPanel> m_panels;
    QString m_letters;
    Range m_range = Range::Whole;
    Scale m_overlap, m_angle, m_gain;  ///< of all panels
};

}  // namespace ropescope
