// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "core/checkpoint/tensor_table.h"

namespace ropescope {

/// What a stored table of cosines and sines (EVA's and LightningDiT's freqs_cos, freqs_sin [N, D]) turns out to be.
struct StoredRotary {
    std::string name;  ///< of the cosines
    double theta = 0;
    AxisOrder order = AxisOrder::RowFirst;
    RotaryLayout layout = RotaryLayout::Interleaved;
    Grid grid;
};

/// Is this the name of such a table?
[[nodiscard]] bool isStoredRotary(std::string_view name);

/// The table of a file, read and recognised as axial RoPE; nothing where there is none. Errors: TC-13 for a table that
/// is no axial RoPE of positions 0, 1, 2 ..., or whose copies in blocks differ; those of reading.
[[nodiscard]] Result<std::optional<StoredRotary>> findStoredRotary(const TensorTable& table);

/// Rows x columns of a fixed sine-cosine table of positions (pos_embed [1, N, C] of arXiv 2010.11929's 2D kind, as MAE
/// and DiT compute it); nothing for a learned one.
[[nodiscard]] Result<std::optional<Grid>> gridOfSineTable(const TensorTable& table, const std::string& name);

}  // namespace ropescope
