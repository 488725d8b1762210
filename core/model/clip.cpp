// SPDX-License-Identifier: Apache-2.0
#include "core/model/clip.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/model/encoder_tensors.h"
#include "core/model/joint.h"

namespace ropescope {
namespace {

/// transformers writes some files without it.
std::string prefixOf(const auto& file) {
    return file.has("text_model.embeddings.token_embedding.weight") ? "text_model." : "";
}

at::Tensor normed(const WeightTable& w, const std::string& name, const ClipShape& shape, const at::Tensor& x) {
    return at::layer_norm(x, {x.size(-1)}, w.at(name + ".weight"), w.at(name + ".bias"), shape.normEps);
}

at::Tensor attention(const WeightTable& w, const ClipShape& shape, const at::Tensor& x) {
    const auto heads = [&](const char* which) {
        return dense(w, std::string("self_attn.") + which, x)
            .view({1, x.size(1), shape.heads, shape.width / shape.heads})
            .transpose(1, 2);
    };
    const at::Tensor mixed =
        at::scaled_dot_product_attention(heads("q_proj"), heads("k_proj"), heads("v_proj"), {}, 0, /*is_causal=*/true);
    return dense(w, "self_attn.out_proj", mixed.transpose(1, 2).reshape({1, x.size(1), shape.width}));
}

at::Tensor block(const WeightTable& w, const ClipShape& shape, at::Tensor x) {
    x = x + attention(w, shape, normed(w, "layer_norm1", shape, x));
    const at::Tensor h = dense(w, "mlp.fc1", normed(w, "layer_norm2", shape, x));
    return x + dense(w, "mlp.fc2", shape.quickGelu ? h * at::sigmoid(1.702 * h) : at::gelu(h));
}

std::int64_t endPlace(const ClipShape& shape, const std::vector<int>& ids) {
    if (shape.end == 2) return std::max_element(ids.begin(), ids.end()) - ids.begin();
    const auto found = std::find(ids.begin(), ids.end(), shape.end);
    return found == ids.end() ? static_cast<std::int64_t>(ids.size()) - 1 : found - ids.begin();
}

struct Names {
    const TensorTable& table;
    [[nodiscard]] bool has(const std::string& name) const { return table.find(name) != nullptr; }
};

}  // namespace

Result<ClipShape> clipShape(const TensorTable& table, const std::string& config) {
    const std::string prefix = prefixOf(Names{table});
    const auto refused = [&](const std::string& tensor, const std::string& reason) {
        return failure({ErrorKind::Refused, "TC-05", place({table.path(), tensor}), reason, "", "a CLIP text encoder",
                        "Use the text encoder of the model"});
    };
    const TensorEntry* words = table.find(prefix + "embeddings.token_embedding.weight");
    const TensorEntry* places = table.find(prefix + "embeddings.position_embedding.weight");
    if (!words || words->shape.size() != 2 || !places || places->shape.size() != 2)
        return refused(prefix + "embeddings.token_embedding.weight", "tensor is missing");
    ClipShape shape;
    shape.width = static_cast<int>(words->shape[1]), shape.positions = static_cast<int>(places->shape[0]);
    while (table.find(prefix + "encoder.layers." + std::to_string(shape.layers) + ".mlp.fc1.weight")) ++shape.layers;
    std::set<std::string> used = {prefix + "embeddings.token_embedding.weight",
                                  prefix + "embeddings.position_embedding.weight", prefix + "final_layer_norm.weight",
                                  prefix + "final_layer_norm.bias", "text_projection.weight"};
    for (int i = 0; i < shape.layers; ++i)
        for (const char* part : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj",
                                 "layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2"})
            for (const char* kind : {".weight", ".bias"})
                if (const std::string name = prefix + "encoder.layers." + std::to_string(i) + "." + part + kind;
                    !table.find(name))
                    return refused(name, "tensor is missing");
                else
                    used.insert(name);
    for (const char* kind : {".weight", ".bias"})
        if (!table.find(prefix + "final_layer_norm" + kind))
            return refused(prefix + "final_layer_norm" + kind, "tensor is missing");
    // Whole CLIPs have a picture side too; places are numbered anew.
    if (auto known = checkEncoderTensors(
            table, used,
            {"*position_ids", "logit_scale", "vision_model.*", "visual_projection.*", "scaled_fp8", "*.comfy_quant"});
        !known)
        return failure(known.error());
    const nlohmann::json json = nlohmann::json::parse(config, nullptr, false);
    const auto text = [&](const char* key, const std::string& usual) {
        return json.is_object() && json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : usual;
    };
    const auto number = [&](const char* key, double usual) {
        return json.is_object() && json.contains(key) && json[key].is_number() ? json[key].get<double>() : usual;
    };
    shape.heads = static_cast<int>(number("num_attention_heads", shape.width / 64.0));
    shape.quickGelu = text("hidden_act", shape.width == 768 ? "quick_gelu" : "gelu") == "quick_gelu";
    shape.normEps = number("layer_norm_eps", 1e-5);
    shape.end = static_cast<int>(number("eos_token_id", 49407));
    if (shape.layers < 2 || shape.heads < 1 || shape.width % shape.heads != 0)
        return refused(prefix + "encoder.layers", "sizes do not fit");
    return shape;
}

ClipOutput clipForward(WeightStore& weights, const ClipShape& shape, const std::vector<int>& ids,
                       const std::function<bool()>& goOn) {
    const auto n = static_cast<std::int64_t>(ids.size());
    if (n < 1 || n > shape.positions) throw std::invalid_argument("as many tokens as the encoder has places");
    const std::string prefix = prefixOf(weights);
    const WeightTable table = weights.block(prefix + "embeddings.");
    const at::Tensor words = table.at("token_embedding.weight");
    const at::Tensor index = at::tensor(std::vector<std::int64_t>(ids.begin(), ids.end())).clamp(0, words.size(0) - 1);
    at::Tensor x =
        words.index_select(0, index.to(words.device())) + table.at("position_embedding.weight").narrow(0, 0, n);
    x = x.unsqueeze(0);
    ClipOutput out;
    for (int i = 0; i < shape.layers; ++i) {
        if (goOn && !goOn()) return {};
        if (i == shape.layers - 1) out.hidden = x;
        x = block(weights.block(prefix + "encoder.layers." + std::to_string(i) + "."), shape, x);
    }
    out.last = normed(weights.block(prefix + "final_layer_norm"), "", shape, x);
    out.pooled = out.unprojected = out.last.select(1, endPlace(shape, ids));
    if (weights.has("text_projection.weight"))
        out.pooled = at::linear(out.pooled, weights.block("text_projection").at(".weight"));
    return out;
}

}  // namespace ropescope
