// SPDX-License-Identifier: Apache-2.0
#include "core/encoding/rotary.h"

#include <ATen/ATen.h>

#include <cmath>
#include <stdexcept>

namespace ropescope {

std::vector<double> axialFrequencies(int headDim, double theta) {
    if (headDim <= 0 || headDim % 4 != 0)
        throw std::invalid_argument("axial RoPE needs a head dimension divisible by 4");
    if (!(theta > 0)) throw std::invalid_argument("theta must be positive");
    std::vector<double> w(headDim / 4);
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = std::pow(theta, -4.0 * static_cast<double>(i) / headDim);
    return w;
}

std::vector<double> axialPlaneFrequencies(int headDim, double theta) {
    const std::vector<double> w = axialFrequencies(headDim, theta);
    std::vector<double> planes(headDim, 0.0);  // P * 2 = D numbers
    for (std::size_t i = 0; i < w.size(); ++i) {
        planes[2 * i] = w[i];
        planes[2 * (w.size() + i) + 1] = w[i];
    }
    return planes;
}

RotaryTable axialRotary(Grid grid, int headDim, double theta, Grid origin) {
    const std::vector<double> w = axialFrequencies(headDim, theta);
    const int perAxis = static_cast<int>(w.size());
    at::Tensor angle = at::empty({grid.tokens(), 2 * perAxis}, at::kDouble);
    auto a = angle.accessor<double, 2>();
    for (int r = 0; r < grid.rows; ++r)
        for (int c = 0; c < grid.cols; ++c)
            for (int i = 0; i < perAxis; ++i) {
                a[r * grid.cols + c][i] = (r + origin.rows) * w[i];
                a[r * grid.cols + c][perAxis + i] = (c + origin.cols) * w[i];
            }
    return {angle.cos().to(at::kFloat), angle.sin().to(at::kFloat)};
}

at::Tensor rotate(const at::Tensor& x, const RotaryTable& table) {
    // Float32 for half types: their angles would be a tenth of a radian off.
    const at::ScalarType work = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const at::Tensor planes = x.to(work).unflatten(-1, {x.size(-1) / 2, 2});
    const at::Tensor a = planes.select(-1, 0), b = planes.select(-1, 1);
    const at::Tensor cos = table.cos.to(x.device(), work), sin = table.sin.to(x.device(), work);
    return at::stack({a * cos - b * sin, b * cos + a * sin}, -1).flatten(-2).to(x.scalar_type());
}

at::Tensor sinCosPositions(Grid grid, int width) {
    if (width <= 0 || width % 4 != 0) throw std::invalid_argument("sin-cos positions need a width divisible by 4");
    const int q = width / 4;
    at::Tensor table = at::empty({1, grid.tokens(), width}, at::kDouble);
    auto t = table.accessor<double, 3>();
    for (int r = 0; r < grid.rows; ++r)
        for (int c = 0; c < grid.cols; ++c)
            for (int i = 0; i < q; ++i) {
                const double w = std::pow(10000.0, -static_cast<double>(i) / q);
                const int n = r * grid.cols + c;
                t[0][n][i] = std::sin(c * w), t[0][n][q + i] = std::cos(c * w);
                t[0][n][2 * q + i] = std::sin(r * w), t[0][n][3 * q + i] = std::cos(r * w);
            }
    return table.to(at::kFloat);
}

}  // namespace ropescope
