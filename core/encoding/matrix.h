// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <map>
#include <string>

#include "core/data/matrix_kind.h"
#include "core/encoding/harope.h"

namespace ropescope {

/// Names and tensors of a model's weights, as the checkpoint names them.
using WeightTable = std::map<std::string, at::Tensor>;

/// New parameters for `count` matrices, names without prefix, float32. Householder and low rank draw from `generator`.
[[nodiscard]] WeightTable initialMatrix(MatrixKind kind, int count, int headDim, at::Generator& generator);

/// The matrices [H,D,D] of parameters by name (without prefix), in the type given; differentiable.
/// Half types throw std::invalid_argument. Checked by tests/core/encoding/matrix_test.cpp.
[[nodiscard]] at::Tensor matrixOf(MatrixKind kind, const WeightTable& parameters);

/// Query and key matrices: Same M, M; Inverse M, M^-T (in closed form where there is one; orthogonal: M itself).
/// Other conventions throw std::invalid_argument.
[[nodiscard]] HeadMaps matrixMaps(MatrixKind kind, const WeightTable& parameters, Convention convention);

/// Singular values in the order of the file where it stores them (svd, diagonal), else descending; [H,D].
[[nodiscard]] at::Tensor storedSingularValues(MatrixKind kind, const WeightTable& parameters);

/// Frequencies of circulant STRING, [H,P,2] (row, column): mode k turns by 2 Im FFT(c)_k radians per token
/// (arXiv 2502.02562); c [H,2,D] as stored, index 0 the column's, 1 the row's. Modes 0 and D/2 share the last plane,
/// which never turns.
[[nodiscard]] at::Tensor circulantFrequencies(const at::Tensor& c);
/// Parameters c [H,2,D] whose modes turn with these frequencies [H,P,2]; the last plane is taken as still.
[[nodiscard]] at::Tensor circulantParameters(const at::Tensor& frequency);

}  // namespace ropescope
