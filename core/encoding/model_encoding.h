// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/model_card.h"
#include "core/encoding/encoding.h"

namespace ropescope {

/// The encoding of a DiT, ViT, MMDiT or FLUX with all choices made. Errors: Refused for architectures and encodings
/// without weight probes and for sizes that do not fit; Usage naming --convention when the file holds maps and nobody
/// said how they enter.
[[nodiscard]] Result<EncodingSpec> encodingOf(const ModelCard& card);

}  // namespace ropescope
