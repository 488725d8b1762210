// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include "core/data/head_report.h"
#include "core/encoding/rotary.h"
#include "core/probe/head_operator.h"

// Heads that the tests of this folder share. Everything float64, drawn from a seed.

namespace ropescope {

inline at::Tensor draw(at::IntArrayRef shape, std::uint64_t seed) {
    at::Generator generator = at::detail::createCPUGenerator(seed);
    return at::randn(shape, generator, at::TensorOptions(at::kDouble));
}

/// A random rotation, determinant +1.
inline at::Tensor drawOrthogonal(std::int64_t d, std::uint64_t seed) {
    const at::Tensor x = draw({d, d}, seed);
    return at::matrix_exp(x - x.mT());
}

/// Random, well conditioned, determinant > 0.
inline at::Tensor drawInvertible(std::int64_t d, std::uint64_t seed) {
    const at::Tensor s = (draw({d}, seed + 1) * 0.4).exp();
    return at::matmul(drawOrthogonal(d, seed) * s, drawOrthogonal(d, seed + 2));
}

/// Random projections of 24 channels and a bias.
inline at::Tensor queryProjection(std::int64_t d) {
    return draw({d, 25}, 71);
}
inline at::Tensor keyProjection(std::int64_t d) {
    return draw({d, 25}, 72);
}

/// A head of axial RoPE with that map and those projections.
inline HeadOperator headWith(const at::Tensor& map, Convention convention, double theta = 100) {
    const std::int64_t d = map.size(0);
    HeadOperator head;
    head.map = {map, convention == Convention::Inverse ? at::linalg_inv(map).mT().contiguous() : map};
    head.stored = at::linalg_svdvals(map);
    head.convention = convention;
    head.content = momentsOf(queryProjection(d), keyProjection(d));
    head.planes = {axialPlaneFrequencies(static_cast<int>(d), theta), 2};
    return head;
}

/// Turns by a random angle, and scales where `scaled`, inside every plane: commutes with every rotary map.
inline at::Tensor drawPlaneGauge(std::int64_t d, std::uint64_t seed, bool scaled) {
    const at::Tensor angle = draw({d / 2}, seed) * 2, scale = (draw({d / 2}, seed + 1) * (scaled ? 0.5 : 0.0)).exp();
    at::Tensor gauge = at::zeros({d, d}, at::kDouble);
    for (std::int64_t p = 0; p < d / 2; ++p) {
        const double s = scale[p].item<double>(), c = angle[p].cos().item<double>(), n = angle[p].sin().item<double>();
        gauge[2 * p][2 * p] = s * c, gauge[2 * p][2 * p + 1] = -s * n;
        gauge[2 * p + 1][2 * p] = s * n, gauge[2 * p + 1][2 * p + 1] = s * c;
    }
    return gauge;
}

/// R(offset) of the planes, [D,D], written out.
inline at::Tensor rotaryMatrix(const RotaryPlanes& planes, double row, double col) {
    const std::int64_t d = 2 * planes.count();
    at::Tensor r = at::zeros({d, d}, at::kDouble);
    for (int p = 0; p < planes.count(); ++p) {
        const double phi = planes.frequency[2 * p] * row + planes.frequency[2 * p + 1] * col;
        r[2 * p][2 * p] = std::cos(phi), r[2 * p][2 * p + 1] = -std::sin(phi);
        r[2 * p + 1][2 * p] = std::sin(phi), r[2 * p + 1][2 * p + 1] = std::cos(phi);
    }
    return r;
}

}  // namespace ropescope
