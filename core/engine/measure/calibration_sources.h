// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include "core/data/job.h"
#include "core/data/request.h"
#include "core/engine/weights/head_store.h"
#include "core/probe/calibration.h"
#include "core/sampling/schedule.h"

// The sources of calibrate(): images that a DiT, or a FLUX or SD3, draws; pictures of a folder for a ViT. Requests are
// checked by then.

namespace ropescope {

/// The measured heads of each layer, in order (empty: all); layers without any are left out.
[[nodiscard]] Result<std::vector<CalibratedLayer>> chosenLayers(HeadStore& store, const std::vector<HeadId>& heads);

/// Where a network's layers lie among the measured ones.
struct MeasuredLayers {
    MeasuredLayers(const std::vector<CalibratedLayer>& measured, int layers, at::Device device);
    std::vector<int> index;         ///< [L] place among the measured ones, -1: not measured
    std::vector<at::Tensor> heads;  ///< per measured layer: its heads, int64
};

/// Every sampling step of the conditional half of `request.images` images.
[[nodiscard]] Result<CalibrationReport> calibrateOnGenerated(const CalibrateRequest& request, HeadStore& store,
                                                             const JobContext& context);

/// The same of a FLUX or SD3, between the picture's tokens: text is no content of an offset. Precision as asked.
[[nodiscard]] Result<CalibrationReport> calibrateOnPrompts(const CalibrateRequest& request, HeadStore& store,
                                                           const JobContext& context);

/// "3 generated images, 20 ddim steps, guidance 2, seed 0".
[[nodiscard]] std::string generatedSource(const CalibrateRequest& request, const SamplingPlan& plan);

/// Up to `request.images` pictures of `request.folder` and the folders in it, spread evenly over their paths in order;
/// patches only, the class token's share apart. Pictures that cannot be read are counted in the report's source; none
/// that can is an error.
[[nodiscard]] Result<CalibrationReport> calibrateOnFolder(const CalibrateRequest& request, HeadStore& store,
                                                          const JobContext& context);

}  // namespace ropescope
