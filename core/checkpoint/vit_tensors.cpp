// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/vit_tensors.h"

namespace ropescope {

ViTSizes sizesOf(const ModelCard& card) {
    ViTSizes s;
    s.layers = card.layers, s.width = card.width, s.patch = card.patch, s.inChannels = card.inChannels;
    s.hidden = card.mlpHidden > 0 ? card.mlpHidden : 4 * card.width;
    s.classes = card.classes, s.positionRows = card.positionRows;
    s.classToken = card.classToken, s.layerScale = card.layerScale;
    return s;
}

std::map<std::string, std::vector<std::int64_t>> vitTensors(const ViTSizes& s) {
    const std::int64_t c = s.width, p = s.patch, hidden = s.hidden;
    std::map<std::string, std::vector<std::int64_t>> all = {{"patch_embed.proj.weight", {c, s.inChannels, p, p}},
                                                            {"patch_embed.proj.bias", {c}},
                                                            {"norm.weight", {c}},
                                                            {"norm.bias", {c}},
                                                            {"head.weight", {s.classes, c}},
                                                            {"head.bias", {s.classes}}};
    if (s.classToken) all["cls_token"] = {1, 1, c};
    if (s.positionRows > 0) all["pos_embed"] = {1, s.positionRows, c};
    for (int i = 0; i < s.layers; ++i) {
        const std::string b = "blocks." + std::to_string(i) + ".";
        for (const char* name : {"norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"}) all[b + name] = {c};
        if (s.layerScale) all[b + "gamma_1"] = all[b + "gamma_2"] = {c};
        all[b + "attn.qkv.weight"] = {3 * c, c}, all[b + "attn.qkv.bias"] = {3 * c};
        all[b + "attn.proj.weight"] = {c, c}, all[b + "attn.proj.bias"] = {c};
        all[b + "mlp.fc1.weight"] = {hidden, c}, all[b + "mlp.fc1.bias"] = {hidden};
        all[b + "mlp.fc2.weight"] = {c, hidden}, all[b + "mlp.fc2.bias"] = {c};
    }
    return all;
}

}  // namespace ropescope
