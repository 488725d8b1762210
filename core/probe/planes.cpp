// SPDX-License-Identifier: Apache-2.0
#include "core/probe/planes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <utility>

namespace ropescope {
namespace {

/// Makes the two rows of every matrix [P,2,D] orthogonal, the longer one first, and returns their lengths [P,2]: one
/// Jacobi rotation, which is the whole SVD of two rows (Golub and Van Loan, one-sided Jacobi) without squaring its
/// condition. A second one clears the first one's rounding.
at::Tensor orthogonaliseRows(at::Tensor& pairs) {
    const std::int64_t count = pairs.size(0), d = pairs.size(2);
    at::Tensor lengths = at::empty({count, 2}, at::kDouble);
    double* length = lengths.data_ptr<double>();
    for (std::int64_t p = 0; p < count; ++p, length += 2) {
        double *x = pairs.data_ptr<double>() + p * 2 * d, *y = x + d;
        const auto product = [d](const double* a, const double* b) { return std::inner_product(a, a + d, b, 0.0); };
        for (int pass = 0; pass < 2; ++pass) {
            const double xy = product(x, y);
            if (xy == 0) break;
            const double zeta = (product(y, y) - product(x, x)) / (2 * xy);
            const double t = std::copysign(1 / (std::abs(zeta) + std::hypot(1, zeta)), zeta);
            const double cos = 1 / std::hypot(1, t), sin = cos * t;
            for (std::int64_t i = 0; i < d; ++i) {
                const double turned = cos * x[i] - sin * y[i];
                y[i] = sin * x[i] + cos * y[i], x[i] = turned;
            }
        }
        length[0] = std::sqrt(product(x, x)), length[1] = std::sqrt(product(y, y));
        if (length[0] >= length[1] || std::isnan(length[0] + length[1])) continue;
        std::swap(length[0], length[1]);
        std::swap_ranges(x, y, y);
    }
    return lengths;
}

// Squared length of Q_p inside canonical plane j, halved: [P,P].
at::Tensor overlapMatrix(const at::Tensor& basis) {
    const std::int64_t planes = basis.size(0);
    return basis.square().sum(1).view({planes, planes, 2}).sum(2) / 2;
}

/// Principal angles between Q_p and canonical plane p, degrees, ascending, [P,2].
std::vector<double> anglesToCanonical(const at::Tensor& basis) {
    const std::int64_t planes = basis.size(0);
    at::Tensor inside = at::empty({planes, 2, 2}, at::kDouble), outside = basis.clone();
    const std::int64_t d = 2 * planes;
    double* out = outside.data_ptr<double>();
    for (std::int64_t p = 0; p < planes; ++p) {
        for (std::int64_t row = 0; row < 2; ++row) {
            double *own = out + (2 * p + row) * d + 2 * p, *in = inside.data_ptr<double>() + 4 * p + 2 * row;
            in[0] = std::exchange(own[0], 0), in[1] = std::exchange(own[1], 0);
        }
    }
    const at::Tensor cosines = orthogonaliseRows(inside), sines = orthogonaliseRows(outside);
    // The sine is the length of what sticks out of the plane: it keeps its digits where the cosine has lost them.
    return flat(at::atan2(sines.flip({1}), cosines) * (180 / std::numbers::pi));
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
    at::Tensor rows = map.reshape({d / 2, 2, d}).clone(at::MemoryFormat::Contiguous);
    const at::Tensor gains = orthogonaliseRows(rows);
    const at::Tensor flatPlane = gains.select(1, 1) <= kPlaneGap * gains.select(1, 0);
    return {rows.div_(gains.unsqueeze(2))
                .masked_fill_(flatPlane.view({-1, 1, 1}), std::numeric_limits<double>::quiet_NaN()),
            gains};
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
