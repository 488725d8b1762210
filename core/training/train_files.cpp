// SPDX-License-Identifier: Apache-2.0
#include "core/training/train_files.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <map>

#include "core/data/atomic_file.h"
#include "core/data/safetensors.h"
#include "core/training/tensor_array.h"

namespace ropescope {
namespace {

std::string statePath(const TrainSettings& s) {
    return s.out + "/state.safetensors";
}

}  // namespace

Result<void> saveState(const TrainSettings& settings, const TrainState& state) {
    const std::map<std::string, Array> arrays = {
        {"weights", toArray(state.parameters.weights, DType::F32)},
        {"average", toArray(state.parameters.average, DType::F32)},
        {"first", toArray(state.parameters.first, DType::F32)},
        {"second", toArray(state.parameters.second, DType::F32)},
        {"losses", makeArray(std::span<const float>(state.losses), {static_cast<std::int64_t>(state.losses.size())})}};
    return writeSafetensors(statePath(settings), arrays,
                            {{"ropescope.recipe", recipeJson(settings)},
                             {"ropescope.step", std::to_string(state.step)},
                             {"ropescope.seconds", std::to_string(state.seconds)}});
}

Result<std::optional<TrainState>> loadState(const TrainSettings& settings) {
    const std::string path = statePath(settings);
    if (!std::filesystem::exists(path)) return std::optional<TrainState>();
    const Result<SafetensorsContent> content = readSafetensorsFile(path);
    if (!content) return failure(content.error());
    const auto recipe = content->metadata.find("ropescope.recipe");
    if (recipe == content->metadata.end() || recipe->second != recipeJson(settings))
        return failure({ErrorKind::Refused, "state", place({path}), "the training begun here had other settings", "",
                        "", "Give the same options, or another --out"});
    const auto& arrays = content->arrays;
    const std::span<const float> losses = arrays.at("losses").as<float>();
    return TrainState{std::stoll(content->metadata.at("ropescope.step")),
                      {toTensor(arrays.at("weights")), toTensor(arrays.at("average")), toTensor(arrays.at("first")),
                       toTensor(arrays.at("second"))},
                      {losses.begin(), losses.end()},
                      std::stod(content->metadata.at("ropescope.seconds"))};
}

Result<void> saveLosses(const std::string& path, const std::vector<float>& losses, int window) {
    std::string text = "step,loss\n";
    for (std::size_t begin = 0; begin < losses.size(); begin += window) {
        const std::size_t end = std::min(losses.size(), begin + window);
        double sum = 0;
        for (std::size_t i = begin; i < end; ++i) sum += losses[i];
        char line[64];
        std::snprintf(line, sizeof line, "%zu,%.6f\n", end, sum / static_cast<double>(end - begin));
        text += line;
    }
    return writeFileAtomically(path, {std::as_bytes(std::span(text))});
}

}  // namespace ropescope
