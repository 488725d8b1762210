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

MappedContent weightsContent(const HeadOperator& head) {
    return {at::matmul(head.map.query, head.queryContent), at::matmul(head.map.key, head.keyContent)};
}

MappedContent whiteContent(const HeadOperator& head) {
    const double length = 1 / std::sqrt(static_cast<double>(head.dimension()));
    return {head.map.query * length, head.map.key * length};
}

KernelSeries kernelOf(const MappedContent& content, const RotaryPlanes& planes, double scale) {
    KernelSeries series;
    series.frequency = planes.frequency;
    series.axes = planes.axes;
    series.scale = scale;
    const at::Tensor product = at::matmul(content.query, content.key.mT());
    const auto n = product.accessor<double, 2>();
    for (int p = 0; p < planes.count(); ++p) {
        const int i = 2 * p, j = 2 * p + 1;
        series.a.push_back(n[i][i] + n[j][j]);
        series.b.push_back(n[j][i] - n[i][j]);
    }
    return series;
}

SensitivityForm sensitivityOf(const MappedContent& content, const RotaryPlanes& planes, double divisor) {
    SensitivityForm form;
    form.frequency = planes.frequency;
    form.axes = planes.axes;
    form.divisor = divisor;
    const at::Tensor queryGram = at::matmul(content.query, content.query.mT());
    const at::Tensor keyGram = at::matmul(content.key, content.key.mT());
    const auto gq = queryGram.accessor<double, 2>(), gk = keyGram.accessor<double, 2>();
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

double zeroOffsetNorm(const MappedContent& content) {
    // ||X_q^T B_q^T B_k X_k||_F through the D x D Gram matrices: tr(G_q G_k).
    const at::Tensor queryGram = at::matmul(content.query, content.query.mT());
    const at::Tensor keyGram = at::matmul(content.key, content.key.mT());
    return std::sqrt((queryGram * keyGram).sum().item<double>());
}

}  // namespace ropescope
