// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/vit_tensors.h"

#include "core/checkpoint/shape_table.h"

namespace ropescope {
namespace {

/// timm's AttentionPoolLatent.
void addPool(ShapeTable& all, const ViTSizes& s) {
    const std::int64_t c = s.width;
    all["attn_pool.latent"] = {1, 1, c};
    addLinear(all, "attn_pool.q", c, c);
    addLinear(all, "attn_pool.kv", 2 * c, c);
    addLinear(all, "attn_pool.proj", c, c);
    addNorm(all, "attn_pool.norm", s.variant.norm, c);
    addMlp(all, "attn_pool.mlp.", c, s.hidden, false);
}

}  // namespace

NetworkVariant ViTSizes::viTVariant() {
    NetworkVariant v;
    v.norm = v.lastNorm = Norm::Layer;
    return v;
}

ViTSizes sizesOf(const ModelCard& card) {
    ViTSizes s;
    s.layers = card.layers, s.width = card.width, s.headDim = card.headDim, s.patch = card.patch;
    s.inChannels = card.inChannels;
    s.hidden = card.mlpHidden > 0 ? card.mlpHidden : 4 * card.width;
    s.classes = card.classes, s.positionRows = card.positionRows;
    s.classToken = card.classToken, s.layerScale = card.layerScale;
    s.variant = card.variant;
    return s;
}

ShapeTable vitTensors(const ViTSizes& s) {
    const std::int64_t c = s.width, p = s.patch;
    const NetworkVariant& v = s.variant;
    ShapeTable all;
    all["patch_embed.proj.weight"] = {c, s.inChannels, p, p};
    if (!v.normBefore) all["patch_embed.proj.bias"] = {c};  // the norm behind it has one
    addNorm(all, v.normAfter ? "fc_norm" : "norm", v.lastNorm, c);
    addLinear(all, "head", s.classes, c);
    if (s.classToken) all["cls_token"] = {1, 1, c};
    if (v.registers > 0) all["reg_token"] = {1, v.registers, c};
    if (v.distilled) {
        all["dist_token"] = {1, 1, c};
        addLinear(all, "head_dist", s.classes, c);
    }
    if (v.normBefore) addNorm(all, "norm_pre", v.norm, c);
    if (v.pool == Pool::Map) addPool(all, s);
    if (s.positionRows > 0) all["pos_embed"] = {1, s.positionRows, c};
    for (int i = 0; i < s.layers; ++i) {
        const std::string b = "blocks." + std::to_string(i) + ".";
        addNorm(all, b + "norm1", v.norm, c);
        addNorm(all, b + "norm2", v.norm, c);
        if (s.layerScale) all[b + "gamma_1"] = all[b + "gamma_2"] = {c};
        addLinear(all, b + "attn.qkv", 3 * c, c);
        if (!v.qkvBias) all.erase(b + "attn.qkv.bias");
        addNorm(all, b + "attn.q_norm", v.headNorm, s.headDim);
        addNorm(all, b + "attn.k_norm", v.headNorm, s.headDim);
        addLinear(all, b + "attn.proj", c, c);
        addMlp(all, b + "mlp.", c, s.hidden, v.gated);
    }
    return all;
}

}  // namespace ropescope
