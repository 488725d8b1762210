// SPDX-License-Identifier: Apache-2.0
#include "core/probe/planes.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <numbers>

namespace ropescope {
namespace {

// Squared length of Q_p inside canonical plane j, halved: [P,P].
at::Tensor overlapMatrix(const at::Tensor& basis) {
    const std::int64_t planes = basis.size(0);
    return basis.square().sum(1).view({planes, planes, 2}).sum(2) / 2;
}

/// Principal angles between Q_p and canonical plane p, degrees, ascending, [P,2].
std::vector<double> anglesToCanonical(const at::Tensor& basis) {
    const std::int64_t planes = basis.size(0);
    at::Tensor inside = at::empty({planes, 2, 2}, at::kDouble), outside = basis.clone();
    for (std::int64_t p = 0; p < planes; ++p) {
        inside[p].copy_(basis[p].narrow(1, 2 * p, 2));
        outside[p].narrow(1, 2 * p, 2).zero_();
    }
    const at::Tensor undefined = basis.isnan().any(2).any(1);
    const at::Tensor keep = undefined.logical_not().view({planes, 1, 1}).to(at::kDouble);
    // An SVD must not see NaN.
    const at::Tensor cosines = at::linalg_svdvals(inside.nan_to_num() * keep);
    const at::Tensor sines = at::linalg_svdvals(outside.nan_to_num() * keep);
    // The sine is the length of what sticks out of the plane: it keeps its digits where the cosine has lost them.
    at::Tensor angles = at::atan2(sines.flip({1}), cosines) * (180 / std::numbers::pi);
    angles.masked_fill_(undefined.unsqueeze(1), std::numeric_limits<double>::quiet_NaN());
    return flat(angles);
}

void mixAxes(PlaneAlignment& out, const RotaryPlanes& planes) {
    const int count = planes.count(), axes = planes.axes;
    out.axisMixing.assign(axes * axes, 0.0);
    std::vector<int> onAxis(axes, 0);
    for (int p = 0; p < count; ++p) {
        const int a = planes.axis(p);
        if (a < 0 || std::isnan(out.overlap[p * count])) continue;
        ++onAxis[a];
        for (int j = 0; j < count; ++j)
            if (planes.axis(j) >= 0) out.axisMixing[a * axes + planes.axis(j)] += out.overlap[p * count + j];
    }
    int used = 0;
    for (int a = 0; a < axes; ++a) {
        for (int b = 0; b < axes; ++b) out.axisMixing[a * axes + b] /= onAxis[a];  // NaN for an axis without planes
        if (onAxis[a] == 0) continue;
        ++used;
        out.crossAxisMixing += 1 - out.axisMixing[a * axes + a];
    }
    out.crossAxisMixing /= used;
}

}  // namespace

PlaneBases planeBases(const at::Tensor& map) {
    const std::int64_t d = map.size(0);
    const auto [u, gains, basis] = at::linalg_svd(map.reshape({d / 2, 2, d}), /*full_matrices=*/false);
    const at::Tensor flatPlane = gains.select(1, 1) <= kPlaneGap * gains.select(1, 0);
    return {basis.masked_fill(flatPlane.view({-1, 1, 1}), std::numeric_limits<double>::quiet_NaN()), gains};
}

PlaneAlignment alignPlanes(const PlaneBases& bases, const RotaryPlanes& planes) {
    PlaneAlignment out;
    out.gain1 = flat(bases.gains.select(1, 0));
    out.gain2 = flat(bases.gains.select(1, 1));
    out.gain = flat((bases.gains.square().sum(1) / 2).sqrt());
    if (planes.count() == 0) return out;
    out.overlap = flat(overlapMatrix(bases.basis));
    out.principalAngles = anglesToCanonical(bases.basis);
    if (planes.axes > 1 && planes.axial())
        mixAxes(out, planes);
    else
        out.crossAxisMixing = std::numeric_limits<double>::quiet_NaN();
    return out;
}

std::vector<double> queryKeyOverlap(const PlaneBases& query, const PlaneBases& key) {
    return flat(at::matmul(query.basis, key.basis.mT()).square().sum({1, 2}) / 2);
}

}  // namespace ropescope
