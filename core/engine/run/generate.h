// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/generation.h"
#include "core/data/job.h"

namespace ropescope {

/// Samples pictures. Cancel is polled before every network evaluation; every step reports its progress, the estimate of
/// the clean image and the fields of the recorded heads (conditional half under guidance; Heun: first evaluation).
/// Noise of image i: torch.manual_seed(seed + i), randn(C, h, w) on the CPU, then the step noises of the same stream.
/// Errors: Usage for settings that do not fit the model, Device, Cancelled, those of loading, GP-07 when latents stop
/// being finite. Checked by tests/core/engine/generate_test.cpp.
[[nodiscard]] Result<GenerateResult> generate(const GenerateRequest& request, const JobContext& context);

}  // namespace ropescope
