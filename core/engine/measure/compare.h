// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/job.h"
#include "core/data/request.h"

namespace ropescope {

/// A heads x heads matrix and a map of the heads (core/probe/compare.h). With data contents the models are calibrated
/// first. Marked heads have NaN rows and are left out of the map. Errors: Usage for models and heads that do not fit
/// the metric, those of loading and of calibrate(), Cancelled. Checked by tests/core/engine/calibrate_test.cpp.
[[nodiscard]] Result<CompareReport> compareHeads(const CompareRequest& request, const JobContext& context);

}  // namespace ropescope
