// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPointF>
#include <QPointer>
#include <QString>
#include <utility>
#include <vector>

#include "widgets/frame/plot_style.h"

class QCPAxisRect;
class QCPItemText;
class QCustomPlot;

namespace ropescope {

/// The frequency vectors of one head's planes.
struct PolarHead {
    std::vector<QPointF> omega;  ///< [n] radians per token, x: along columns, y: along rows; none is zero
    std::vector<double> share;   ///< [n] of the head's energy
    int colour = 0;
};

/// Frequency vectors as points: the direction is that of the wave, the distance from the centre grows with ln |omega|,
/// the area with the energy. Rings are wavelengths.
class FrequencyPolar {
public:
    /// Fills the panel; `side` 0: no ring for the grid.
    void fill(QCustomPlot& plot, QCPAxisRect& panel, const std::vector<PolarHead>& heads, int side, const Looks& looks);
    /// Rings are made round, and named where there is room for it, in the panel's present shape.
    void fit(QCPAxisRect& panel) const;
    /// In panel coordinates.
    [[nodiscard]] QPointF place(QPointF omega) const;
    /// Head and point nearest to a panel coordinate, within `reach`; {-1, -1}: none.
    [[nodiscard]] std::pair<int, int> nearest(QPointF place, double reach) const;

private:
    void addRing(QCustomPlot& plot, QCPAxisRect& panel, double wavelength, const QString& words, bool marked,
                 const Looks& looks);

    std::vector<PolarHead> m_heads;
    std::vector<QPointer<QCPItemText>> m_names;  ///< of the rings, the most important first
    double m_reach = 1;                          ///< from the centre to the nearest side
    double m_slowest = 1;                        ///< |omega| at the centre
};

}  // namespace ropescope
