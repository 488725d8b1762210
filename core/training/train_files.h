// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/data/error.h"
#include "core/training/parameter_store.h"
#include "core/training/train_settings.h"

namespace ropescope {

/// What a training needs to go on as if nothing had happened.
struct TrainState {
    std::int64_t step = 0;  ///< steps done
    ParameterStore::State parameters;
    std::vector<float> losses;  ///< one per step done
    double seconds = 0;         ///< computing time so far, over all starts
};

/// Writes `out`/state.safetensors (temporary file, fsync, rename).
[[nodiscard]] Result<void> saveState(const TrainSettings& settings, const TrainState& state);
/// Empty when there is none. Errors: Refused when it belongs to other settings.
[[nodiscard]] Result<std::optional<TrainState>> loadState(const TrainSettings& settings);

/// loss.csv: mean loss of every `window` steps.
[[nodiscard]] Result<void> saveLosses(const std::string& path, const std::vector<float>& losses, int window);

}  // namespace ropescope
