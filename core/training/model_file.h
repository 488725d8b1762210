// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "core/data/array.h"
#include "core/encoding/encoding.h"
#include "core/training/dataset.h"
#include "core/training/train_settings.h"

namespace ropescope {

/// Which weights a checkpoint file holds.
enum class Share { All, ProjectionsAndMaps };

/// The metadata of a trained model.
struct ModelFile {
    nlohmann::json config;                        ///< `ropescope.config`
    std::map<std::string, std::string> metadata;  ///< the rest: `harope.convention`, `harope.apply`
};

/// What every architecture's file says: sizes, encoding, grid, classes, data, recipe.
[[nodiscard]] ModelFile modelFile(const TrainSettings& settings, const Dataset& data, const Encoding& encoding,
                                  std::int64_t step, Share share);

/// Writes a checkpoint: float16, parameters of the encoding in float32. Share::All adds a recorded pair `selfcheck.*`,
/// which `selfCheck` makes of the weights as a reader of the file sees them. The bytes depend on the arguments alone.
[[nodiscard]] Result<void> saveModelFile(
    const std::string& path, const ModelFile& file, const WeightTable& weights, Share share,
    const std::function<std::map<std::string, Array>(const WeightTable&)>& selfCheck);

}  // namespace ropescope
