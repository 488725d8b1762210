// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <cmath>
#include <numbers>
#include <stdexcept>

#include "core/encoding/encoding.h"

namespace ropescope {
namespace {

at::Tensor planes(const std::vector<double>& values, int axes) {
    return at::tensor(values, at::kDouble).view({1, -1, axes});
}

}  // namespace

std::vector<double> axialFrequencies(int headDim, double theta) {
    if (headDim <= 0 || headDim % 4 != 0)
        throw std::invalid_argument("axial RoPE needs a head dimension divisible by 4");
    if (!(theta > 0)) throw std::invalid_argument("theta must be positive");
    std::vector<double> w(headDim / 4);
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = std::pow(theta, -4.0 * static_cast<double>(i) / headDim);
    return w;
}

std::vector<double> axialPlaneFrequencies(int headDim, double theta, AxisOrder order) {
    const std::vector<double> w = axialFrequencies(headDim, theta);
    const std::size_t row = order == AxisOrder::RowFirst ? 0 : w.size(), column = w.size() - row;
    std::vector<double> out(headDim, 0.0);  // P * 2 = D numbers
    for (std::size_t i = 0; i < w.size(); ++i) {
        out[2 * (row + i)] = w[i];
        out[2 * (column + i) + 1] = w[i];
    }
    return out;
}

at::Tensor axialFrequency(const EncodingSpec& s, at::Generator*) {
    return planes(axialPlaneFrequencies(s.headDim, s.theta, s.order), 2);
}

at::Tensor flatFrequency(const EncodingSpec& s, at::Generator*) {
    std::vector<double> w(s.headDim / 2);
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = std::pow(s.theta, -2.0 * static_cast<double>(i) / s.headDim);
    return planes(w, 1);
}

at::Tensor mixedFrequency(const EncodingSpec& s, at::Generator* generator) {
    const std::vector<double> m = axialFrequencies(s.headDim, s.theta);
    const auto half = static_cast<std::int64_t>(m.size());
    const at::Tensor size = at::tensor(m, at::kDouble).view({1, half});
    at::Tensor turn = at::zeros({s.heads, 1}, at::kDouble);
    if (generator) turn.uniform_(0, 2 * std::numbers::pi, *generator);
    const auto along = [&](const at::Tensor& angle) {  // (row, column) = (sin, cos): the angle counts from the column
        return at::stack({size * angle.sin(), size * angle.cos()}, -1);
    };
    return at::cat({along(turn), along(turn + std::numbers::pi / 2)}, 1);
}

at::Tensor videoFrequency(const EncodingSpec& s, at::Generator*) {
    const int all = s.headDim / 2, spatial = all * 3 / 4 / 2 * 2;
    std::vector<double> w(2 * static_cast<std::size_t>(all), 0.0);
    for (int n = 0; n < spatial; ++n)
        w[2 * static_cast<std::size_t>(n) + n % 2] = std::pow(s.theta, -2.0 * n / s.headDim);
    return planes(w, 2);
}

}  // namespace ropescope
