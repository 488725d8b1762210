// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/head_report.h"
#include "core/probe/head_operator.h"

namespace ropescope {

/// Orthonormal bases Q_p of the row spaces of a map's planes, [P,2,D] (rows span the plane), and the gains.
/// A plane whose 2xD block has rank below two (g2 <= kPlaneGap g1) is undefined: its basis is NaN.
struct PlaneBases {
    at::Tensor basis;  ///< [P,2,D]
    at::Tensor gains;  ///< [P,2] singular values of the block, larger first
};
[[nodiscard]] PlaneBases planeBases(const at::Tensor& map);
inline constexpr double kPlaneGap = 1e-12;

/// Where the planes of one side lie in the basis of the projections (of the map; overlaps, angles, mixing and
/// circularity are unchanged by the left gauge, single gains under inverse-map are not).
///
/// overlap[p,j] = 1/2 ||Q_p^T E_j||_F^2 in [0,1], E_j canonical plane j; angles between Q_p and E_p in degrees, exact
/// for small ones too; mixing X[a,b] = sum over planes p on a, j on b of overlap[p,j] / planes on a, still and
/// undefined planes left out (NaN for one axis and for mixed planes). NaN marks undefined planes. `planes` empty:
/// everything but the gains is left empty. Checked by tests/core/probe/planes_test.cpp.
[[nodiscard]] PlaneAlignment alignPlanes(const PlaneBases& bases, const RotaryPlanes& planes);

/// 1/2 ||Q^q_p^T Q^k_p||_F^2 per plane, [P]: 1 under same-map, below 1 shows oblique planes.
/// Checked by tests/core/probe/planes_test.cpp.
[[nodiscard]] std::vector<double> queryKeyOverlap(const PlaneBases& query, const PlaneBases& key);

}  // namespace ropescope
