// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/data/picture_settings.h"

// Texts under `parameters`, as web UIs write them into pictures, and what is read of them.

namespace ropescope {

using Texts = std::vector<std::string>;

inline PictureSettings read(const std::string& text) {
    auto found = settingsOfTexts("p.png", {{"parameters", text}});
    EXPECT_TRUE(found) << text << "\n" << (found ? "" : found.error().message());
    return found ? *found : PictureSettings{};
}

inline bool refuses(const std::string& text) {
    const auto found = settingsOfTexts("p.png", {{"parameters", text}});
    return !found && found.error().code == "settings";
}

/// What lies before and behind it is read too.
inline const std::string kLine = "Steps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 512x768";
inline const Texts kLineTaken = {"steps", "guidance", "seed", "size", "sampler"};

}  // namespace ropescope
