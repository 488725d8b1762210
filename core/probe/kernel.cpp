// SPDX-License-Identifier: Apache-2.0
#include "core/probe/kernel.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>

namespace ropescope {
namespace {

using Block = std::array<double, 4>;  // 2x2, row-major

Block blockOf(const at::TensorAccessor<double, 2>& m, int p, int q) {
    return {m[2 * p][2 * q], m[2 * p][2 * q + 1], m[2 * p + 1][2 * q], m[2 * p + 1][2 * q + 1]};
}
Block leftTurn(const Block& a) {
    return {-a[2], -a[3], a[0], a[1]};
}  // J A
Block rightTurnBack(const Block& a) {
    return {-a[1], a[0], -a[3], a[2]};
}  // A J^T
double inner(const Block& a, const Block& b) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
}

}  // namespace

ContentMoments whiteContent(int headDim) {
    const at::Tensor moment = at::eye(headDim, at::kDouble) / headDim;
    return {moment, moment, moment};
}

ContentMoments mappedWhiteContent(const HeadMaps& map) {
    const auto between = [](const at::Tensor& left, const at::Tensor& right) {
        return at::matmul(left, right.mT()) / left.size(0);
    };
    const at::Tensor query = between(map.query, map.query);
    if (map.key.is_same(map.query)) return {query, query, query};
    return {query, between(map.key, map.key), between(map.key, map.query)};
}

KernelSeries kernelOf(const ContentMoments& mapped, const RotaryPlanes& planes, double scale) {
    KernelSeries series;
    series.frequency = planes.frequency;
    series.axes = planes.axes;
    series.scale = scale;
    const auto c = mapped.cross.accessor<double, 2>();
    for (int p = 0; p < planes.count(); ++p) {
        const int i = 2 * p, j = 2 * p + 1;
        series.a.push_back(c[i][i] + c[j][j]);
        series.b.push_back(c[i][j] - c[j][i]);
    }
    return series;
}

SensitivityForm sensitivityOf(const ContentMoments& mapped, const RotaryPlanes& planes, double divisor) {
    SensitivityForm form;
    form.frequency = planes.frequency;
    form.axes = planes.axes;
    form.divisor = divisor;
    const auto gq = mapped.query.accessor<double, 2>(), gk = mapped.key.accessor<double, 2>();
    const int count = planes.count(), n = 2 * count;
    form.quadratic.resize(n * n);
    for (int p = 0; p < count; ++p)
        for (int q = 0; q < count; ++q) {
            const Block k = blockOf(gk, p, q), g = blockOf(gq, p, q);
            form.quadratic[p * n + q] = inner(k, g);
            form.quadratic[p * n + count + q] = inner(rightTurnBack(k), g);
            form.quadratic[(count + p) * n + q] = inner(leftTurn(k), g);
            form.quadratic[(count + p) * n + count + q] = inner(leftTurn(rightTurnBack(k)), g);
        }
    return form;
}

double zeroOffsetNorm(const ContentMoments& mapped) {
    return std::sqrt((mapped.query * mapped.key).sum().item<double>());
}

}  // namespace ropescope
