// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <vector>

#include "core/data/model.h"

namespace ropescope {

struct EncodingSpec;

/// Cosines and sines of every token's plane angles, float32 (float64 for gradients in float64), computed in float64:
/// [N, P], or [H, N, P] where the heads turn differently. Tokens row by row.
struct RotaryTable {
    at::Tensor cos;
    at::Tensor sin;
};

/// Frequencies of one axis that owns half of the head: theta^(-4i/D), i = 0 .. D/4-1, radians per token, float64.
/// D must be a multiple of 4 and theta positive (std::invalid_argument).
[[nodiscard]] std::vector<double> axialFrequencies(int headDim, double theta);

/// Frequency vectors of the planes, row-major [P,2] (row, column): the first half turns with the row, the second with
/// the column; the other way round for ColumnFirst. Checked by tests/core/encoding/encoding_test.cpp.
[[nodiscard]] std::vector<double> axialPlaneFrequencies(int headDim, double theta,
                                                        AxisOrder order = AxisOrder::RowFirst);

// Fixed or initial frequencies of the encodings, float64 [1,P,axes] (mixed: [H,P,2]). `generator` is used by mixed
// alone, which draws a direction for every head (arXiv 2403.13298); the others ignore it.
[[nodiscard]] at::Tensor axialFrequency(const EncodingSpec& spec, at::Generator* generator);
/// theta^(-2i/D) over the flattened index, [1,P,1].
[[nodiscard]] at::Tensor flatFrequency(const EncodingSpec& spec, at::Generator* generator);
/// m_j = theta^(-4j/D) in a drawn direction for the first half of the planes, across it for the second.
[[nodiscard]] at::Tensor mixedFrequency(const EncodingSpec& spec, at::Generator* generator);
/// VideoRoPE (arXiv 2502.05173) on one image: theta^(-2n/D), the first 3/4 of the planes row and column by turns, the
/// rest belongs to time and is still.
[[nodiscard]] at::Tensor videoFrequency(const EncodingSpec& spec, at::Generator* generator);

/// Table of angles frequency . position for integer positions 0..rows-1, 0..cols-1 (one axis: r cols + c); `frequency`
/// [H or 1, P, axes]. `origin` shifts every position: logits depend on differences only, which the contract test checks
/// with it. Differentiable in the frequency.
[[nodiscard]] RotaryTable rotaryTable(const at::Tensor& frequency, Grid grid, Grid origin = {});

/// rotaryTable of axial RoPE, row first.
[[nodiscard]] RotaryTable axialRotary(Grid grid, int headDim, double theta, Grid origin = {});

/// Rotates planes (2p, 2p+1) of x [..., N, D] ([..., H, N, D] for a table per head) by the table's angles (interleaved
/// layout); x's own type, computed in float32 for half types. Differentiable.
[[nodiscard]] at::Tensor rotate(const at::Tensor& x, const RotaryTable& table);

/// The fixed table of the original DiT [1, N, width]: per token sin(c w) | cos(c w) | sin(r w) | cos(r w) with
/// w_i = 10000^(-4i/width); the column comes first. Width must be a multiple of 4.
[[nodiscard]] at::Tensor sinCosPositions(Grid grid, int width);

}  // namespace ropescope
