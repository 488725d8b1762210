// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace ropescope {

/// The rotary planes of a head: plane p holds features 2p and 2p+1 after the map and turns by frequency[p] . offset.
struct RotaryPlanes {
    std::vector<double> frequency;  ///< [P,A] radians per token; empty when nothing turns
    int axes = 2;                   ///< A

    [[nodiscard]] int count() const { return axes > 0 ? static_cast<int>(frequency.size()) / axes : 0; }
    /// |omega_p|, 0 for a still plane (one that never turns).
    [[nodiscard]] double speed(int plane) const;
    /// The axis whose offset alone turns the plane; -1 for mixed and still planes.
    [[nodiscard]] int axis(int plane) const;
    /// Every turning plane belongs to one axis.
    [[nodiscard]] bool axial() const;
};

}  // namespace ropescope
