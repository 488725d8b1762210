// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/head_report.h"
#include "core/probe/head_operator.h"

namespace ropescope {

/// Mapped content of a head: B_q X_q and B_k X_k, [D,n] each, for content with query moment X_q X_q^T, key moment
/// X_k X_k^T and cross moment E[k q^T] = X_k X_q^T.
struct MappedContent {
    at::Tensor query, key;
};

/// X = [W, b]: the same white input at both tokens (of the head, invariant to both gauges).
[[nodiscard]] MappedContent weightsContent(const HeadOperator& head);
/// X = I/sqrt(D): key equals query, unit length (of the map).
[[nodiscard]] MappedContent whiteContent(const HeadOperator& head);

/// Mean logit (before 1/sqrt(D)) over the offset: K = tr(G(delta) C) as a Fourier series, a_p = tr(B_qp^T B_kp C),
/// b_p = tr(B_qp^T J B_kp C). `scale` divides the values (sum of plane energies: the result lies in [-1,1]).
/// Empty when nothing turns. Checked by tests/core/probe/kernel_test.cpp.
[[nodiscard]] KernelSeries kernelOf(const MappedContent& content, const RotaryPlanes& planes, double scale);

/// How much the offset can change a logit: ||S_q^1/2 (G(delta)-G(0)) S_k^1/2||_F over `divisor`, as the quadratic form
/// tr(X G_k X^T G_q) in (cos phi - 1, sin phi), G = B S B^T. Empty when nothing turns.
/// Checked by tests/core/probe/kernel_test.cpp.
[[nodiscard]] SensitivityForm sensitivityOf(const MappedContent& content, const RotaryPlanes& planes, double divisor);

/// ||S_q^1/2 G(0) S_k^1/2||_F of that content: the divisor for the weights content (white content: sqrt(D)).
[[nodiscard]] double zeroOffsetNorm(const MappedContent& content);

}  // namespace ropescope
