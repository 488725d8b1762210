// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/data/error.h"
#include "core/model/dit.h"
#include "core/training/dataset.h"
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

/// Which weights a checkpoint file holds.
enum class Share { All, ProjectionsAndMaps };

/// Writes `out`/state.safetensors (temporary file, fsync, rename).
[[nodiscard]] Result<void> saveState(const TrainSettings& settings, const TrainState& state);
/// Empty when there is none. Errors: Refused when it belongs to other settings.
[[nodiscard]] Result<std::optional<TrainState>> loadState(const TrainSettings& settings);

/// Writes a checkpoint with its configuration in the metadata (`ropescope.config`, `harope.convention`,
/// `harope.apply`). Float16, maps in float32. Share::All adds a recorded pair `selfcheck.x|t|y|out` of the weights as
/// stored. The bytes depend on nothing but the arguments.
[[nodiscard]] Result<void> saveModel(const std::string& path, const TrainSettings& settings, const DitShape& shape,
                                     const Dataset& data, const WeightTable& weights, std::int64_t step, Share share);

/// loss.csv: mean loss of every `window` steps.
[[nodiscard]] Result<void> saveLosses(const std::string& path, const std::vector<float>& losses, int window);

}  // namespace ropescope
