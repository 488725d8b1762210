// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/data/error.h"

namespace ropescope {

/// A text as numbers. `pieces` says what each stands for; `cut` counts the tokens that did not fit.
struct Tokens {
    std::vector<int> ids;  ///< padded to the length asked for
    std::vector<std::string> pieces;
    int used = 0;  ///< with begin and end, before the padding
    int cut = 0;
};

/// Turns text into tokens. Text is UTF-8; broken bytes become U+FFFD.
class Tokenizer {
public:
    virtual ~Tokenizer() = default;
    /// Begin and end included, cut so that the end stays, padded to `length`.
    [[nodiscard]] virtual Tokens encode(const std::string& text, int length) const = 0;
};

/// CLIP's byte-pair encoding (arXiv 2103.00020) from vocab.json and merges.txt in `folder`; the padding `padding`, else
/// that of tokenizer_config.json there, else the end. Equal to the `tokenizers`
/// package (tests/core/text/tokenizer_test.cpp). Errors: Refused where the files are missing or no such encoding.
[[nodiscard]] Result<std::unique_ptr<Tokenizer>> openClipTokenizer(const std::string& folder,
                                                                   const std::string& padding = {});

/// T5's unigram model from spiece.model in `folder`, by the sentencepiece library. Errors as above.
[[nodiscard]] Result<std::unique_ptr<Tokenizer>> openT5Tokenizer(const std::string& folder);

}  // namespace ropescope
