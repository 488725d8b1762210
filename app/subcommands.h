// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string_view>

namespace ropescope {

/// Words that make `ropescope WORD ...` the engine's business.
[[nodiscard]] constexpr bool isSubcommand(std::string_view word) {
    for (std::string_view known : {"info", "check", "inspect", "forward", "classify", "generate", "attention", "train",
                                   "fold", "convert", "calibrate", "compare", "study", "evaluate", "bench", "serve"}) {
        if (word == known) return true;
    }
    return false;
}

}  // namespace ropescope
