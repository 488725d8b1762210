// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace ropescope {

/// Turns one row of logits into probabilities in place and returns its entropy in nats. n >= 1.
float softmaxRow(float* row, std::int64_t n);

/// Adds one grid row's share of a field. `alpha` [cols, rows*cols]: attention of the queries of one grid row.
/// `partial` [rows, 2 cols-1] gets, per key row, the sums over its column offsets; it is overwritten.
void gatherRow(const float* alpha, int rows, int cols, float* partial);

}  // namespace ropescope
