// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

#include "core/data/analysis.h"
#include "core/data/extrapolation.h"
#include "widgets/state/open_models.h"

namespace ropescope {

struct Run;

// Command lines that compute what a view shows.

/// Every weight number of every head; on another grid with changed frequencies where `grid` is not the model's own.
[[nodiscard]] QString inspectLine(const OpenModel& model, Grid grid = {}, Extrapolation method = Extrapolation::None);
[[nodiscard]] QString calibrateLine(const CalibrateRequest& request);
/// What decides the measured pictures of a model that takes text, and the heads, each with a space before it.
[[nodiscard]] std::string measuredTexts(const CalibrateRequest& request);
/// The picture once more with its measured fields; empty where the picture is not finished.
[[nodiscard]] QString fieldLine(const Run& run);

}  // namespace ropescope
