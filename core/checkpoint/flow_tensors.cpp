// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/flow_tensors.h"

#include <algorithm>

#include "core/checkpoint/shape_table.h"

namespace ropescope {
namespace {

using Shapes = ShapeTable;

std::int64_t side(const TensorTable& table, const std::string& name, std::size_t axis) {
    const TensorEntry* entry = table.find(name);
    return entry && axis < entry->shape.size() ? entry->shape[axis] : 0;
}

/// Width inside the MLPs: of biases that agree, else of the weight.
std::int64_t hiddenOf(const TensorTable& table, const std::vector<std::string>& biases, const std::string& weight) {
    const std::int64_t own = side(table, weight, 0), first = side(table, biases[0], 0),
                       second = side(table, biases[1], 0);
    if (first > 0 && (first == second || first == own)) return first;
    if (second > 0 && second == own) return second;
    return own > 0 ? own : first;
}

Shapes fluxTensors(const TensorTable& table, const ModelCard& card) {
    const std::int64_t c = card.width, d = card.headDim,
                       hidden = hiddenOf(table, {"double_blocks.0.img_mlp.0.bias", "double_blocks.0.txt_mlp.0.bias"},
                                         "double_blocks.0.img_mlp.0.weight");
    Shapes all;
    addLinear(all, "img_in", c, card.inChannels);
    addLinear(all, "txt_in", c, side(table, "txt_in.weight", 1));
    const auto embed = [&](const std::string& name, std::int64_t in) {
        addLinear(all, name + ".in_layer", c, in);
        addLinear(all, name + ".out_layer", c, c);
    };
    embed("time_in", 256);
    embed("vector_in", side(table, "vector_in.in_layer.weight", 1));
    if (card.guidanceInput) embed("guidance_in", 256);
    const auto norms = [&](const std::string& name) {
        all[name + "query_norm.scale"] = all[name + "key_norm.scale"] = {d};
    };
    for (int i = 0; i < card.jointLayers; ++i)
        for (const char* stream : {"img", "txt"}) {
            const std::string name = "double_blocks." + std::to_string(i) + "." + stream;
            addLinear(all, name + "_mod.lin", 6 * c, c);
            addLinear(all, name + "_attn.qkv", 3 * c, c);
            addLinear(all, name + "_attn.proj", c, c);
            norms(name + "_attn.norm.");
            addLinear(all, name + "_mlp.0", hidden, c);
            addLinear(all, name + "_mlp.2", c, hidden);
        }
    for (int i = 0; i < card.layers - card.jointLayers; ++i) {
        const std::string name = "single_blocks." + std::to_string(i) + ".";
        addLinear(all, name + "linear1", 3 * c + hidden, c);
        addLinear(all, name + "linear2", c, c + hidden);
        addLinear(all, name + "modulation.lin", 3 * c, c);
        norms(name + "norm.");
    }
    addLinear(all, "final_layer.adaLN_modulation.1", 2 * c, c);
    addLinear(all, "final_layer.linear", card.outChannels, c);
    return all;
}

Shapes mmditTensors(const TensorTable& table, const ModelCard& card) {
    const std::int64_t c = card.width, d = card.headDim, p = card.patch;
    const std::int64_t hidden =
        hiddenOf(table, {"joint_blocks.0.x_block.mlp.fc1.bias", "joint_blocks.1.x_block.mlp.fc1.bias"},
                 "joint_blocks.0.x_block.mlp.fc1.weight");
    const auto any = [&](const std::string& part) {
        return std::ranges::any_of(table.tensors(),
                                   [&](const TensorEntry& t) { return t.name.find(part) != t.name.npos; });
    };
    const bool normed = any(".attn.ln_q.") || any(".attn.ln_k.");
    Shapes all;
    all["x_embedder.proj.weight"] = {c, card.inChannels, p, p}, all["x_embedder.proj.bias"] = {c};
    // Every SD3 adds its table; with maps in its place it may have none.
    if (card.positionRows > 0 || card.encoding != "harope") all["pos_embed"] = {1, card.positionRows, c};
    addLinear(all, "t_embedder.mlp.0", c, 256);
    addLinear(all, "t_embedder.mlp.2", c, c);
    addLinear(all, "y_embedder.mlp.0", c, side(table, "y_embedder.mlp.0.weight", 1));
    addLinear(all, "y_embedder.mlp.2", c, c);
    addLinear(all, "context_embedder", c, side(table, "context_embedder.weight", 1));
    const auto attention = [&](const std::string& name, bool output) {
        addLinear(all, name + "qkv", 3 * c, c);
        if (output) addLinear(all, name + "proj", c, c);
        if (normed) all[name + "ln_q.weight"] = all[name + "ln_k.weight"] = {d};
    };
    for (int i = 0; i < card.layers; ++i)
        for (const char* stream : {"x_block", "context_block"}) {
            const std::string name = "joint_blocks." + std::to_string(i) + "." + stream + ".";
            const bool text = stream[0] == 'c', last = text && i == card.layers - 1;
            const bool second =
                !text && (any(name + "attn2.") || any("transformer_blocks." + std::to_string(i) + ".attn2."));
            attention(name + "attn.", !last);
            if (second) attention(name + "attn2.", true);
            addLinear(all, name + "adaLN_modulation.1", (last ? 2 : second ? 9 : 6) * c, c);
            if (last) continue;
            addLinear(all, name + "mlp.fc1", hidden, c);
            addLinear(all, name + "mlp.fc2", c, hidden);
        }
    addLinear(all, "final_layer.adaLN_modulation.1", 2 * c, c);
    addLinear(all, "final_layer.linear", p * p * card.outChannels, c);
    return all;
}

}  // namespace

Shapes flowTensors(const TensorTable& table, const ModelCard& card) {
    if (card.architecture == "flux") return fluxTensors(table, card);
    if (card.architecture == "mmdit") return mmditTensors(table, card);
    return {};
}

}  // namespace ropescope
