// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/data/generation.h"
#include "core/data/model.h"
#include "core/data/model_card.h"

namespace ropescope {

/// What a run decided about a request that left things open.
struct Decided {
    Sampler sampler = Sampler::Auto;
    std::int64_t guidedChannels = 0;
    Grid size;
    int label = 0;
    int image = 0;  ///< index in the batch
    int batch = 1;
    std::string device;  ///< in words
    std::string note;
    std::vector<double> levels;  ///< text-to-image: the first two noise levels
};

/// JSON with everything that decides one picture, the model's hash, the program's version, an equal command line and,
/// under "settings", the request itself, which settingsOfTexts() reads back.
[[nodiscard]] std::string recipeOf(const GenerateRequest& request, const ModelCard& card, const Decided& decided);

}  // namespace ropescope
