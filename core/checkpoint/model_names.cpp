// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>
#include <unordered_map>

#include "core/checkpoint/table_contents.h"

namespace ropescope {
namespace {

using Tensors = std::vector<TensorEntry>;

const TensorEntry* find(const Tensors& tensors, std::string_view name) {
    const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; });
    return found == tensors.end() ? nullptr : &*found;
}

std::vector<std::int64_t> stridesOf(const TensorEntry& entry) {
    if (!entry.strides.empty()) return entry.strides;
    std::vector<std::int64_t> strides(entry.shape.size(), 1);
    for (std::size_t i = strides.size() - 1; i-- > 0;) strides[i] = strides[i + 1] * entry.shape[i + 1];
    return strides;
}

/// Layer `index` of a tensor whose second axis counts the layers.
TensorEntry layerOf(const TensorEntry& all, std::int64_t index) {
    const std::vector<std::int64_t> strides = stridesOf(all);
    const auto size = static_cast<std::int64_t>(dtypeSize(all.dtype));
    TensorEntry one = all;
    one.name = "blocks." + std::to_string(index) + ".attn.freqs";
    one.shape.erase(one.shape.begin() + 1);
    one.strides = strides;
    one.strides.erase(one.strides.begin() + 1);
    one.offset += static_cast<std::uint64_t>(index * strides[1] * size);
    std::int64_t last = 0;
    for (std::size_t i = 0; i < one.shape.size(); ++i) last += (one.shape[i] - 1) * one.strides[i];
    one.length = static_cast<std::uint64_t>((last + 1) * size);
    return one;
}

/// Learned frequencies of all layers in one tensor.
void splitFrequencies(TensorTable::Contents& contents) {
    constexpr std::int64_t kMaxLayers = 1000;
    for (const auto& [name, rank, naming] :
         {std::tuple{"rope.freqs", 4u, "timm"}, std::tuple{"freqs", 3u, "rope-vit"}}) {
        const TensorEntry* found = find(contents.tensors, name);
        if (!found || found->shape.size() != rank || found->shape[0] != 2 || found->elements() == 0 ||
            found->shape[1] > kMaxLayers)
            continue;
        const TensorEntry all = *found;
        std::erase_if(contents.tensors, [&](const TensorEntry& t) { return t.name == all.name; });
        for (std::int64_t layer = 0; layer < all.shape[1]; ++layer) contents.tensors.push_back(layerOf(all, layer));
        contents.naming = naming;
        contents.notes.push_back("frequencies: " + all.name + ", one part for each layer");
        return;
    }
}

struct Renaming {
    std::string_view from, to;
};

// DiTTransformer2DModel of diffusers; every block carries the embeddings, the first one's are taken.
constexpr Renaming kWhole[] = {
    {"pos_embed.proj.", "x_embedder.proj."},
    {"transformer_blocks.0.norm1.emb.timestep_embedder.linear_1.", "t_embedder.mlp.0."},
    {"transformer_blocks.0.norm1.emb.timestep_embedder.linear_2.", "t_embedder.mlp.2."},
    {"transformer_blocks.0.norm1.emb.class_embedder.embedding_table.", "y_embedder.embedding_table."},
    {"proj_out_1.", "final_layer.adaLN_modulation.1."},
    {"proj_out_2.", "final_layer.linear."},
};
constexpr Renaming kInBlock[] = {
    {"norm1.linear.", "adaLN_modulation.1."},
    {"attn1.to_out.0.", "attn.proj."},
    {"ff.net.0.proj.", "mlp.fc1."},
    {"ff.net.2.", "mlp.fc2."},
    {"attn1.learnable_rot.", "attn.learnable_rot."},
};

std::string originalName(const std::string& name) {
    for (const Renaming& r : kWhole)
        if (name.starts_with(r.from)) return std::string(r.to) + name.substr(r.from.size());
    if (name == "pos_embed.pos_embed") return "pos_embed";
    constexpr std::string_view blocks = "transformer_blocks.";
    const std::size_t dot = name.find('.', blocks.size());
    if (!name.starts_with(blocks) || dot == std::string::npos) return name;
    const std::string index = name.substr(blocks.size(), dot - blocks.size()), rest = name.substr(dot + 1);
    for (const Renaming& r : kInBlock)
        if (rest.starts_with(r.from)) return "blocks." + index + "." + std::string(r.to) + rest.substr(r.from.size());
    return name;
}

/// to_q, to_k and to_v of every block as one qkv, where they fit each other.
void joinProjections(Tensors& tensors) {
    std::unordered_map<std::string, std::size_t> byName;
    for (std::size_t i = 0; i < tensors.size(); ++i) byName.emplace(tensors[i].name, i);
    Tensors joined;
    std::set<std::string> taken;
    const std::string queries = ".attn1.to_q.";
    constexpr std::string_view blocks = "transformer_blocks.";
    for (const TensorEntry& q : tensors) {
        const std::size_t at = q.name.find(queries);
        if (at == std::string::npos || !q.name.starts_with(blocks) || q.shape.empty()) continue;
        const std::string block = q.name.substr(0, at), last = q.name.substr(at + queries.size());
        TensorEntry all = q;
        all.name = "blocks." + block.substr(blocks.size()) + ".attn.qkv." + last;
        for (const char* which : {"q", "k", "v"}) {
            const auto part = byName.find(block + ".attn1.to_" + which + "." + last);
            if (part == byName.end()) break;
            const TensorEntry& entry = tensors[part->second];
            if (entry.dtype == q.dtype && entry.shape == q.shape && entry.strides.empty()) all.parts.push_back(entry);
        }
        if (all.parts.size() != 3) continue;
        for (const TensorEntry& part : all.parts) taken.insert(part.name);
        all.shape[0] *= 3;
        joined.push_back(std::move(all));
    }
    std::erase_if(tensors, [&](const TensorEntry& t) { return taken.contains(t.name); });
    tensors.insert(tensors.end(), joined.begin(), joined.end());
}

}  // namespace

void useModelNames(TensorTable::Contents& contents) {
    Tensors& tensors = contents.tensors;
    if (find(tensors, "patch_embed.proj.weight")) return splitFrequencies(contents);
    if (!find(tensors, "transformer_blocks.0.attn1.to_q.weight") ||
        !find(tensors, "transformer_blocks.0.norm1.emb.timestep_embedder.linear_1.weight"))
        return;
    joinProjections(tensors);
    for (TensorEntry& tensor : tensors) tensor.name = originalName(tensor.name);
    contents.naming = "diffusers";
    contents.notes.push_back("names: diffusers', read as the original ones; time and label embeddings of block 0");
}

}  // namespace ropescope
