// SPDX-License-Identifier: Apache-2.0
#include "core/model/weight_reader.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/data/stored_shapes.h"

namespace ropescope {
namespace {

using Shape = std::vector<std::int64_t>;

std::string shapeText(at::IntArrayRef shape) {
    std::string text = "[";
    for (std::size_t i = 0; i < shape.size(); ++i)
        text += (i ? "," : "") + (shape[i] < 0 ? std::string("N") : std::to_string(shape[i]));
    text += "]";
    return text;
}

Error badTensor(const TensorTable& table, const std::string& name, std::string reason, std::string found,
                std::string expected) {
    return {ErrorKind::Refused, "model-tensor",      place({table.path(), name}), std::move(reason),
            std::move(found),   std::move(expected), "Use a complete checkpoint"};
}

Result<at::Tensor> readTensor(const TensorTable& table, const std::string& name) {
    const TensorEntry* entry = table.find(name);
    if (!entry) return failure(badTensor(table, name, "a tensor of the model is missing", "", ""));
    Result<std::vector<float>> values = table.readFloat(name);
    if (!values) return failure(values.error());
    return at::from_blob(values->data(), entry->shape, at::kFloat).clone();
}

bool fits(at::IntArrayRef found, const Shape& expected) {
    if (found.size() != expected.size()) return false;
    for (std::size_t i = 0; i < expected.size(); ++i)
        if (expected[i] >= 0 && expected[i] != found[i]) return false;
    return true;
}

/// Frequencies [2,H,P] or [2,1,P]; everything else as storedShapes() says.
bool fitsPosition(at::IntArrayRef found, const Shape& part, const EncodingSpec& spec, bool frequencies) {
    if (frequencies)
        return found.size() == 3 && found[0] == 2 && (found[1] == spec.heads || found[1] == 1) && found[2] == part[1];
    const std::vector<Shape> shapes = storedShapes(spec.matrix, part, spec.heads, found.vec());
    return std::ranges::any_of(shapes, [&](const Shape& shape) { return found == at::IntArrayRef(shape); });
}

/// Queries and keys of a half-split file in interleaved order.
void interleaveProjections(WeightTable& weights, const EncodingSpec& spec) {
    const at::Tensor order = halfSplitOrder(spec.headDim);
    for (auto& [name, tensor] : weights) {
        for (const char* norm : {"attn.q_norm.weight", "attn.q_norm.bias", "attn.k_norm.weight", "attn.k_norm.bias"})
            if (name.ends_with(norm)) tensor = tensor.index_select(0, order);
        if (!name.ends_with("attn.qkv.weight") && !name.ends_with("attn.qkv.bias")) continue;
        const at::Tensor parts = tensor.view({3, spec.heads, spec.headDim, -1});
        tensor = at::cat({parts.narrow(0, 0, 2).index_select(2, order), parts.narrow(0, 2, 1)}).view(tensor.sizes());
    }
}

}  // namespace

Result<WeightTable> readWeights(const TensorTable& table, const std::map<std::string, Shape>& expected,
                                const EncodingSpec& spec, int layers) {
    WeightTable weights;
    for (const auto& [name, shape] : expected) {
        Result<at::Tensor> tensor = readTensor(table, name);
        if (!tensor) return failure(tensor.error());
        if (!fits(tensor->sizes(), shape))
            return failure(badTensor(table, name, "wrong shape", shapeText(tensor->sizes()), shapeText(shape)));
        weights[name] = *tensor;
    }
    for (int layer = 0; layer < layers; ++layer) {
        const std::string prefix = "blocks." + std::to_string(layer) + ".attn.";
        for (const MatrixParameter& parameter : positionTensors(prefix, spec)) {
            std::string name = parameter.name;
            if (spec.sharing == MapSharing::Model && !table.find(name)) name = name.substr(prefix.size());
            if (weights.contains(name)) continue;
            Result<at::Tensor> tensor = readTensor(table, name);
            if (!tensor) return failure(tensor.error());
            const bool flat =
                name.ends_with("freqs") && tensor->dim() == 2 && tensor->size(1) == spec.heads * parameter.shape[1];
            if (flat) tensor = tensor->view({2, spec.heads, parameter.shape[1]});  // rope-vit's own layout
            if (!fitsPosition(tensor->sizes(), parameter.shape, spec, name.ends_with("freqs")))
                return failure(badTensor(table, name, "wrong shape", shapeText(tensor->sizes()),
                                         "per head " + shapeText(parameter.shape)));
            weights[name] = *tensor;
        }
    }
    if (spec.layout == RotaryLayout::HalfSplit) interleaveProjections(weights, spec);
    return weights;
}

}  // namespace ropescope
