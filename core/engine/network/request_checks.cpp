// SPDX-License-Identifier: Apache-2.0
#include "core/engine/network/request_checks.h"

#include <algorithm>
#include <cmath>

#include "core/sampling/schedule.h"

namespace ropescope {

Error optionError(const std::string& option, const std::string& reason, const std::string& found,
                  const std::string& expected, const std::string& advice) {
    return {ErrorKind::Usage, "bad-option", option, reason, found, expected, advice};
}

Result<std::vector<HeadId>> recordedHeads(const GenerateRequest& request, int layers, int heads) {
    std::vector<HeadId> out;
    if (request.record == RecordFields::Listed) out = request.recordHeads;
    for (int layer = 0; layer < layers && request.record == RecordFields::All; ++layer)
        for (int head = 0; head < heads; ++head) out.push_back({layer, head});
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    for (const HeadId& id : out)
        if (id.layer < 0 || id.layer >= layers || id.head < 0 || id.head >= heads)
            return failure(optionError("fields", "no such head", id.name(),
                                       std::to_string(layers) + " layers of " + std::to_string(heads) + " heads",
                                       "Choose another head"));
    return out;
}

Result<void> checkSampling(const GenerateRequest& request) {
    if (request.steps < 1 || request.steps > kTrainedSteps)
        return failure(optionError("--steps", "not a possible number", std::to_string(request.steps), "1 to 1000", ""));
    if (!(std::abs(request.guidance) <= 1000))
        return failure(optionError("--guidance", "not a possible guidance", std::to_string(request.guidance),
                                   "at most 1000", "Choose another guidance"));
    return {};
}

Error cancelled() {
    return {ErrorKind::Cancelled, "cancelled", "", "cancelled", "", "", ""};
}

Error notFinite(const GenerateRequest& request, int step) {
    return {ErrorKind::Refused,
            "GP-07",
            place({request.model.path}),
            "the latents are not finite after step " + std::to_string(step),
            "NaN or infinity",
            "numbers",
            request.compute.precision == Precision::Fp32 ? "Check the model's weights or lower the guidance"
                                                         : "Try --precision fp32"};
}

}  // namespace ropescope
