// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace ropescope {

/// The subcommand `train`: arguments without program and subcommand name. Progress on stderr, the model's path on
/// stdout. Returns the exit code of reference: 0 done, 1 refused, 2 usage.
/// Killed at any moment and started again with the same arguments it ends with the same model, byte for byte
/// (tests/core/training/resume_test.cpp).
[[nodiscard]] int runTrain(const std::vector<std::string>& arguments);

}  // namespace ropescope
