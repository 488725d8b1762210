// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/data/model.h"

namespace ropescope {

/// Cosines and sines of every token's plane angles, float32 [N, P], computed in float64. Tokens row by row.
struct RotaryTable {
    at::Tensor cos;
    at::Tensor sin;
};

/// Frequencies of one axis that owns half of the head: theta^(-4i/D), i = 0 .. D/4-1, radians per token, float64.
/// D must be a multiple of 4 and theta positive (std::invalid_argument).
[[nodiscard]] std::vector<double> axialFrequencies(int headDim, double theta);

/// Frequency vectors of the planes, row-major [P,2] (row, column): the first half turns with the row, the second with
/// the column. What core/probe draws. Checked by tests/core/encoding/rotary_test.cpp.
[[nodiscard]] std::vector<double> axialPlaneFrequencies(int headDim, double theta);

/// Table of axial RoPE for integer positions 0..rows-1, 0..cols-1; `origin` shifts every position by (row, column):
/// logits depend on differences only, which the contract test checks with it.
[[nodiscard]] RotaryTable axialRotary(Grid grid, int headDim, double theta, Grid origin = {});

/// Rotates planes (2p, 2p+1) of x [..., N, D] by the table's angles (interleaved layout); x's own type, computed in
/// float32 for half types. Differentiable.
[[nodiscard]] at::Tensor rotate(const at::Tensor& x, const RotaryTable& table);

/// The fixed table of the original DiT [1, N, width]: per token sin(c w) | cos(c w) | sin(r w) | cos(r w) with
/// w_i = 10000^(-4i/width); the column comes first. Width must be a multiple of 4.
[[nodiscard]] at::Tensor sinCosPositions(Grid grid, int width);

}  // namespace ropescope
