// SPDX-License-Identifier: Apache-2.0
#include "core/engine/weights/export_tensors.h"

#include <ATen/ATen.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/data/enum_names.h"
#include "core/data/matrix_kind.h"

namespace ropescope {
namespace {

at::ScalarType scalarOf(DType type) {
    switch (type) {
        case DType::F64:
            return at::kDouble;
        case DType::F32:
            return at::kFloat;
        case DType::F16:
            return at::kHalf;
        case DType::BF16:
            return at::kBFloat16;
        default:
            throw std::invalid_argument("exported tensors are F64, F32, F16 or BF16");
    }
}

}  // namespace

Array arrayAs(const at::Tensor& tensor, DType type) {
    const at::Tensor dense = tensor.to(at::kCPU, scalarOf(type)).contiguous();
    Array array{type, dense.sizes().vec(), {}};
    array.bytes.resize(dense.nbytes());
    if (!array.bytes.empty()) std::memcpy(array.bytes.data(), dense.const_data_ptr(), array.bytes.size());
    return array;
}

bool isFloatType(DType type) {
    return type == DType::F64 || type == DType::F32 || type == DType::F16 || type == DType::BF16 ||
           type == DType::F8E4M3 || type == DType::F8E5M2;
}

Result<at::Tensor> readExact(const TensorTable& table, const std::string& name) {
    const TensorEntry* entry = table.find(name);
    if (!entry)
        return failure({ErrorKind::Refused, "TC-05", place({table.path(), name}), "tensor is missing", "", "",
                        "Export a complete model"});
    const Result<std::vector<double>> values = table.readDouble(name);
    if (!values) return failure(values.error());
    return at::from_blob(const_cast<double*>(values->data()), entry->shape, at::kDouble).clone();
}

Result<Array> readAs(const TensorTable& table, const std::string& name, std::optional<DType> type) {
    const TensorEntry* entry = table.find(name);
    if (!type || !entry || !isFloatType(entry->dtype) || entry->dtype == *type) return table.read(name);
    const Result<at::Tensor> tensor = readExact(table, name);
    if (!tensor) return failure(tensor.error());
    return arrayAs(*tensor, *type);
}

std::map<std::string, std::string> describe(const TensorTable& table, const ModelCard& card) {
    using Json = nlohmann::json;
    std::map<std::string, std::string> metadata = table.metadata();
    Json config = Json::object();
    if (const auto own = metadata.find("ropescope.config"); own != metadata.end()) {
        config = Json::parse(own->second, nullptr, false);
        if (!config.is_object()) config = Json::object();
    }
    config["architecture"] = card.architecture;
    config["encoding"] = card.encoding;
    config["objective"] = card.objective;
    const NetworkVariant& v = card.variant;
    if (card.architecture == "dit") {
        if (!card.objective.empty()) config["time"] = timeText(card.objective, card.flow);
        config["class_dropout_prob"] = card.nullClass ? 0.1 : 0.0;
    }
    if (card.architecture == "vit") {
        config["global_pool"] = enumName(v.pool);
        config["act_layer"] = enumName(v.activation);
    }
    if (v.norm != Norm::None) config["norm_layer"] = v.norm == Norm::Rms ? "rmsnorm" : "layernorm";
    if (v.normEps != 1e-6) config["norm_eps"] = v.normEps;
    config["layers"] = card.layers;
    config["heads"] = card.heads;
    config["head_dim"] = card.headDim;
    config["grid"] = {card.grid.rows, card.grid.cols};
    if (card.theta > 0) config["theta"] = card.theta;
    if (card.patch > 0) config["patch"] = card.patch;
    if (card.inChannels > 0) config["in_channels"] = card.inChannels;
    if (card.outChannels > 0) config["out_channels"] = card.outChannels;
    if (card.classes > 0) config["classes"] = card.classes;
    if (!card.classNames.empty()) config["class_names"] = card.classNames;
    if (card.axes == 2) config["axis_order"] = enumName(card.axisOrder);
    config.erase("rotate_half");
    config.erase("rotary_layout");
    if (card.rotaryLayout == RotaryLayout::HalfSplit) config["rotary_layout"] = enumName(card.rotaryLayout);
    metadata["format"] = "pt";
    metadata["ropescope.config"] = config.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (card.convention == Convention::Same || card.convention == Convention::Inverse)
        metadata["harope.convention"] = enumName(card.convention);
    if (findMapNames(card.encoding) && card.mapTokens != MapTokens::Unknown)
        metadata["harope.apply"] = enumName(card.mapTokens);
    if (!findMapNames(card.encoding)) metadata.erase("harope.convention"), metadata.erase("harope.apply");
    return metadata;
}

}  // namespace ropescope
