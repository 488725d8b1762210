// SPDX-License-Identifier: Apache-2.0
#include "core/probe/spectrum.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>

namespace ropescope {
namespace {

void summarise(Spectrum& s) {
    const std::vector<double>& values = s.gaugeFixed;
    double square = 0, fromOne = 0;
    for (double v : values) {
        s.logVolume += std::log(v);
        square += v * v;
        fromOne += (v * v - 1) * (v * v - 1);
    }
    double entropy = 0;
    for (double v : values) {
        const double p = v * v / square;
        if (p > 0) entropy -= p * std::log(p);
    }
    s.condition = values.front() / values.back();
    s.stableRank = square / (values.front() * values.front());
    s.entropyRank = std::exp(entropy);
    s.orthogonalityError = std::sqrt(fromOne / static_cast<double>(values.size()));
}

void groupDegenerate(Spectrum& s) {
    const int n = static_cast<int>(s.gaugeFixed.size());
    for (int first = 0, i = 1; i <= n; ++i) {
        if (i < n && s.gaugeFixed[i - 1] - s.gaugeFixed[i] < kDegenerateGap * s.gaugeFixed[i - 1]) continue;
        if (i - first > 1) s.groupStart.push_back(first), s.groupEnd.push_back(i);
        first = i;
    }
}

/// ropeDistance() of a map with this polar factor, which is used up.
double distanceOfPolar(at::Tensor polar) {
    auto w = polar.accessor<double, 2>();
    // 1 - (1/D) sum |..| loses half the digits near RoPE; the same number is ||W - R||^2 / 2D with R the closest
    // rotation inside the planes.
    const int n = static_cast<int>(polar.size(0));
    for (int i = 0; i < n; i += 2) {
        const double along = w[i][i] + w[i + 1][i + 1], across = w[i + 1][i] - w[i][i + 1];
        const double size = std::hypot(along, across);
        const double cos = size > 0 ? along / size : 1, sin = size > 0 ? across / size : 0;
        w[i][i] -= cos, w[i + 1][i + 1] -= cos;
        w[i + 1][i] -= sin, w[i][i + 1] += sin;
    }
    return std::sqrt(polar.square().sum().item<double>() / (2.0 * n));
}

}  // namespace

double ropeDistance(const at::Tensor& map) {
    const auto [u, s, vt] = at::linalg_svd(map, /*full_matrices=*/false);
    return distanceOfPolar(at::matmul(u, vt).contiguous());
}

Spectrum measureSpectrum(const HeadOperator& head) {
    if (!allFinite(head.map.query) || !allFinite(head.map.key))
        throw std::invalid_argument("the spectrum of a map that is not finite");
    Spectrum s;
    s.stored = flat(head.stored);
    s.gaugeFixed = s.stored;
    if (head.hasMap() && head.polar.defined()) {
        s.ropeDistance = distanceOfPolar(head.polar.clone());
    } else if (head.hasMap()) {
        const auto [u, values, vt] = at::linalg_svd(gaugeFixedMap(head), /*full_matrices=*/false);
        if (head.convention == Convention::Inverse) s.gaugeFixed = flat(values);
        s.ropeDistance = distanceOfPolar(at::matmul(u, vt).contiguous());
    }
    std::sort(s.gaugeFixed.begin(), s.gaugeFixed.end(), std::greater<>());
    summarise(s);
    groupDegenerate(s);
    return s;
}

}  // namespace ropescope
