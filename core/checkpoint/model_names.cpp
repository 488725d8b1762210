// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

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

}  // namespace

namespace {

/// "blocks.3.mlp.fc1." as {"blocks.3.", "mlp.fc1."}; the block is empty for names outside blocks.
std::pair<std::string_view, std::string_view> splitBlock(std::string_view name) {
    constexpr std::string_view kBlocks = "blocks.";
    if (!name.starts_with(kBlocks)) return {{}, name};
    const std::size_t dot = name.find('.', kBlocks.size());
    if (dot == std::string_view::npos) return {{}, name};
    return {name.substr(0, dot + 1), name.substr(dot + 1)};
}

/// An MLP whose first layer makes twice what its second takes is gated: timm's SwiGLUPacked.
bool isPacked(const Tensors& tensors) {
    std::map<std::string, std::pair<const TensorEntry*, const TensorEntry*>> layers;
    for (const TensorEntry& t : tensors) {
        const auto [block, inside] = splitBlock(t.name);
        if (inside == "mlp.fc1.weight" && t.shape.size() == 2) layers[std::string(block)].first = &t;
        if (inside == "mlp.fc2.weight" && t.shape.size() == 2) layers[std::string(block)].second = &t;
    }
    int packed = 0, plain = 0;
    for (const auto& [block, mlp] : layers) {
        if (!mlp.first || !mlp.second) continue;
        packed += mlp.first->shape[0] == 2 * mlp.second->shape[1];
        plain += mlp.first->shape[0] == mlp.second->shape[1];
    }
    return packed > plain;
}

struct Part {
    std::string_view from, to;
};
constexpr Part kParts[] = {{"ls1.gamma", "gamma_1"}, {"ls2.gamma", "gamma_2"}};
constexpr Part kPacked[] = {{"mlp.fc1.", "mlp.w12."}, {"mlp.fc2.", "mlp.w3."}};

/// timm's and DINOv2's newer names of a ViT's parts.
void renameParts(TensorTable::Contents& contents) {
    const bool packed = isPacked(contents.tensors);
    contents.packedGates = packed;
    for (TensorEntry& tensor : contents.tensors) {
        if (tensor.name == "register_tokens") tensor.stored = tensor.name, tensor.name = "reg_token";
        const auto [block, inside] = splitBlock(tensor.name);
        if (block.empty()) continue;
        std::string own(inside);
        for (const Part& part : kParts)
            if (own == part.from) own = part.to, contents.renamedScales = true;
        for (const Part& part : kPacked)
            if (packed && own.starts_with(part.from)) own = std::string(part.to) + own.substr(part.from.size());
        if (own != inside) tensor.stored = tensor.name;
        tensor.name = std::string(block) + own;
    }
    if (packed) contents.notes.push_back("MLP: its first layer makes two halves, read as SwiGLU (silu of the first)");
}

}  // namespace

std::string timmName(const TensorTable::Contents& contents, const std::string& own) {
    const auto [block, inside] = splitBlock(own);
    if (block.empty()) return own;
    for (const Part& part : kParts)
        if (contents.renamedScales && inside == part.to) return std::string(block) + std::string(part.from);
    for (const Part& part : kPacked)
        if (contents.packedGates && inside.starts_with(part.to))
            return std::string(block) + std::string(part.from) + std::string(inside.substr(part.to.size()));
    return own;
}

void useModelNames(TensorTable::Contents& contents) {
    const bool vit = std::ranges::any_of(contents.tensors, [](const TensorEntry& t) {
        return t.name.starts_with("patch_embed.") || t.name == "cls_token";
    });
    if (!vit) return;
    renameParts(contents);
    splitFrequencies(contents);
}

}  // namespace ropescope
