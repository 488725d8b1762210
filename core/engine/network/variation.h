// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/model_card.h"
#include "core/encoding/changes.h"

namespace ropescope {

/// The changes of heads of a model's variation, checked against its card and with the donors' maps read; null without
/// any. Errors: those of checkVariation(); of reading a donor, and where it does not fit: no maps, another head size,
/// another convention.
[[nodiscard]] Result<HeadChangesPtr> headChanges(const ModelRef& ref, const ModelCard& card);

}  // namespace ropescope
