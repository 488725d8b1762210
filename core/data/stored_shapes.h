// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "core/data/matrix_kind.h"

namespace ropescope {

/// Shapes under which a parameter of a learned matrix may be stored: [H,part...], [1,part...] or [part...]. `part` is
/// one head's part of a new matrix (MatrixParameter::shape); numbers of reflections and rounds and the rank are the
/// file's own, so they are taken from `found`, the stored tensor's shape (empty: none).
[[nodiscard]] std::vector<std::vector<std::int64_t>> storedShapes(MatrixKind kind, std::vector<std::int64_t> part,
                                                                  std::int64_t heads,
                                                                  const std::vector<std::int64_t>& found);

}  // namespace ropescope
