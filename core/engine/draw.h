// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/engine/core_api.h"

namespace ropescope {

/// One picture of a FLUX or SD3 from given text embeddings: noise of the seed (that of torch on a CPU, float32), levels
/// with the model's usual shift, Euler or Heun, decoded by the VAE of the folder or of command.vae where there is one.
/// Errors: Refused and Usage for what does not fit, told before the first step; Device for too little memory;
/// Cancelled. Checked by tests/core/engine/draw_test.cpp against diffusers' pipelines.
[[nodiscard]] Result<GenerateResult> drawFromEmbeddings(const DrawCommand& command, const JobContext& context);

}  // namespace ropescope
