// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/generation.h"
#include "core/data/job.h"

namespace ropescope {

/// Samples pictures by a Run, whose steps are kept (core/engine/run/run_memory.h). Every step reports its progress, the
/// estimate of the clean image and the fields of the recorded heads. Of text-to-image models context.onShare hears the
/// layers. Errors: those of Run. Checked by tests/core/engine/generate_test.cpp, and by draw_test.cpp against
/// diffusers' pipelines.
[[nodiscard]] Result<GenerateResult> generate(const GenerateRequest& request, const JobContext& context);

}  // namespace ropescope
