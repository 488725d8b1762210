// SPDX-License-Identifier: Apache-2.0
#include "core/training/study_rows.h"

#include <algorithm>
#include <vector>

namespace ropescope {

std::span<const StudyRow> studyRows() {
    using enum StudyGroup;
    constexpr Convention no = Convention::None, same = Convention::Same, inverse = Convention::Inverse;
    using K = MatrixKind;
    static const std::vector<StudyRow> rows = {
        {"none", "none", "none", Encoding, "none"},
        {"absolute", "absolute, learned", "absolute", Encoding, "absolute"},
        {"rope1d", "RoPE, flattened index", "rope1d", Encoding, "rope1d"},
        {"axial", "RoPE, axial", "axial", Encoding, "axial"},
        {"mixed", "RoPE, mixed", "mixed", Encoding, "mixed", no, K::None, MapSharing::Head, 10},
        {"string", "STRING, Cayley", "string", Encoding, "string", no, K::Cayley},
        {"harope-same", "HARoPE, same map", "harope-same", Encoding, "harope", same, K::Svd},
        {"harope-inverse", "HARoPE, inverse map", "harope-inverse", Encoding, "harope", inverse, K::Svd},
        {"full", "full", "full", Matrix, "harope", inverse, K::Full},
        {"diagonal", "diagonal", "diagonal", Matrix, "harope", inverse, K::Diagonal},
        {"orthogonal", "orthogonal", "orthogonal", Matrix, "harope", inverse, K::Exponential},
        {"svd", "SVD", "harope-inverse", Matrix, "harope", inverse, K::Svd},
        {"svd-shared", "SVD, one per layer", "svd-shared", Matrix, "harope", inverse, K::Svd, MapSharing::Layer},
    };
    return rows;
}

const StudyRow* findStudyRow(const std::string& name) {
    const auto rows = studyRows();
    const auto row = std::ranges::find(rows, name, &StudyRow::name);
    return row == rows.end() ? nullptr : &*row;
}

TrainSettings runSettings(const TrainSettings& base, const StudyRow& row, std::uint64_t seed) {
    TrainSettings s = base;
    s.architecture = "vit";
    s.out = base.out + "/" + row.folder + "/seed-" + std::to_string(seed);
    s.encoding = row.encoding, s.convention = row.convention, s.matrix = row.matrix, s.sharing = row.sharing;
    s.theta = row.theta;
    s.optimizer.mapRateScale = row.matrix == MatrixKind::None ? 1 : 10;
    s.seed = seed;
    return s;
}

}  // namespace ropescope
