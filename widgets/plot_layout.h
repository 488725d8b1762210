// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

class QCustomPlot;

namespace ropescope {

/// Gives every axis rect of the plot its place without painting, so that its size in pixels can be asked for.
void layOut(QCustomPlot& plot);

}  // namespace ropescope
