// SPDX-License-Identifier: Apache-2.0
#include "core/data/usual_run.h"

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

}  // namespace ropescope
