// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include "core/data/job.h"
#include "core/data/sweep.h"

namespace ropescope {

/// Pictures with their classes.
struct LabelledPictures {
    at::Tensor images;  ///< U8 [n,C,h,w]
    at::Tensor labels;  ///< int64 [n]
};
/// Reads the test set of a folder of idx files.
using ReadTestSet = std::function<Result<LabelledPictures>(const std::string& folder)>;

/// Changes every chosen head in turn. Numbers of a picture a drawn by the model without the change and b drawn with it,
/// from the same noise:
///   picture_l2     pictureDistance() of the two, 0 to 1
///   picture_ssim   MediaApi::similarity() of the two, 1: the same; none without the media library
///   latent_l2      ||a - b|| / ||a|| of the final latents
///   answer_change  1 where the judge's most probable class differs, else 0
///   right_drop     the judge's probability of the asked class, of a minus of b; where it knows the model's classes
/// and of a labelled picture:
///   accuracy       1 where the changed model is right, else 0
///   accuracy_drop  1 where the change makes a right answer wrong, -1 the other way round, else 0
///   answer_change  1 where the answer differs, else 0
/// Means and standard errors over them: SweepRow. The noise of a picture depends on its seed alone. Tables: SweepTable.
/// context.onShare hears the head at work and the time left. What is done when the job ends is kept, and the same
/// request goes on with it; what may differ then is how it is computed: batch, threads, memory. Errors: those of
/// generate() and of checkVariation() for a head; Usage for options that do not fit the model; those of SweepTable;
/// Cancelled. Checked by tests/core/engine/sweep_test.cpp.
[[nodiscard]] Result<SweepReport> sweep(const SweepRequest& request, const JobContext& context,
                                        const ReadTestSet& readTestSet);

}  // namespace ropescope
