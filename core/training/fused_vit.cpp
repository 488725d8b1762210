// SPDX-License-Identifier: Apache-2.0
#include "core/training/fused_vit.h"

#include <ATen/ATen.h>

#include "core/training/fused_block.h"

namespace ropescope {
namespace {

// The block's norms have weights and its sums no gates: a modulation that is the same for every image.
at::Tensor modulationOf(const WeightTable& w, const std::string& block, std::int64_t images) {
    const at::Tensor &scale1 = w.at(block + "norm1.weight"), &scale2 = w.at(block + "norm2.weight");
    const at::Tensor one = at::ones_like(scale1);
    const at::Tensor row =
        at::cat({w.at(block + "norm1.bias"), scale1 - 1, one, w.at(block + "norm2.bias"), scale2 - 1, one});
    return row.expand({images, row.size(0)}).contiguous();
}

// The class token is token 0 and has no place: its planes turn by nothing.
RotaryTable withClassToken(const RotaryTable& table) {
    if (table.cos.numel() == 0) return table;
    const at::Tensor first = table.cos.narrow(-2, 0, 1).detach();
    return {at::cat({at::ones_like(first), table.cos}, -2), at::cat({at::zeros_like(first), table.sin}, -2)};
}

at::Tensor fusedForward(const WeightTable& w, const ViTShape& shape, const at::Tensor& x) {
    const Grid grid{static_cast<int>(x.size(2) / shape.patch), static_cast<int>(x.size(3) / shape.patch)};
    const EncodingSpec spec = shape.positions();
    const bool shared = sharesRotation(spec);
    RotaryTable rotary = withClassToken(layerTable(w, 0, spec, grid));
    at::Tensor tokens = vitEmbed(w, shape, x);
    for (int layer = 0; layer < shape.layers; ++layer) {
        const std::string block = "blocks." + std::to_string(layer) + ".";
        if (layer > 0 && !shared) rotary = withClassToken(layerTable(w, layer, spec, grid));
        tokens = fusedBlock(w, block, shape.heads, tokens, modulationOf(w, block, x.size(0)), rotary);
    }
    return vitHead(w, shape, tokens);
}

}  // namespace

at::Tensor trainingForward(const WeightTable& leaves, const ViTShape& shape, const at::Tensor& x, Precision precision) {
    const ViTShape plain = folded(shape);
    const WeightTable weights = foldViTMaps(leaves, shape);
    const bool fused = precision == Precision::Bf16 && onProcessor(leaves) && shape.classToken && !shape.layerScale;
    return fused ? fusedForward(weights, plain, x) : vitForward(weights, plain, x);
}

}  // namespace ropescope
