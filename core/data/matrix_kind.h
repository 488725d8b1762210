// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/error.h"
#include "core/data/model.h"

namespace ropescope {

/// One parameter of a matrix: its name after the encoding's own prefix and the shape of one head's part.
struct MatrixParameter {
    std::string name;
    std::vector<std::int64_t> shape;  ///< the stored tensor is [H,shape...], [1,shape...] or [shape...]
};

/// A way to make matrices [H,D,D] of parameters; every one is the identity at the start (Circulant: its fixed basis).
/// Parameters of one head, D = head dimension:
///   svd          A_u, A_v [D,D], sigma [D]   U diag(s) V^T, U = exp((A_u-A_u^T)/2), s = softplus(sigma) + 1e-6
///   full         W [D,D]                     itself
///   diagonal     gamma [D]                   diag(softplus(gamma) + 1e-6)
///   exponential  X [D,D]                     exp((X-X^T)/2)
///   cayley       S [D,D]                     (I-K)(I+K)^-1, K = (S-S^T)/2
///   householder  v [m,D], m even             product of I - 2 v v^T/|v|^2, first row leftmost
///   givens       angle [m,D/2]               product of m rounds of plane turns; even rounds turn the features
///                                            (0,1),(2,3).., odd ones (1,2)..(D-1,0); first round leftmost
///   lu           lower, upper [D,D], diagonal [D]   L (E + N): L unit lower, N strictly upper, E = softplus + 1e-6
///   low_rank     B, C [D,r]                  I + B C^T
///   circulant    c [2,D]                     the real Fourier basis, whatever c is: it holds the frequencies
struct Matrix {
    MatrixKind kind;
    std::string_view name;
    bool orthogonal;  ///< for every value of the parameters: M^-T = M
};
/// All kinds but None. Errors of findMatrix: Usage, with the known names.
[[nodiscard]] std::span<const Matrix> matrices();
[[nodiscard]] Result<MatrixKind> findMatrix(std::string_view name);
[[nodiscard]] bool isOrthogonal(MatrixKind kind);

/// Parameters with the sizes a new matrix has: m = 8 reflections, D rounds, rank D/4 (at least 1).
[[nodiscard]] std::vector<MatrixParameter> matrixParameters(MatrixKind kind, int headDim);

/// Where an encoding keeps its matrix in a file: names are "blocks.0.attn." + prefix + parameter, or, for a matrix
/// shared by the whole model, prefix + parameter.
struct MapNames {
    std::string_view encoding;  ///< as in ModelCard::encoding
    std::string_view prefix;
    std::vector<MatrixKind> kinds;  ///< the usual one first
};
[[nodiscard]] std::span<const MapNames> mapNames();
/// nullptr for encodings without a matrix.
[[nodiscard]] const MapNames* findMapNames(std::string_view encoding);

}  // namespace ropescope
