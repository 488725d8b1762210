// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/error.h"
#include "core/data/model_card.h"

namespace ropescope {

/// openCard(), kept for the last few models as long as their files stay as they are: a request that differs in its
/// variation alone reads nothing. Thread-safe.
[[nodiscard]] Result<ModelCard> knownCard(const ModelRef& ref);

}  // namespace ropescope
