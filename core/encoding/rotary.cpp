// SPDX-License-Identifier: Apache-2.0
#include "core/encoding/rotary.h"

#include <ATen/ATen.h>

#include <cmath>
#include <stdexcept>

namespace ropescope {

RotaryTable rotaryTable(const at::Tensor& frequency, Grid grid, Grid origin) {
    const std::int64_t axes = frequency.size(-1);
    at::Tensor position = at::empty({grid.tokens(), axes}, at::kDouble);
    auto p = position.accessor<double, 2>();
    for (int r = 0; r < grid.rows; ++r)
        for (int c = 0; c < grid.cols; ++c) {
            const int n = r * grid.cols + c;
            if (axes == 1) {
                p[n][0] = n + origin.rows * grid.cols + origin.cols;
            } else {
                p[n][0] = r + origin.rows;
                p[n][1] = c + origin.cols;
            }
        }
    // [H,N,P]: exact where no gradient has to pass, for large positions lose digits.
    const at::ScalarType work = frequency.requires_grad() ? frequency.scalar_type() : at::kDouble;
    at::Tensor angle = at::matmul(position.to(work), frequency.to(at::kCPU, work).mT());
    if (angle.size(0) == 1) angle = angle[0];
    const bool wide = frequency.requires_grad() && work == at::kDouble;
    const at::ScalarType out = wide ? at::kDouble : at::kFloat;
    return {angle.cos().to(out), angle.sin().to(out)};
}

RotaryTable axialRotary(Grid grid, int headDim, double theta, Grid origin) {
    const std::vector<double> planes = axialPlaneFrequencies(headDim, theta);
    return rotaryTable(at::tensor(planes, at::kDouble).view({1, headDim / 2, 2}), grid, origin);
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
