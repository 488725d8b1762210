// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "core/training/train_settings.h"

namespace ropescope {

enum class StudyGroup { Encoding, Matrix };

/// One configuration that the study compares.
struct StudyRow {
    std::string name;    ///< what --row takes
    std::string title;   ///< in table and figure
    std::string folder;  ///< of its runs; rows of equal configuration share them
    StudyGroup group;
    std::string encoding;
    Convention convention = Convention::None;
    MatrixKind matrix = MatrixKind::None;
    MapSharing sharing = MapSharing::Head;
    double theta = 100;
};

/// Encodings: none, absolute, rope1d, axial, mixed (theta 10, its authors' choice), string, HARoPE in both conventions.
/// Matrices of inverse-map HARoPE: full, diagonal, orthogonal (matrix exponential), SVD (the row of the encodings once
/// more), SVD shared by the heads of a layer.
[[nodiscard]] std::span<const StudyRow> studyRows();

/// nullptr when there is none of that name.
[[nodiscard]] const StudyRow* findStudyRow(const std::string& name);

/// The settings of one run: `base` with the row's encoding. Matrices learn at ten times the rate of the rest, as in the
/// shipped models; frequencies of `mixed` at the rate of the rest, as its authors did.
[[nodiscard]] TrainSettings runSettings(const TrainSettings& base, const StudyRow& row, std::uint64_t seed);

}  // namespace ropescope
