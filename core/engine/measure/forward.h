// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/job.h"

namespace ropescope {

/// One pass with the maps unfolded, so that what it writes is the model's own definition: `out`, and where asked for
/// `attention.i` [B,H,N,N], `field_sum.i` and `field_mean.i` [H,2h-1,2w-1] (batch mean). Inputs x, t, y as in the
/// fixtures; the grid comes from x. Other networks: core/engine/measure/forward_flow.h. Checked by
/// tests/core/engine/forward_test.cpp.
[[nodiscard]] Result<void> forwardToFile(const ForwardCommand& command);

}  // namespace ropescope
