// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/model_card.h"

namespace ropescope {

inline constexpr int kPixelsPerLatent = 8;  ///< of a side, in all published text-to-image models
inline constexpr int kUsualPixels = 1024;   ///< of a side, what FLUX.1 and SD3 are made for

/// What a run of a model takes where nothing else is said: few steps and no guidance for FLUX.1 schnell, those that are
/// published for FLUX.1 dev and SD3, 20 steps at 2 for models that draw by class.
struct UsualRun {
    int steps = 20;
    double guidance = 2;
};
[[nodiscard]] UsualRun usualRun(const ModelCard& card);

/// Tokens of the pictures a model was trained on: what its file says; of a text-to-image model whose file says nothing,
/// those of kUsualPixels a side, no more than its table of positions has.
[[nodiscard]] Grid trainedGrid(const ModelCard& card);

}  // namespace ropescope
