// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "core/data/atlas.h"
#include "core/data/head_report.h"

namespace ropescope {

/// The few numbers of every head, from full reports in layer-major order (layers * heads of them, all of one model and
/// convention); NaN in the heads that have a problem and where an encoding has no such number.
///
/// `invariant` is about the left gauge: a factor inside the rotary planes, which changes nothing a model computes.
/// Numbers about the head are unchanged by the right gauge (a factor moved between map and projections) too; numbers
/// about the map are not, whatever `invariant` says. Checked by tests/core/probe/gauge_test.cpp.
[[nodiscard]] AtlasReport numberHeads(const std::vector<HeadReport>& reports, int layers, Convention convention);

/// For models whose full reports would not fit the memory together: an Atlas without numbers, and the numbers of one
/// head put into its place (index layer * heads + head). A head is NaN until then.
[[nodiscard]] AtlasReport emptyAtlas(int layers, int heads, int headDim, Convention convention);
void enterHead(AtlasReport& atlas, std::size_t index, const HeadReport& report);

}  // namespace ropescope
