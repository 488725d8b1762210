// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace ropescope {

/// Words that make `ropescope WORD ...` the engine's business.
inline constexpr std::array<std::string_view, 16> kSubcommands = {
    "info",    "check",     "inspect", "forward", "classify", "generate", "attention", "fold",
    "convert", "calibrate", "compare", "train",   "evaluate", "study",    "bench",     "serve"};

[[nodiscard]] constexpr bool isSubcommand(std::string_view word) {
    return std::find(kSubcommands.begin(), kSubcommands.end(), word) != kSubcommands.end();
}

/// "info, check, ...".
[[nodiscard]] inline std::string subcommandList() {
    std::string text;
    for (const std::string_view word : kSubcommands) text.append(text.empty() ? "" : ", ").append(word);
    return text;
}

}  // namespace ropescope
