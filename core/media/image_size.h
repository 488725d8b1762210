// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace ropescope {

enum class ImageFormat { Unknown, Png, Jpeg, WebP };

struct ImageSize {
    std::int64_t rows = 0;
    std::int64_t cols = 0;
};

[[nodiscard]] ImageFormat imageFormat(std::span<const std::byte> file);

/// The size that the file's header claims, so that limits hold before a decoder allocates. Empty when the header is
/// broken or of no known format.
[[nodiscard]] std::optional<ImageSize> imageSize(std::span<const std::byte> file);

}  // namespace ropescope
