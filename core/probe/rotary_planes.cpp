// SPDX-License-Identifier: Apache-2.0
#include "core/probe/rotary_planes.h"

#include <cmath>

namespace ropescope {

double RotaryPlanes::speed(int plane) const {
    double square = 0;
    for (int a = 0; a < axes; ++a) square += frequency[plane * axes + a] * frequency[plane * axes + a];
    return std::sqrt(square);
}

int RotaryPlanes::axis(int plane) const {
    int found = -1;
    for (int a = 0; a < axes; ++a) {
        if (frequency[plane * axes + a] == 0) continue;
        if (found >= 0) return -1;
        found = a;
    }
    return found;
}

bool RotaryPlanes::axial() const {
    for (int p = 0; p < count(); ++p)
        if (axis(p) < 0 && speed(p) > 0) return false;
    return true;
}

}  // namespace ropescope
