// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include "core/checkpoint/tensor_table.h"
#include "core/data/joint_attention.h"

namespace ropescope {

/// What a transformer is given of a text.
struct TextEmbedding {
    at::Tensor text;    ///< [1,T,e]
    at::Tensor pooled;  ///< [1,p]
    TokensReport tokens;
};

/// Widths that the transformer expects, and how its pipeline feeds it.
struct TextRecipe {
    bool flux = false;
    std::int64_t width = 0, pooled = 0;
    int t5Tokens = 256;  ///< 512 for FLUX.1 dev
};

/// Of a FLUX or SD3.
[[nodiscard]] TextRecipe textRecipeOf(const TensorTable& table, const ModelCard& card);

/// Where and how the encoders run.
struct EncoderRun {
    at::ScalarType type = at::kFloat;
    at::Device device = at::kCPU;
    std::uint64_t memory = 0;                            ///< bytes; 0: what is free
    std::function<void(const std::string&)> begun = {};  ///< hears which encoder starts; may be empty
    std::function<bool()> goOn = {};                     ///< asked before every layer, false ends it; may be empty
    /// Makes room for an encoder of so many bytes and returns its limit, as `memory`; may be empty.
    std::function<std::uint64_t(std::uint64_t bytes)> room = {};
};

/// Encodes a text with the encoders and tokenizers of `folder` (empty: of `model`), which is a diffusers folder or
/// holds the encoders' files (clip_l*, clip_g*, t5xxl*.safetensors); or with those inside the file `model`. FLUX takes
/// T5's states and CLIP's pooled vector, SD3 both CLIPs' states before their last layer (side by side, filled with
/// zeros to T5's width) and then T5's (zeros where the folder has none), pooled vectors side by side. One encoder after
/// the other is in memory; the last texts' embeddings are kept while the folder stays as it is. Errors: Cancelled where
/// `goOn` ends it; Refused where a part is missing or has another width; Device where the program was built without
/// tokenizers.
[[nodiscard]] Result<TextEmbedding> embedText(const std::string& folder, const std::string& model,
                                              const std::string& text, const TextRecipe& recipe, const EncoderRun& run);

/// How those encoders cut a text, without running them. Errors as above.
[[nodiscard]] Result<TokensReport> tokensOf(const TokensRequest& request);

/// "text_encoder: 7 of 77 tokens: <|startoftext|> a ...", with what was cut.
[[nodiscard]] std::string describeTokens(const EncodedText& part);

}  // namespace ropescope
