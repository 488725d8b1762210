// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/data/model_card.h"

namespace ropescope {

/// What decides the tensors of a DiT or a relative, its encoding's own ones aside.
struct DitSizes {
    int layers = 0;
    int width = 0;
    int headDim = 0;
    int hidden = 0;  ///< inside the MLP (of one half where it is gated)
    int patch = 0;
    int inChannels = 0;
    int outChannels = 0;
    int labelRows = 0;              ///< of the label table, "no class" included
    int timeWidth = 256;            ///< sinusoids of the time
    std::int64_t positionRows = 0;  ///< of pos_embed, 0 without one
    NetworkVariant variant;
};
[[nodiscard]] DitSizes sizesOfDit(const ModelCard& card);

/// Names (those of the first release, LightningDiT's where it adds some) and shapes.
[[nodiscard]] std::map<std::string, std::vector<std::int64_t>> ditTensors(const DitSizes& sizes);

}  // namespace ropescope
