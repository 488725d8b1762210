// SPDX-License-Identifier: Apache-2.0
#include "core/engine/network/network.h"

#include <algorithm>
#include <string_view>

#include "core/engine/network/dit_network.h"
#include "core/engine/network/known_card.h"
#include "core/engine/network/painter_network.h"

namespace ropescope {
namespace {

/// Who opens networks of an architecture.
struct Architecture {
    std::string_view name;
    Result<std::unique_ptr<Network>> (*open)(const GenerateRequest&, const JobContext&);
};

constexpr Architecture kArchitectures[] = {
    {"dit", openDitNetwork}, {"flux", openPainterNetwork}, {"mmdit", openPainterNetwork}};

}  // namespace

Result<std::unique_ptr<Network>> openNetwork(const GenerateRequest& request, const JobContext& context) {
    const auto card = knownCard(request.model);
    if (!card) return failure(card.error());
    const auto row = std::ranges::find(kArchitectures, card->architecture, &Architecture::name);
    if (row == std::end(kArchitectures))
        return failure({ErrorKind::Refused, "not-a-generator", place({request.model.path}), "this model draws nothing",
                        card->architecture, "dit, flux or mmdit", "Open a model that generates"});
    return row->open(request, context);
}

}  // namespace ropescope
