// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/head_report.h"
#include "core/probe/head_operator.h"

namespace ropescope {

/// Content whose key equals its query, of unit length: every moment is I/D (of the map).
[[nodiscard]] ContentMoments whiteContent(int headDim);

/// The same after the map, without the products with the identity.
[[nodiscard]] ContentMoments mappedWhiteContent(const HeadMaps& map);

/// Mean logit (before 1/sqrt(D)) over the offset for mapped content: K = tr(G(delta) C), C = E[k q^T], as a Fourier
/// series, a_p = tr(B_qp^T B_kp C), b_p = tr(B_qp^T J B_kp C). `scale` divides the values; with the sum of plane
/// energies the result lies in [-1,1]. Empty when nothing turns. Checked by tests/core/probe/kernel_test.cpp.
[[nodiscard]] KernelSeries kernelOf(const ContentMoments& mapped, const RotaryPlanes& planes, double scale);

/// How much the offset can change a logit of mapped content: ||S_q^1/2 (G(delta)-G(0)) S_k^1/2||_F over `divisor`, as
/// the quadratic form tr(X G_k X^T G_q) in X = R(delta) - I, that is in (cos phi - 1, sin phi), G = B S B^T. Empty when
/// nothing turns. Checked by tests/core/probe/kernel_test.cpp.
[[nodiscard]] SensitivityForm sensitivityOf(const ContentMoments& mapped, const RotaryPlanes& planes, double divisor);

/// ||S_q^1/2 G(0) S_k^1/2||_F of that content: the divisor for the weights content.
[[nodiscard]] double zeroOffsetNorm(const ContentMoments& mapped);

}  // namespace ropescope
