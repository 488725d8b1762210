// SPDX-License-Identifier: Apache-2.0
#include "core/model/t5.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/model/encoder_tensors.h"
#include "core/model/joint.h"

namespace ropescope {
namespace {

/// [1,H,n,n], added to the logits of every layer.
at::Tensor positionBias(WeightStore& weights, const T5Shape& shape, std::int64_t n) {
    const at::Tensor table =
        weights.block("encoder.block.0.layer.0.SelfAttention.relative_attention_bias").at(".weight");
    std::vector<std::int64_t> bucket;
    for (std::int64_t query = 0; query < n; ++query)
        for (std::int64_t key = 0; key < n; ++key)
            bucket.push_back(t5Bucket(static_cast<int>(key - query), shape.buckets, shape.maxDistance));
    return table.index_select(0, at::tensor(bucket).to(table.device()))
        .view({n, n, shape.heads})
        .permute({2, 0, 1})
        .unsqueeze(0);
}

at::Tensor attention(const WeightTable& w, const T5Shape& shape, const at::Tensor& x, const at::Tensor& bias) {
    const auto project = [&](const char* which, const at::Tensor& t) {
        return at::linear(t, w.at(std::string("layer.0.SelfAttention.") + which + ".weight"));
    };
    const auto heads = [&](const char* which) {
        return project(which, x).view({1, x.size(1), shape.heads, shape.headDim}).transpose(1, 2);
    };
    // Not scaled: the initialisation did that.
    const at::Tensor logits = at::matmul(heads("q"), heads("k").mT()) + bias;
    const at::Tensor mixed = at::matmul(at::softmax(logits.to(at::kFloat), -1).to(x.scalar_type()), heads("v"));
    return project("o", mixed.transpose(1, 2).reshape({1, x.size(1), shape.heads * shape.headDim}));
}

/// The last product in float32 where the rest is in half precision, whose range it leaves (as transformers does it).
at::Tensor mlp(const WeightTable& w, const at::Tensor& x) {
    const auto weight = [&](const char* which) {
        return w.at(std::string("layer.1.DenseReluDense.") + which + ".weight");
    };
    const at::Tensor inner = at::gelu(at::linear(x, weight("wi_0")), "tanh") * at::linear(x, weight("wi_1"));
    const at::ScalarType type = x.scalar_type() == at::kHalf ? at::kFloat : x.scalar_type();
    return at::linear(inner.to(type), weight("wo").to(type));
}

}  // namespace

int t5Bucket(int offset, int buckets, int maxDistance) {
    const int half = buckets / 2, exact = half / 2, distance = std::abs(offset);
    int bucket = distance;
    if (distance >= exact) {
        const float share = std::log(static_cast<float>(distance) / static_cast<float>(exact)) /
                            std::log(static_cast<float>(maxDistance) / static_cast<float>(exact));
        bucket = std::min(half - 1, exact + static_cast<int>(share * static_cast<float>(half - exact)));
    }
    return bucket + (offset > 0 ? half : 0);
}

Result<T5Shape> t5Shape(const TensorTable& table, const std::string& config) {
    const auto refused = [&](const std::string& tensor, const std::string& reason, const std::string& found = {}) {
        return failure({ErrorKind::Refused, "TC-05", place({table.path(), tensor}), reason, found,
                        "an encoder of T5 v1.1", "Use the text encoder of the model"});
    };
    const auto sized = [&](const std::string& name) {
        const TensorEntry* entry = table.find(name);
        return entry && entry->shape.size() == 2 ? entry->shape : std::vector<std::int64_t>{0, 0};
    };
    const std::string bias = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";
    const std::string query = "encoder.block.0.layer.0.SelfAttention.q.weight";
    T5Shape shape;
    shape.heads = static_cast<int>(sized(bias)[1]), shape.buckets = static_cast<int>(sized(bias)[0]);
    shape.width = static_cast<int>(sized(query)[1]);
    if (shape.heads < 1 || shape.buckets < 4) return refused(bias, "tensor is missing");
    if (shape.width < 1 || sized(query)[0] % shape.heads != 0)
        return refused(query, "tensor is missing or does not fit");
    if (!table.find("encoder.block.0.layer.1.DenseReluDense.wi_1.weight"))
        return refused("encoder.block.0.layer.1.DenseReluDense.wi_1.weight", "tensor is missing",
                       "an MLP without a gate");
    if (!table.find("shared.weight") && !table.find("encoder.embed_tokens.weight"))
        return refused("shared.weight", "tensor is missing");
    std::set<std::string> used = {"shared.weight", "encoder.embed_tokens.weight", "encoder.final_layer_norm.weight",
                                  bias};
    for (int i = 0; table.find("encoder.block." + std::to_string(i) + ".layer.0.layer_norm.weight"); ++i)
        for (const char* part : {"layer.0.SelfAttention.q", "layer.0.SelfAttention.k", "layer.0.SelfAttention.v",
                                 "layer.0.SelfAttention.o", "layer.1.layer_norm", "layer.1.DenseReluDense.wi_0",
                                 "layer.1.DenseReluDense.wi_1", "layer.1.DenseReluDense.wo"})
            if (const std::string name = "encoder.block." + std::to_string(i) + "." + part + ".weight";
                !table.find(name))
                return refused(name, "tensor is missing");
            else
                used.insert(name);
    for (int i = 0; table.find("encoder.block." + std::to_string(i) + ".layer.0.layer_norm.weight"); ++i)
        used.insert("encoder.block." + std::to_string(i) + ".layer.0.layer_norm.weight");
    if (!table.find("encoder.final_layer_norm.weight"))
        return refused("encoder.final_layer_norm.weight", "tensor is missing");
    // Whole T5s have a decoder too; some files say at their end what they are (spiece_model).
    if (auto known = checkEncoderTensors(
            table, used, {"decoder.*", "lm_head.*", "spiece_model", "logit_scale", "scaled_fp8", "*.comfy_quant"});
        !known)
        return failure(known.error());
    shape.headDim = static_cast<int>(sized(query)[0]) / shape.heads;
    while (table.find("encoder.block." + std::to_string(shape.layers) + ".layer.0.layer_norm.weight")) ++shape.layers;
    const nlohmann::json json = nlohmann::json::parse(config, nullptr, false);
    if (json.is_object() && json.contains("relative_attention_max_distance") &&
        json["relative_attention_max_distance"].is_number_integer())
        shape.maxDistance = json["relative_attention_max_distance"].get<int>();
    return shape;
}

at::Tensor t5Forward(WeightStore& weights, const T5Shape& shape, const std::vector<int>& ids,
                     const std::function<bool()>& goOn) {
    if (ids.empty()) throw std::invalid_argument("at least one token");
    const std::string name = weights.has("shared.weight") ? "shared" : "encoder.embed_tokens";
    const at::Tensor words = weights.block(name).at(".weight");
    const at::Tensor index = at::tensor(std::vector<std::int64_t>(ids.begin(), ids.end())).clamp(0, words.size(0) - 1);
    at::Tensor x = words.index_select(0, index.to(words.device())).unsqueeze(0);
    const at::Tensor bias = positionBias(weights, shape, x.size(1));
    for (int i = 0; i < shape.layers; ++i) {
        if (goOn && !goOn()) return {};
        const WeightTable w = weights.block("encoder.block." + std::to_string(i) + ".");
        const auto normed = [&](const char* name) { return rmsNorm(x, w.at(name)).to(weights.type()); };
        x = x + attention(w, shape, normed("layer.0.layer_norm.weight"), bias);
        x = x + mlp(w, normed("layer.1.layer_norm.weight"));
    }
    return rmsNorm(x, weights.block("encoder.final_layer_norm").at(".weight")).to(weights.type());
}

}  // namespace ropescope
