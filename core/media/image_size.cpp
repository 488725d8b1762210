// SPDX-License-Identifier: Apache-2.0
#include "core/media/image_size.h"

#include <cstring>

namespace ropescope {
namespace {

using Bytes = std::span<const std::byte>;

bool startsWith(Bytes file, std::size_t at, const char* text, std::size_t length) {
    return at + length <= file.size() && std::memcmp(file.data() + at, text, length) == 0;
}

std::int64_t bigEndian(Bytes file, std::size_t at, int count) {
    std::int64_t value = 0;
    for (int i = 0; i < count; ++i) value = value << 8 | std::to_integer<std::int64_t>(file[at + i]);
    return value;
}

std::int64_t littleEndian(Bytes file, std::size_t at, int count) {
    std::int64_t value = 0;
    for (int i = count - 1; i >= 0; --i) value = value << 8 | std::to_integer<std::int64_t>(file[at + i]);
    return value;
}

/// Walks the segments up to a start-of-frame marker (C0..CF without C4, C8, CC).
std::optional<ImageSize> jpegSize(Bytes file) {
    std::size_t at = 2;
    while (at + 9 <= file.size()) {
        if (bigEndian(file, at, 1) != 0xFF) return std::nullopt;
        const std::int64_t marker = bigEndian(file, at + 1, 1);
        if (marker == 0xFF) {
            ++at;
            continue;
        }
        const bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
        if (frame) return ImageSize{bigEndian(file, at + 5, 2), bigEndian(file, at + 7, 2)};
        at += 2 + static_cast<std::size_t>(bigEndian(file, at + 2, 2));
    }
    return std::nullopt;
}

std::optional<ImageSize> webpSize(Bytes file) {
    if (file.size() < 30) return std::nullopt;
    if (startsWith(file, 12, "VP8X", 4)) return ImageSize{littleEndian(file, 27, 3) + 1, littleEndian(file, 24, 3) + 1};
    if (startsWith(file, 12, "VP8L", 4)) {
        const std::int64_t bits = littleEndian(file, 21, 4);
        return ImageSize{(bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1};
    }
    if (startsWith(file, 12, "VP8 ", 4)) {
        return ImageSize{littleEndian(file, 28, 2) & 0x3FFF, littleEndian(file, 26, 2) & 0x3FFF};
    }
    return std::nullopt;
}

}  // namespace

ImageFormat imageFormat(Bytes file) {
    if (startsWith(file, 0, "\x89PNG\r\n\x1a\n", 8)) return ImageFormat::Png;
    if (startsWith(file, 0, "\xFF\xD8\xFF", 3)) return ImageFormat::Jpeg;
    if (startsWith(file, 0, "RIFF", 4) && startsWith(file, 8, "WEBP", 4)) return ImageFormat::WebP;
    return ImageFormat::Unknown;
}

std::optional<ImageSize> imageSize(Bytes file) {
    switch (imageFormat(file)) {
        case ImageFormat::Png:
            if (file.size() < 33) return std::nullopt;
            return ImageSize{bigEndian(file, 20, 4), bigEndian(file, 16, 4)};
        case ImageFormat::Jpeg:
            return jpegSize(file);
        case ImageFormat::WebP:
            return webpSize(file);
        case ImageFormat::Unknown:
            break;
    }
    return std::nullopt;
}

}  // namespace ropescope
