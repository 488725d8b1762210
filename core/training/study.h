// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/model/vit.h"
#include "core/training/dataset.h"
#include "core/training/study_rows.h"

namespace ropescope {

struct StudySettings {
    TrainSettings base;                         ///< what all runs share; `out` is the study's folder
    std::vector<std::string> rows;              ///< names; empty: all
    int seeds = 3;                              ///< 1 .. seeds
    std::vector<int> sizes = {28, 36, 44, 56};  ///< sides of the test images in pixels, multiples of the patch
    double budget = 0;  ///< processor minutes of all finished runs after which none is begun; 0: no bound
};

/// What a finished run left in result.json.
struct StudyRun {
    std::string folder;  ///< of the row, see StudyRow
    std::uint64_t seed = 0;
    std::map<int, double> top1;  ///< side in pixels -> share of right answers, in [0, 1]
    double processorSeconds = 0;
    std::string modelSha256;  ///< of model.safetensors: a repeated run is the same when this is
    std::string machine;
    std::string date;  ///< UTC, YYYY-MM-DD
};

/// Share of the images [n,c,h,w] that the model names rightly when they are enlarged to `side` pixels (bicubic with
/// antialias, cut to the range of pixels; a learned position table is resampled likewise), in the trainer's arithmetic.
[[nodiscard]] double accuracyAt(const WeightTable& weights, const ViTShape& shape, const Dataset& test, int side,
                                Precision precision);

/// Does all runs that are not finished, seed by seed over all rows. Runs that another process does are left to it, a
/// broken one goes on where it stopped. `say` gets one line per event; `finished` is called after every run.
/// Errors: Usage for an unknown row or a size that is no multiple of the patch; those of the trainer; Refused when a
/// finished run had other settings.
[[nodiscard]] Result<void> runStudy(const StudySettings& settings, const std::function<void(const std::string&)>& say,
                                    const std::function<Result<void>()>& finished);

/// All finished runs below `out`, of whatever rows, in the order of the table and of seeds.
[[nodiscard]] Result<std::vector<StudyRun>> finishedRuns(const std::string& out);

}  // namespace ropescope
