// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <vector>

#include "core/data/variation.h"

namespace ropescope {

struct OpenModel;

// What differs from the heads as stored, in words; empty where nothing does.

/// "tau=0 on L3.H1, output-off on L1": those that are on, at most `most` of them, then their number.
[[nodiscard]] QString changesText(const std::vector<HeadChange>& changes, int most = 4);
/// "2 heads changed (tau=0 on L3.H1, ...)".
[[nodiscard]] QString changedHeadsText(const OpenModel& model);

/// "made with tau=0 on L3.H1", "made with the heads as stored": of a picture whose heads are not those that the model
/// has now.
[[nodiscard]] QString otherHeadsText(const OpenModel& model, const std::vector<HeadChange>& made);

/// As a file says what it was made for.
[[nodiscard]] VariationModel madeFor(const ModelCard& card);

}  // namespace ropescope
