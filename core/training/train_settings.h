// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/data/error.h"
#include "core/data/model.h"
#include "core/training/parameter_store.h"

namespace ropescope {

/// All that decides a training's result, and where it goes.
struct TrainSettings {
    std::string data = "/usr/share/datasets/fashion-mnist";
    std::string out;  ///< folder: model.safetensors, series/, loss.csv, training.json, state.safetensors
    std::string architecture = "dit";  ///< dit (learns to draw) | vit (learns to classify)
    std::string encoding = "harope";
    Convention convention = Convention::None;
    MatrixKind matrix = MatrixKind::None;  ///< of encodings with a matrix; None: the usual one
    MapSharing sharing = MapSharing::Head;
    AxisOrder axisOrder = AxisOrder::RowFirst;
    double theta = 100;
    int layers = 6;
    int heads = 4;
    int headDim = 32;
    int patch = 4;
    int batch = 128;
    double epochs = 20;         ///< passes over the data
    std::int64_t steps = 0;     ///< > 0 replaces epochs
    std::int64_t images = 0;    ///< > 0: only the first so many images of the set
    double rate = 1e-3;         ///< peak learning rate
    std::int64_t warmUp = 400;  ///< steps of linear rise
    double labelDropout = 0.1;  ///< share of labels replaced by the null class
    OptimizerSettings optimizer;
    std::uint64_t seed = 1;
    int series = 0;  ///< intermediate checkpoints, evenly spaced, step 0 included
    Precision precision = Precision::Bf16;
    std::string device = "cpu";    ///< auto | cpu | cuda | cuda:N
    int threads = 1;               ///< part of the result: sums are grouped by thread
    std::int64_t saveEvery = 500;  ///< steps between state files; does not change the result
};

/// The choices that decide the result as JSON (sorted keys): what the model's metadata holds and what a resumed
/// training must share with its state file. Folders, saveEvery and the device are left out.
[[nodiscard]] std::string recipeJson(const TrainSettings& settings);

/// Do the choices fit each other? Fills in the usual matrix. Errors: Usage.
[[nodiscard]] Result<void> checkChoices(TrainSettings& settings);

/// Parses the arguments of `train`. Errors: Usage, with CLI11's message; an Error with code "help" holds the help text
/// in `reason`.
[[nodiscard]] Result<TrainSettings> parseTrainSettings(const std::vector<std::string>& arguments);

}  // namespace ropescope
