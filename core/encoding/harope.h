// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "core/data/model.h"

namespace ropescope {

inline constexpr double kSingularFloor = 1e-6;  ///< the released code's: singular values stay above it

/// The factors of HARoPE's matrix per head, as the file stores them: U, V orthogonal [H,D,D], s [H,D] > 0.
/// H is 1 for a map shared by the layer's heads.
struct HaropeFactors {
    at::Tensor u, s, v;
};

/// What multiplies a head's query and key columns before the rotary map: q' = R query q, k' = R key k. [H or 1, D, D].
struct HeadMaps {
    at::Tensor query, key;
};

/// U = expm((A_u - A_u^T)/2), V likewise, s = softplus(sigma) + 1e-6 (arXiv 2510.10489 and its released code).
/// Shapes (H,D,D), (1,D,D) or (D,D), and the same without the last D for sigma. Computed in the type given: float64 at
/// load, float32 in training; half types throw, their matrix exponential is wrong on CPUs. Differentiable.
/// Checked by tests/core/encoding/harope_test.cpp.
[[nodiscard]] HaropeFactors haropeFactors(const at::Tensor& aU, const at::Tensor& aV, const at::Tensor& sigma);

/// Same: A = U diag(s) V^T on both sides. Inverse: M = U diag(s) V^T on queries, M^-T = U diag(1/s) V^T on keys.
/// Convention::None and Unknown throw std::invalid_argument.
[[nodiscard]] HeadMaps haropeMaps(const HaropeFactors& factors, Convention convention);

}  // namespace ropescope
