// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "core/model/dit.h"

namespace ropescope {

/// ditForward of the trainer. Maps are folded into the projections first (differentiable), so that every encoding
/// costs what plain RoPE costs. Fp32, and on a GPU: ditForward itself. Bf16 on the processor: fusedBlock.
/// Checked against ditForward, gradients included, by tests/core/training/fused_dit_test.cpp.
[[nodiscard]] at::Tensor trainingForward(const WeightTable& leaves, const DitShape& shape, const at::Tensor& x,
                                         const at::Tensor& t, const at::Tensor& y, Precision precision);

}  // namespace ropescope
