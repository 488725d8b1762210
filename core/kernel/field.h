// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "core/data/model.h"

// Attention that also measures its receptive field, without holding N x N numbers for all heads. B batch, H heads,
// N = rows*cols tokens of the grid, D head dimension. Definitions: core/probe/README.md; checked against an obvious
// float64 N x N version by tests/core/kernel/field_test.cpp.

namespace ropescope {

/// What attention does over a grid, averaged over the batch.
struct AttentionField {
    at::Tensor sum;      ///< [H, 2 rows-1, 2 cols-1] float32: (1/N) sum of attention over pairs with that offset
    at::Tensor entropy;  ///< [H] float32: mean over queries of -sum alpha ln alpha, nats
};

struct RecordedAttention {
    at::Tensor output;  ///< [B,H,N,D], q's type
    AttentionField field;
};

/// softmax(q k^T / sqrt(D)) v by explicit softmax in float32, with its field. q, k, v [B,H,N,D], any strides, CPU or
/// CUDA, one type. Throws std::invalid_argument when the grid does not match N.
[[nodiscard]] RecordedAttention attendRecording(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                                Grid grid);

/// The field of attention probabilities that exist already, [B,H,N,N] (query, key). The entropy likewise.
[[nodiscard]] AttentionField fieldOfAttention(const at::Tensor& attention, Grid grid);

/// Attention per pair of tokens: sum * N / number of pairs with that offset. Same shape as `sum`.
[[nodiscard]] at::Tensor fieldMean(const at::Tensor& sum, Grid grid);

}  // namespace ropescope
