// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/dit_tensors.h"

#include "core/checkpoint/shape_table.h"

namespace ropescope {
DitSizes sizesOfDit(const ModelCard& card) {
    DitSizes s;
    s.layers = card.layers, s.width = card.width, s.headDim = card.headDim, s.patch = card.patch;
    s.hidden = card.mlpHidden > 0 ? card.mlpHidden : 4 * card.width;
    s.inChannels = card.inChannels, s.outChannels = card.outChannels;
    s.labelRows = card.classes + (card.nullClass ? 1 : 0);
    s.timeWidth = card.timeWidth;
    s.positionRows = card.positionRows;
    s.variant = card.variant;
    return s;
}

ShapeTable ditTensors(const DitSizes& s) {
    const std::int64_t w = s.width, p = s.patch;
    ShapeTable all;
    all["x_embedder.proj.weight"] = {w, s.inChannels, p, p}, all["x_embedder.proj.bias"] = {w};
    addLinear(all, "t_embedder.mlp.0", w, s.timeWidth);
    addLinear(all, "t_embedder.mlp.2", w, w);
    all["y_embedder.embedding_table.weight"] = {s.labelRows, w};
    if (s.positionRows > 0) all["pos_embed"] = {1, s.positionRows, w};
    for (int i = 0; i < s.layers; ++i) {
        const std::string b = "blocks." + std::to_string(i) + ".";
        addNorm(all, b + "norm1", s.variant.norm, w);
        addNorm(all, b + "norm2", s.variant.norm, w);
        addNorm(all, b + "attn.q_norm", s.variant.headNorm, s.headDim);
        addNorm(all, b + "attn.k_norm", s.variant.headNorm, s.headDim);
        addLinear(all, b + "attn.qkv", 3 * w, w);
        if (!s.variant.qkvBias) all.erase(b + "attn.qkv.bias");
        addLinear(all, b + "attn.proj", w, w);
        addMlp(all, b + "mlp.", w, s.hidden, s.variant.gated);
        addLinear(all, b + "adaLN_modulation.1", 6 * w, w);
    }
    addNorm(all, "final_layer.norm_final", s.variant.lastNorm, w);
    addLinear(all, "final_layer.linear", p * p * s.outChannels, w);
    addLinear(all, "final_layer.adaLN_modulation.1", 2 * w, w);
    return all;
}

}  // namespace ropescope
