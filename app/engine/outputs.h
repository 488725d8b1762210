// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/data/error.h"
#include "core/data/generation.h"
#include "core/data/model.h"

namespace ropescope {

/// Files and folders that are read for a model, or for a run.
[[nodiscard]] std::vector<std::string> inputsOf(const ModelRef& model);
[[nodiscard]] std::vector<std::string> inputsOf(const GenerateRequest& run);

/// Before any work: whether `outputs` (empty ones are none) can be written. Errors: EX-01 a folder does not exist,
/// EX-02 the target is a folder, EX-06 it is one of `inputs`, a file of an input folder or of the folders in it, a
/// shard beside an index; Usage when two outputs are the same file.
[[nodiscard]] Result<void> checkOutputs(const std::vector<std::string>& outputs,
                                        const std::vector<std::string>& inputs);

}  // namespace ropescope
