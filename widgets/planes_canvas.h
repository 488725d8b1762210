// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <optional>
#include <vector>

#include "widgets/plot_style.h"
#include "widgets/selection.h"

namespace ropescope {

/// One head's matrix with its strips, everything in drawn order.
struct PlanesPanel {
    HeadRef head;
    bool difference = false;  ///< two heads subtracted: every number is the first one's minus the second one's
    QString title;
    QString problem;  ///< not empty: hatched, with this message
    int colour = 0;
    int planes = 0;
    std::vector<double> overlap;  ///< [P,P] in [0,1] (differences in [-1,1]), NaN: not defined
    std::vector<double> angle1;   ///< [P] degrees
    std::vector<double> angle2;   ///< [P] degrees
    std::vector<double> logGain;  ///< [P] ln of the plane gain, 0 for plain rotary positions
    std::vector<int> blockStart;  ///< first position of every axis block
    std::vector<QString> blockName;
};

/// Draws all panels on one scale, as large as the place allows, with the legends below.
class PlanesCanvas : public QWidget {
    Q_OBJECT
public:
    explicit PlanesCanvas(QWidget* parent = nullptr);

    void setPanels(std::vector<PlanesPanel> panels);
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
    void drawPanel(QPainter& painter, const PlanesPanel& panel, const QRectF& matrix, const Looks& looks) const;
    void drawStrips(QPainter& painter, const PlanesPanel& panel, const QRectF& matrix, const Looks& looks) const;
    void drawBlocks(QPainter& painter, const PlanesPanel& panel, const QRectF& matrix, const Looks& looks) const;
    void drawLegends(QPainter& painter, const QRectF& place, const Looks& looks) const;

    struct Scale {
        ColourMap map;
        double low;
        double high;
        QString title;
    };
    [[nodiscard]] static QImage cells(const std::vector<double>& values, int rows, int columns, const Scale& scale);

    std::vector<PlanesPanel> m_panels;
    Scale m_overlap, m_angle, m_gain;  ///< of all panels
};

}  // namespace ropescope
