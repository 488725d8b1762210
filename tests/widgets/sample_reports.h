// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/data/analysis.h"
#include "core/data/atlas.h"
#include "core/data/comparison.h"
#include "core/data/generation.h"
#include "core/data/head_report.h"
#include "core/data/model.h"
#include "core/data/model_card.h"

namespace ropescope {

// Deterministic results of a small made-up model for the tests of the views: 6 layers x 4 heads, D = 32, grid 7 x 7.
// L2.H3 is marked, L0.H0 is untrained. Every value follows from the head's place, so that a test can compute it too.

[[nodiscard]] ModelCard sampleCard(const std::string& name);
[[nodiscard]] HeadReport sampleHead(HeadId id);
[[nodiscard]] AtlasReport sampleAtlas();
/// Measured fields of all heads at one of `steps` steps.
[[nodiscard]] StepFields sampleFields(int step, int steps);
/// What 16 images say about every head: two numbers, curves, a field.
[[nodiscard]] CalibrationReport sampleCalibration();
/// The asked-for heads of every model against each other; two heads of different layers are less alike.
[[nodiscard]] CompareReport sampleComparison(const CompareRequest& request);
/// A picture [28,28,3] that depends on `seed`.
[[nodiscard]] Array samplePicture(std::uint64_t seed);

}  // namespace ropescope
