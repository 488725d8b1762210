// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/data/model.h"
#include "core/data/model_card.h"

namespace ropescope {

/// What decides the tensors of a ViT, its encoding's own ones aside.
struct ViTSizes {
    int layers = 0;
    int width = 0;
    int headDim = 0;
    int hidden = 0;  ///< inside the MLP (of one half where it is gated)
    int patch = 0;
    int inChannels = 0;
    int classes = 0;
    int positionRows = 0;  ///< of pos_embed, 0 without one
    bool classToken = true;
    bool layerScale = false;
    NetworkVariant variant = viTVariant();

    /// Affine LayerNorms, as the first ViT has them.
    [[nodiscard]] static NetworkVariant viTVariant();
};
[[nodiscard]] ViTSizes sizesOf(const ModelCard& card);

/// Names (timm's) and shapes.
[[nodiscard]] std::map<std::string, std::vector<std::int64_t>> vitTensors(const ViTSizes& sizes);

}  // namespace ropescope
