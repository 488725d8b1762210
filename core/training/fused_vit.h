// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "core/model/vit.h"
#include "core/training/train_settings.h"

namespace ropescope {

/// The ViT that these settings train: class token, no layer scale, MLP of four times the width; maps on every token.
[[nodiscard]] ViTShape trainedViTShape(const TrainSettings& settings, const Encoding& encoding, int channels,
                                       int classes, Grid grid);

/// vitForward of the trainer, maps folded first. Fp32, and on a GPU: vitForward itself. Bf16 on the processor:
/// fusedBlock, whose GELU is the tanh form (4e-4 away from the exact one, bfloat16's own step is 4e-3). Checked against
/// vitForward, gradients included, by tests/core/training/fused_vit_test.cpp.
[[nodiscard]] at::Tensor trainingForward(const WeightTable& leaves, const ViTShape& shape, const at::Tensor& x,
                                         Precision precision);

}  // namespace ropescope
