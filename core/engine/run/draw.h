// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/job.h"

namespace ropescope {

/// Pictures of a FLUX or SD3 from a prompt, or from text embeddings that another program made: noise of the seeds (that
/// of torch on a CPU, float32), levels with the model's usual shift, decoded by the VAE of the folder or of request.vae
/// where there is one. Fields are those of the picture's tokens among themselves, with the shares that text takes.
/// Errors: Refused and Usage for what does not fit, told before the first step; Device for too little memory;
/// Cancelled. Checked by tests/core/engine/draw_test.cpp against diffusers' pipelines.
[[nodiscard]] Result<GenerateResult> drawFromText(const GenerateRequest& request, const JobContext& context);

}  // namespace ropescope
