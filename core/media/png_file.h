// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/data/array.h"
#include "core/data/error.h"

namespace ropescope {

using PngTexts = std::map<std::string, std::string>;  ///< key (Latin-1, 1..79 characters) -> UTF-8 text

/// The complete PNG file. Texts stand before the pixels: tEXt when ASCII, otherwise uncompressed iTXt.
/// Pixels U8 [h,w,3], [h,w,1] or [h,w]. Errors: Internal when libpng refuses.
[[nodiscard]] Result<std::vector<std::byte>> encodePng(const Array& pixels, const PngTexts& texts);

/// The texts before the pixels. Errors: Refused IM-03 for a damaged file.
[[nodiscard]] Result<PngTexts> decodePngTexts(std::span<const std::byte> file, const std::string& name);

/// The recipe's settings as the line that Stable Diffusion web UIs write and read ("Steps: 20, Sampler: euler, ...").
/// Unknown or broken JSON gives an empty text.
[[nodiscard]] std::string parametersText(const std::string& recipe);

}  // namespace ropescope
