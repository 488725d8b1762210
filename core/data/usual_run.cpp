// SPDX-License-Identifier: Apache-2.0
#include "core/data/usual_run.h"

#include <algorithm>
#include <cmath>

namespace ropescope {

UsualRun usualRun(const ModelCard& card) {
    if (!card.takesText()) {
        UsualRun run;
        if (!card.nullClass) run.guidance = 1;
        return run;
    }
    const bool schnell = card.architecture == "flux" && !card.guidanceInput;
    return schnell ? UsualRun{4, 1} : UsualRun{28, 3.5};
}

Grid trainedGrid(const ModelCard& card) {
    if (!card.takesText() || card.gridSource != kGridNotSaid) return card.grid;
    const int latents = card.architecture == "flux" ? 2 : std::max(1, card.patch);
    int side = kUsualPixels / kPixelsPerLatent / latents;
    if (card.positionRows > 0) side = std::min(side, static_cast<int>(std::lround(std::sqrt(card.positionRows))));
    return {side, side};
}

}  // namespace ropescope
