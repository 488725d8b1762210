// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/job.h"

namespace ropescope {

/// Writes command.out: the same model with every head's maps multiplied into its query and key projections (float64),
/// so that it needs rotations alone. Names are the file's own; the encoding becomes axial, or mixed where frequencies
/// are learned (`blocks.i.attn.freqs` [2,H,P] for a DiT, `rope.freqs` [2,L,H,P] for a ViT). Tensors keep their type,
/// folded projections are float32 at least; command.dtype sets one for all. The metadata tells what it was folded from.
/// Returns lines that say what was done and how far the maps were from the identity.
/// Errors, each with the reason: Refused where the file holds no maps, where queries and keys are normalised between
/// projection and map, where class tokens share the projection and not the map, where a head is not finite; Usage where
/// the convention is unknown. Checked by tests/core/engine/fold_test.cpp and tests/reference/export_check.py.
[[nodiscard]] Result<std::string> foldModel(const ExportCommand& command);

}  // namespace ropescope
