// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace ropescope {

// Measures of generated pictures against real ones, on feature rows [n, d]. Checked by
// tests/core/training/quality_test.cpp with closed forms.

/// Share of the rows of `samples` that lie within the k-nearest-neighbour ball of at least one row of `reference`
/// (arXiv 1904.06991): precision for (real, generated), recall for (generated, real). In [0, 1].
[[nodiscard]] double coveredShare(const at::Tensor& reference, const at::Tensor& samples, int k);

/// Frechet distance of the two Gaussian fits: |m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2), float64.
[[nodiscard]] double frechetDistance(const at::Tensor& a, const at::Tensor& b);

/// For every row of `samples` the index of the nearest row of `reference` (Euclidean), int64.
[[nodiscard]] at::Tensor nearestRows(const at::Tensor& reference, const at::Tensor& samples);

}  // namespace ropescope
