// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/data/array.h"
#include "core/data/error.h"

// What libropescope_media.so (OpenCV, libpng) offers to programs that open it on first need (dlopen) and enter through
// ropescopeMedia(). Checked by tests/core/media.

namespace ropescope {

inline constexpr std::int64_t kMaxPixels = 64'000'000;         ///< of any image read or written
inline constexpr std::int64_t kMaxImageFileBytes = 512 << 20;  ///< of any image file read

class MediaApi {
public:
    virtual ~MediaApi() = default;

    /// Writes U8 [h,w,3], [h,w,1] or [h,w] as PNG; the old file or the new one, never half of one. A recipe that is not
    /// empty (JSON) is stored under the key `ropescope` and, readable for other programs, as `parameters`.
    [[nodiscard]] virtual Result<void> writePng(const std::string& path, const Array& pixels,
                                                const std::string& recipe) = 0;

    /// All text entries before the pixels of a PNG (tEXt, zTXt, iTXt), as UTF-8.
    [[nodiscard]] virtual Result<std::map<std::string, std::string>> readPngTexts(const std::string& path) = 0;

    /// The recipe that writePng stored. Errors: Refused "no-recipe" when the PNG carries none.
    [[nodiscard]] virtual Result<std::string> readRecipe(const std::string& path) = 0;

    /// A PNG, JPEG or WebP file (by content, not by name) as U8 [h,w,3] RGB; 16 bits are reduced, alpha is dropped.
    /// Size limits are checked on the header before decoding. Errors: Refused, codes IM-01 .. IM-04.
    [[nodiscard]] virtual Result<Array> readImage(const std::string& path) = 0;

    /// Images of one size [h,w,3] in rows of `columns` (0: as square as possible), `gap` white pixels between, each
    /// pixel drawn `zoom` times. Throws std::invalid_argument on mixed sizes or no image.
    [[nodiscard]] virtual Array montage(const std::vector<Array>& images, int columns, int gap, int zoom) = 0;

    /// Structural similarity (SSIM) of two pictures U8 [h,w,3], [h,w,1] or [h,w], as core/media/similarity.h defines
    /// it: 1 for equal ones. Errors: Refused "picture-size" when the sizes differ or a side is shorter than 11 pixels.
    /// Throws std::invalid_argument on other arrays.
    [[nodiscard]] virtual Result<double> similarity(const Array& a, const Array& b) = 0;
};

}  // namespace ropescope

/// The one entry of libropescope_media.so. The object lives as long as the process.
extern "C" ropescope::MediaApi* ropescopeMedia();
