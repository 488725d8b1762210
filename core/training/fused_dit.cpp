// SPDX-License-Identifier: Apache-2.0
#include "core/training/fused_dit.h"

#include <ATen/ATen.h>

#include "core/training/fused_block.h"

namespace ropescope {
namespace {

at::Tensor fusedForward(const WeightTable& w, const DitShape& shape, const at::Tensor& x, const at::Tensor& t,
                        const at::Tensor& y) {
    const Grid grid{static_cast<int>(x.size(2) / shape.patch), static_cast<int>(x.size(3) / shape.patch)};
    const EncodingSpec spec = shape.positions();
    const bool shared = sharesRotation(spec);
    RotaryTable rotary = layerTable(w, 0, spec, grid);
    at::Tensor tokens = ditEmbed(w, shape, x);
    const at::Tensor condition = ditCondition(w, t, y);
    for (int layer = 0; layer < shape.layers; ++layer) {
        if (layer > 0 && !shared) rotary = layerTable(w, layer, spec, grid);
        tokens = fusedBlock(w, "blocks." + std::to_string(layer) + ".", shape.heads, tokens,
                            ditModulation(w, layer, condition), rotary);
    }
    return unpatchify(ditFinal(w, shape, tokens, condition), grid, shape.patch);
}

}  // namespace

at::Tensor trainingForward(const WeightTable& leaves, const DitShape& shape, const at::Tensor& x, const at::Tensor& t,
                           const at::Tensor& y, Precision precision) {
    const DitShape plain = folded(shape);
    const WeightTable weights = foldMaps(leaves, shape);
    const bool fused = precision == Precision::Bf16 && onProcessor(leaves);
    return fused ? fusedForward(weights, plain, x, t, y) : ditForward(weights, plain, x, t, y);
}

}  // namespace ropescope
