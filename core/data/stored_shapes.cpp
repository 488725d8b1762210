// SPDX-License-Identifier: Apache-2.0
#include "core/data/stored_shapes.h"

namespace ropescope {

std::vector<std::vector<std::int64_t>> storedShapes(MatrixKind kind, std::vector<std::int64_t> part, std::int64_t heads,
                                                    const std::vector<std::int64_t>& found) {
    const bool rows = kind == MatrixKind::Householder || kind == MatrixKind::Givens;
    if (rows && found.size() >= 2) part[0] = found[found.size() - 2];
    if (kind == MatrixKind::LowRank && !found.empty()) part[1] = found.back();
    std::vector<std::int64_t> perHead = part, shared = part;
    perHead.insert(perHead.begin(), heads), shared.insert(shared.begin(), 1);
    return {perHead, shared, part};
}

}  // namespace ropescope
