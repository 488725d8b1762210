// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/head_report.h"
#include "core/probe/head_operator.h"

namespace ropescope {

/// All weight probes of one head. `grid`: tokens of one image. The operator must be finite (std::invalid_argument).
/// Checked by tests/core/probe/head_probe_test.cpp and, against plain formulas in Python, golden_test.cpp.
[[nodiscard]] HeadReport probeHead(HeadId id, const HeadOperator& head, Grid grid);

/// A map within this of the identity in every entry is an untrained one: HARoPE starts at s = 1 + 1e-6.
inline constexpr double kIdentityTolerance = 2e-6;

}  // namespace ropescope
