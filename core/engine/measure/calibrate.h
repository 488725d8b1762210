// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/job.h"
#include "core/data/request.h"

namespace ropescope {

/// Measures heads over images (core/probe/calibration.h): those that a DiT, FLUX or SD3 draws, every sampling step of
/// the conditional half averaged over steps and images, or pictures of a folder that a ViT sees. context.onShare tells
/// the share done; a request to stop is seen between network evaluations. A measurement with the same settings of an
/// unchanged file is kept and given again. Errors: Usage for settings that do not fit the model, Refused for models
/// that cannot be measured this way, those of generate(), Cancelled. Checked by tests/core/engine/calibrate_test.cpp.
[[nodiscard]] Result<CalibrationReport> calibrate(const CalibrateRequest& request, const JobContext& context);

}  // namespace ropescope
