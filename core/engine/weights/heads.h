// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/job.h"
#include "core/data/request.h"

namespace ropescope {

/// Full reports of the heads asked for, in that order, of the frequencies that request.extrapolate makes for the grid
/// (YaRN's attention factor, one number for all offsets, is not part of the kernels); each goes to context.onHead as it
/// is ready. A head whose values are not finite carries its problem, the others are sound. Errors: the file's; Usage
/// for a head the model does not have; Cancelled between heads. Checked by tests/core/engine/heads_test.cpp.
[[nodiscard]] Result<HeadsReport> reportHeads(const HeadsRequest& request, const JobContext& context);

/// The few numbers of every head of every layer (core/probe/head_numbers.h); context.onShare tells the share of layers
/// done, context.onAtlas the numbers so far: after the first layer, then a few times a second. Two layers at a time
/// while nothing heavy runs. Full reports are not held. Errors: the file's; Cancelled between heads. Checked by
/// tests/core/engine/heads_test.cpp.
[[nodiscard]] Result<AtlasReport> reportAtlas(const AtlasRequest& request, const JobContext& context);

/// Writes command.out, a safetensors file with the tensors `layer.i.*` of every layer, float32 computed in float64:
/// singular_values [H,D] (file order), gauge_fixed_singular_values [H,D] (descending), map_q, map_k [H,D,D], and, where
/// the encoding turns, overlap_q, overlap_k [H,P,P], principal_angles_q, _k [H,P,2] (degrees), plane_gain_q, _k [H,P],
/// frequency [P,axes] (radians per token), energy_map, energy_weights [H,P], cross_axis_mixing_q, _k [H,axes,axes],
/// kernel_white, kernel_weights, sensitivity_white, sensitivity_weights [H,2h-1,2w-1]. Marked heads are NaN throughout
/// and named on stderr. Errors: the file's, or those of writing. Checked by tests/core/engine/inspect_test.cpp.
[[nodiscard]] Result<void> inspectModel(const InspectCommand& command);

}  // namespace ropescope
