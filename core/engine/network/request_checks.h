// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/data/error.h"
#include "core/data/generation.h"

// Checks that requests of all generating models share.

namespace ropescope {

/// Usage "bad-option", place `option`.
[[nodiscard]] Error optionError(const std::string& option, const std::string& reason, const std::string& found,
                                const std::string& expected, const std::string& advice);

/// The heads whose attention the request wants measured, sorted, each once. Errors: Usage when the model has no such
/// head.
[[nodiscard]] Result<std::vector<HeadId>> recordedHeads(const GenerateRequest& request, int layers, int heads);

/// Usage unless `steps` is 1 to 1000 and |guidance| at most 1000.
[[nodiscard]] Result<void> checkSampling(const GenerateRequest& request);

/// The job was ended by its user.
[[nodiscard]] Error cancelled();

/// GP-07: latents that are not finite after `step` steps.
[[nodiscard]] Error notFinite(const GenerateRequest& request, int step);

}  // namespace ropescope
