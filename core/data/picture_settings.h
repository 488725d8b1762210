// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "core/data/request.h"

namespace ropescope {

/// The settings in the texts of a PNG (keyword -> text): `ropescope` holds the program's own recipe, which has all of
/// them; else `parameters` as Stable Diffusion web UIs write it ("PROMPT\nNegative prompt: ...\nSteps: 20, Sampler:
/// Euler, CFG scale: 7, Seed: 1, Size: WIDTHxHEIGHT, ..."). `path` is for messages and the result. Errors: Refused
/// "no-recipe" when there is neither, "settings" when what is there cannot be read. Checked by
/// tests/core/data/picture_settings_test.cpp.
[[nodiscard]] Result<PictureSettings> settingsOfTexts(const std::string& path,
                                                      const std::map<std::string, std::string>& texts);

}  // namespace ropescope
