// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

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

void useModelNames(TensorTable::Contents& contents) {
    if (find(contents.tensors, "patch_embed.proj.weight")) splitFrequencies(contents);
}

}  // namespace ropescope
