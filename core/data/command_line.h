// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/data/model.h"

// Command lines equal to what was done, as recipes and the window show them.

namespace ropescope {

/// A word for a POSIX shell: quoted when it holds anything but letters, digits and _-./=:,+@%.
[[nodiscard]] std::string shellWord(const std::string& word);

/// The shortest text that reads back as the same number.
[[nodiscard]] std::string numberWord(double value);

/// "HEIGHTxWIDTH".
[[nodiscard]] std::string sizeWord(Grid size);

/// Stands for a file with the changes of heads, which no command line can hold (variationJson() is its text).
inline constexpr const char* kVariationWord = "VARIATION.json";

/// The options that say how to read the model's file, each with a space before it, where they differ from the file's
/// own word; adapter, LoRAs and changes of heads too.
[[nodiscard]] std::string modelOptions(const ModelRef& ref);

}  // namespace ropescope
