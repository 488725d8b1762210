// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/model.h"

namespace ropescope {

/// How rotary frequencies are changed for a grid other than the trained one (core/encoding/extrapolation.h). None:
/// larger integers and nothing else. Interpolation also resizes a table of absolute positions.
enum class Extrapolation { None, Interpolation, NtkAware, Yarn, NtkByParts, TimeAware };

/// A method with all it needs beside the model and the new grid.
struct Extrapolate {
    Extrapolation method = Extrapolation::None;
    Grid trained;         ///< 0x0: the grid that the file says
    bool coupled = true;  ///< one scale for both axes, the larger one; false: each axis its own
    double time = 1;      ///< TimeAware where nothing is sampled: 0 noise, 1 image. Samplers use the step's own
    bool operator==(const Extrapolate&) const = default;
};

template <class V>
void fields(V& v, Extrapolate& e) {
    v("method", e.method), v("trained", e.trained), v("coupled", e.coupled), v("time", e.time);
}

}  // namespace ropescope
