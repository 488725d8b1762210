// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "core/data/error.h"
#include "core/training/train_settings.h"

namespace ropescope {

/// Trains until the last step, going on from the state file in `settings.out` when there is one, and writes
/// model.safetensors (moving average, float16 with maps in float32), series/step-NNNNNN.safetensors, loss.csv and
/// training.json. What is learned is the task's (train_task.h).
/// `say` gets a progress line about every ten seconds. Returns the model's path.
/// Errors: Refused when the data, the output folder or a state file of other settings stand in the way; Device.
[[nodiscard]] Result<std::string> train(const TrainSettings& settings,
                                        const std::function<void(const std::string&)>& say);

/// Learning rate at a step that counts from 1: linear warm-up, then cosine to zero at `total`.
[[nodiscard]] double learningRate(const TrainSettings& settings, std::int64_t step, std::int64_t total);

}  // namespace ropescope
