// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace ropescope {

/// LayerNorm without weights times (1 + scale) plus shift, in one pass over float32 on a CPU.
/// x [B,N,C], shift and scale [B,C] or [1,C]; gives [B,N,C] in x's type. Not differentiable.
/// Checked against LibTorch's own operators by tests/core/kernel/modulate_test.cpp.
[[nodiscard]] at::Tensor modulatedNorm(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                                       double eps = 1e-6);

}  // namespace ropescope
