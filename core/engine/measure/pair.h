// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/job.h"
#include "core/data/pair.h"

namespace ropescope {

/// Two runs in step: B goes to the step nearest in signal-to-noise before each comparison (alignedSteps()). Both
/// networks stay in memory, nothing is read twice, and the latents kept of the last run (core/engine/run/run_memory.h)
/// stay. context.onProgress hears every step of A. Errors: those of Run; Refused "pair" when one draws classes and the
/// other from prompts, when B does not have the class, or when latents or pictures differ in size. Checked by
/// tests/core/engine/pair_test.cpp.
[[nodiscard]] Result<PairReport> runPair(const PairRequest& request, const JobContext& context);

}  // namespace ropescope
