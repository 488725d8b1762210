// SPDX-License-Identifier: Apache-2.0
#include "core/encoding/model_encoding.h"

#include <algorithm>

namespace ropescope {
namespace {

Error unsuitable(const ModelCard& card, std::string reason, std::string found, std::string expected) {
    return {ErrorKind::Refused,
            "heads",
            place({card.path}),
            std::move(reason),
            std::move(found),
            std::move(expected),
            "Open a DiT or ViT checkpoint for the weight views"};
}

}  // namespace

Result<EncodingSpec> encodingOf(const ModelCard& card) {
    if (card.architecture != "dit" && card.architecture != "vit" && !card.takesText())
        return failure(
            unsuitable(card, "no weight views for this network", card.architecture, "dit, vit, mmdit or flux"));
    const Result<const Encoding*> encoding = findEncoding(card.encoding);
    if (!encoding) return failure(unsuitable(card, "an encoding without weight probes", card.encoding, ""));
    if (card.layers < 1 || card.heads < 1 || card.headDim < 2 || card.headDim % 2 != 0)
        return failure(unsuitable(card, "sizes of the heads do not fit",
                                  std::to_string(card.layers) + " layers, " + std::to_string(card.heads) +
                                      " heads of " + std::to_string(card.headDim),
                                  "an even head dimension"));
    const bool said = card.convention == Convention::Same || card.convention == Convention::Inverse;
    if ((*encoding)->conventions && !said)
        return failure({ErrorKind::Usage, "convention", place({card.path}), "the file does not say how its maps enter",
                        "", "same or inverse", "Add --convention same or --convention inverse"});
    const int parts = 2 * std::max(1, (*encoding)->axes);
    if ((*encoding)->turns() && (card.headDim % parts != 0 || !(card.theta > 0)))
        return failure(
            unsuitable(card, "rotary positions do not fit",
                       "head dimension " + std::to_string(card.headDim) + ", theta " + std::to_string(card.theta),
                       "a multiple of " + std::to_string(parts) + " and a positive theta"));
    EncodingSpec spec{*encoding, card.heads, card.headDim, card.theta};
    if ((*encoding)->conventions) spec.convention = card.convention;
    if ((*encoding)->hasMaps())
        spec.matrix = card.matrix != MatrixKind::None ? card.matrix : (*encoding)->map->kinds[0];
    spec.sharing = card.sharing;
    spec.order = card.axisOrder;
    spec.layout = card.rotaryLayout;
    return spec;
}

}  // namespace ropescope
