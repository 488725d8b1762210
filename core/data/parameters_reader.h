// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace ropescope {

/// What the `parameters` text of a Stable Diffusion web UI says, taken apart and not yet understood. The prompts are
/// without the blanks around them and with '\n' alone between their lines.
struct ParametersText {
    struct Entry {
        std::string key;
        std::string value;  ///< without quotes; empty also where the line holds the key alone
    };
    std::string prompt;
    std::optional<std::string> negative;  ///< also where it is empty; nothing where no line begins with its heading
    std::vector<Entry> entries;           ///< of the line of settings, in its order
    std::vector<std::string> trailer;     ///< lines that follow it, as they are, without empty ones
};

/// Line by line: the prompt, the negative prompt from its heading on, the line of settings ("Steps: 20, Sampler: Euler,
/// Model: \"a, b\", ...", in any order), other lines. The line of settings is the last one that names three settings
/// which all those programs write, or else two; so a prompt may quote one. Nothing where there is none. Takes time in
/// proportion to the text. Checked by tests/core/data/parameters_text_test.cpp.
[[nodiscard]] std::optional<ParametersText> takeApart(const std::string& parameters);

}  // namespace ropescope
