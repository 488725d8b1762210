// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "core/checkpoint/tensor_table.h"

namespace ropescope {

/// What a transformer is given of a text.
struct TextEmbedding {
    at::Tensor text;                 ///< [1,T,e]
    at::Tensor pooled;               ///< [1,p]
    std::vector<std::string> notes;  ///< per encoder: tokens, and where the text is cut
};

/// Widths that the transformer expects, and how its pipeline feeds it.
struct TextRecipe {
    bool flux = false;
    std::int64_t width = 0, pooled = 0;
    int t5Tokens = 256;  ///< 512 for FLUX.1 dev
};

/// Encodes a text with the encoders and tokenizers of a diffusers folder: FLUX takes T5's states and CLIP's pooled
/// vector, SD3 both CLIPs' states before their last layer (side by side, filled with zeros to T5's width) and then T5's
/// (zeros where the folder has none), pooled vectors side by side. One encoder after the other is in memory, streamed
/// under `memory` bytes (0: no limit). Errors: Refused where a part is missing or has another width; Device where the
/// program was built without tokenizers.
[[nodiscard]] Result<TextEmbedding> embedText(const std::string& folder, const std::string& text,
                                              const TextRecipe& recipe, at::ScalarType type, at::Device device,
                                              std::uint64_t memory);

}  // namespace ropescope
