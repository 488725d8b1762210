// SPDX-License-Identifier: Apache-2.0
#include "core/training/train_files.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "core/checkpoint/tensor_table.h"
#include "core/data/atomic_file.h"
#include "core/training/counter_random.h"
#include "core/training/tensor_array.h"

namespace ropescope {
namespace {

std::string statePath(const TrainSettings& s) {
    return s.out + "/state.safetensors";
}

bool isMap(const std::string& name) {
    return isPositionParameter(name);
}

// The weights as a reader of the file sees them.
WeightTable asStored(const WeightTable& weights) {
    WeightTable stored;
    for (const auto& [name, t] : weights) stored[name] = isMap(name) ? t : t.to(at::kHalf).to(at::kFloat);
    return stored;
}

void addSelfCheck(std::map<std::string, Array>& arrays, const DitShape& shape, const Dataset& data,
                  const WeightTable& stored, std::uint64_t seed) {
    const at::NoGradGuard noGrad;
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(streamSeed(seed, Stream::Check, 0));
    const std::vector<std::int64_t> size = {2, shape.inChannels, data.images.size(2), data.images.size(3)};
    const at::Tensor x = at::randn(size, generator);
    const at::Tensor t = at::full({2}, 900.0);
    t[1] = 300.0;
    const at::Tensor y = at::full({2}, shape.classes, at::kLong);
    y[0] = 0;
    arrays["selfcheck.x"] = toArray(x, DType::F32);
    arrays["selfcheck.t"] = toArray(t, DType::F32);
    arrays["selfcheck.y"] = toArray(y, DType::I64);
    arrays["selfcheck.out"] = toArray(ditForward(stored, shape, x, t, y), DType::F32);
}

std::map<std::string, std::string> modelMetadata(const TrainSettings& s, const DitShape& shape, const Dataset& data,
                                                 std::int64_t step, Share share) {
    nlohmann::json config = nlohmann::json::parse(recipeJson(s));
    const std::int64_t height = data.images.size(2), width = data.images.size(3);
    nlohmann::json model = {{"architecture", "dit"},
                                  {"encoding", s.encoding},
                                  {"theta", s.theta},
                                  {"objective", "flow"},
                                  {"classes", shape.classes},
                                  {"class_names", data.classNames},
                                  {"layers", shape.layers},
                                  {"heads", shape.heads},
                                  {"head_dim", shape.headDim},
                                  {"patch", shape.patch},
                                  {"in_channels", shape.inChannels},
                                  {"out_channels", shape.outChannels},
                                  {"image_size", {height, width}},
                                  {"grid", {height / shape.patch, width / shape.patch}},
                                  {"content", share == Share::All ? "model" : "projections and maps"},
                                  {"step", step},
                                  {"data", data.description},
                                  {"training", config}};
    if (s.axisOrder == AxisOrder::ColumnFirst) model["axis_order"] = "column";
    std::map<std::string, std::string> metadata = {{"format", "pt"}, {"ropescope.config", model.dump()}};
    if (shape.encoding->conventions) {
        metadata["harope.convention"] = s.convention == Convention::Same ? "same" : "inverse";
        metadata["harope.apply"] = "all";
    }
    return metadata;
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

Result<void> saveModel(const std::string& path, const TrainSettings& settings, const DitShape& shape,
                       const Dataset& data, const WeightTable& weights, std::int64_t step, Share share) {
    std::map<std::string, Array> arrays;
    for (const auto& [name, tensor] : weights)
        if (share == Share::All || isMap(name) || name.find("attn.qkv") != std::string::npos)
            arrays[name] = toArray(tensor, isMap(name) ? DType::F32 : DType::F16);
    if (share == Share::All) addSelfCheck(arrays, shape, data, asStored(weights), settings.seed);
    return writeSafetensors(path, arrays, modelMetadata(settings, shape, data, step, share));
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
