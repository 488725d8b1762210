// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/data/error.h"
#include "core/encoding/harope.h"
#include "core/encoding/rotary.h"

namespace ropescope {

/// Names and tensors of a model's weights, as the checkpoint names them.
using WeightTable = std::map<std::string, at::Tensor>;

enum class PositionTable { None, Added };  ///< Added: pos_embed is added to the patch tokens once
enum class Rotation { None, Axial };       ///< what turns queries and keys

/// One positional encoding: everything that models, trainer and contract tests need to know of it.
struct Encoding {
    std::string_view name;  ///< as in ModelCard::encoding
    PositionTable added;
    Rotation rotation;
    /// The maps of the attention whose weights begin with `prefix` ("blocks.0.attn."), null for encodings without.
    /// Float64, except that weights which need a gradient keep their type.
    HeadMaps (*maps)(const WeightTable& weights, const std::string& prefix, Convention convention);
    /// The parameters of a new attention of that shape, which start as plain RoPE, float32; null for encodings without.
    WeightTable (*initial)(const std::string& prefix, int heads, int headDim);
};

/// All encodings: none, absolute, axial, harope. A new one is a file here and a row of this table; the contract tests
/// (relative property, folding) loop over it.
[[nodiscard]] std::span<const Encoding> encodings();

/// The row of that name. Errors: Usage, with the known names.
[[nodiscard]] Result<const Encoding*> findEncoding(std::string_view name);

}  // namespace ropescope
