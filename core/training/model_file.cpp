// SPDX-License-Identifier: Apache-2.0
#include "core/training/model_file.h"

#include <ATen/ATen.h>

#include "core/data/safetensors.h"
#include "core/training/tensor_array.h"

namespace ropescope {
namespace {

// The weights as a reader of the file sees them.
WeightTable asStored(const WeightTable& weights) {
    WeightTable stored;
    for (const auto& [name, t] : weights) {
        const at::Tensor here = t.to(at::kCPU);
        stored[name] = isPositionParameter(name) ? here : here.to(at::kHalf).to(at::kFloat);
    }
    return stored;
}

}  // namespace

ModelFile modelFile(const TrainSettings& s, const Dataset& data, const Encoding& encoding, std::int64_t step,
                    Share share) {
    const std::int64_t height = data.images.size(2), width = data.images.size(3);
    ModelFile file;
    file.config = {{"architecture", s.architecture},
                   {"encoding", s.encoding},
                   {"theta", s.theta},
                   {"class_names", data.classNames},
                   {"layers", s.layers},
                   {"heads", s.heads},
                   {"head_dim", s.headDim},
                   {"patch", s.patch},
                   {"image_size", {height, width}},
                   {"grid", {height / s.patch, width / s.patch}},
                   {"content", share == Share::All ? "model" : "projections and maps"},
                   {"step", step},
                   {"data", data.description},
                   {"training", nlohmann::json::parse(recipeJson(s))}};
    if (s.axisOrder == AxisOrder::ColumnFirst) file.config["axis_order"] = "column";
    file.metadata = {{"format", "pt"}};
    if (encoding.conventions) {
        file.metadata["harope.convention"] = s.convention == Convention::Same ? "same" : "inverse";
        file.metadata["harope.apply"] = "all";
    }
    return file;
}

Result<void> saveModelFile(const std::string& path, const ModelFile& file, const WeightTable& weights, Share share,
                           const std::function<std::map<std::string, Array>(const WeightTable&)>& selfCheck) {
    std::map<std::string, Array> arrays;
    for (const auto& [name, tensor] : weights) {
        const bool map = isPositionParameter(name);
        if (share == Share::All || map || name.find("attn.qkv") != std::string::npos)
            arrays[name] = toArray(tensor, map ? DType::F32 : DType::F16);
    }
    if (share == Share::All) arrays.merge(selfCheck(asStored(weights)));
    std::map<std::string, std::string> metadata = file.metadata;
    metadata["ropescope.config"] = file.config.dump();
    return writeSafetensors(path, arrays, metadata);
}

}  // namespace ropescope
