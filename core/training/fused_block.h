// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "core/encoding/encoding.h"

namespace ropescope {

/// One transformer block of the trainer, on the processor: products in bfloat16, the residual stream, norms and softmax
/// sums in float32, elementwise work in fused kernels with their own gradients.
///   x += gate1 * attention(norm(x) (1 + scale1) + shift1);  x += gate2 * mlp(norm(x) (1 + scale2) + shift2)
/// with tanh GELU. `tokens` [B,N,C] and `modulation` [B,6C] (shift, scale, gate, twice) are float32 and contiguous;
/// weights are "attn.qkv", "attn.proj", "mlp.fc1" and "mlp.fc2" behind `prefix`. The table is [N,P] or [H,N,P], empty
/// where nothing turns; learned frequencies get their gradient through it.
/// Checked against the plain models, gradients included, by tests/core/training/fused_dit_test.cpp and fused_vit_test.
[[nodiscard]] at::Tensor fusedBlock(const WeightTable& weights, const std::string& prefix, int heads,
                                    const at::Tensor& tokens, const at::Tensor& modulation, const RotaryTable& rotary);

/// The table of that layer, of folded weights; empty tensors where nothing turns.
[[nodiscard]] RotaryTable layerTable(const WeightTable& weights, int layer, const EncodingSpec& spec, Grid grid);

/// Are the weights in the processor's memory? The fused block works there only.
[[nodiscard]] bool onProcessor(const WeightTable& weights);

}  // namespace ropescope
