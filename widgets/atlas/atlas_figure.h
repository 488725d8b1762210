// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <utility>
#include <vector>

#include "widgets/atlas/atlas_grid.h"

namespace ropescope {

/// Smallest and largest value, NaN left out; a little apart where they are equal, 0 and 1 where there is none.
[[nodiscard]] std::pair<double, double> rangeOf(const std::vector<double>& values);
/// Indices of the largest value first; NaN last, equal ones as stored.
[[nodiscard]] std::vector<int> descending(const std::vector<double>& values);
/// Means over the sound heads along one side of [layers, heads]; NaN where there is none.
[[nodiscard]] std::vector<double> meansOf(const AtlasFigure& figure, bool byLayer);

}  // namespace ropescope
