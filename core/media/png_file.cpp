// SPDX-License-Identifier: Apache-2.0
#include "core/media/png_file.h"

#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <stdexcept>

#include "core/media/media_api.h"

namespace ropescope {
namespace {

/// What libpng's callbacks need. The error text outlives the jump.
struct Port {
    std::vector<std::byte> written;
    std::span<const std::byte> unread;
    char error[160] = "";
};

void onError(png_structp png, png_const_charp message) {
    auto* port = static_cast<Port*>(png_get_error_ptr(png));
    std::strncpy(port->error, message, sizeof port->error - 1);
    png_longjmp(png, 1);
}

void onWarning(png_structp, png_const_charp) {}

void onWrite(png_structp png, png_bytep data, png_size_t length) {
    auto* port = static_cast<Port*>(png_get_io_ptr(png));
    const auto* first = reinterpret_cast<const std::byte*>(data);
    port->written.insert(port->written.end(), first, first + length);
}

void onRead(png_structp png, png_bytep data, png_size_t length) {
    auto* port = static_cast<Port*>(png_get_io_ptr(png));
    if (length > port->unread.size()) png_error(png, "the file ends early");
    std::memcpy(data, port->unread.data(), length);
    port->unread = port->unread.subspan(length);
}

/// Nothing here owns memory: an error jumps out of the middle.
bool writeAll(png_structp png, png_infop info, const png_uint_32* size, int channels, png_bytep* rows, png_textp texts,
              int textCount) {
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_IHDR(png, info, size[1], size[0], 8, channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (textCount > 0) png_set_text(png, info, texts, textCount);
    png_write_info(png, info);
    png_write_image(png, rows);
    png_write_end(png, nullptr);
    return true;
}

bool readInfo(png_structp png, png_infop info) {
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_user_limits(png, 1 << 20, 1 << 20);
    png_set_chunk_malloc_max(png, 64 << 20);
    png_set_chunk_cache_max(png, 1000);
    png_read_info(png, info);
    return true;
}

bool isAscii(const std::string& text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::vector<png_text> pngTexts(const PngTexts& texts) {
    std::vector<png_text> out;
    for (const auto& [key, text] : texts) {
        png_text entry{};
        const bool ascii = isAscii(text);
        entry.compression = ascii ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
        entry.key = const_cast<char*>(key.c_str());
        entry.text = const_cast<char*>(text.c_str());
        if (ascii) {
            entry.text_length = text.size();
        } else {
            entry.itxt_length = text.size();
        }
        out.push_back(entry);
    }
    return out;
}

std::string utf8FromLatin1(const std::string& text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80) {
            out += c;
        } else {
            out += static_cast<char>(0xC0 | (byte >> 6));
            out += static_cast<char>(0x80 | (byte & 0x3F));
        }
    }
    return out;
}

}  // namespace

Result<std::vector<std::byte>> encodePng(const Array& pixels, const PngTexts& texts) {
    const bool flat = pixels.shape.size() == 2;
    const std::int64_t channels = flat ? 1 : pixels.shape.size() == 3 ? pixels.shape[2] : 0;
    if (pixels.dtype != DType::U8 || (channels != 1 && channels != 3) || pixels.elements() == 0 ||
        pixels.elements() > kMaxPixels * channels ||
        pixels.bytes.size() != static_cast<std::size_t>(pixels.elements())) {
        throw std::invalid_argument("encodePng: the picture must be U8 [h,w,3], [h,w,1] or [h,w]");
    }
    const png_uint_32 size[2] = {static_cast<png_uint_32>(pixels.shape[0]), static_cast<png_uint_32>(pixels.shape[1])};
    auto* first = reinterpret_cast<png_bytep>(const_cast<std::byte*>(pixels.bytes.data()));
    std::vector<png_bytep> rows(size[0]);
    for (std::size_t r = 0; r < rows.size(); ++r) rows[r] = first + r * size[1] * channels;
    std::vector<png_text> entries = pngTexts(texts);
    Port port;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &port, onError, onWarning);
    png_infop info = png ? png_create_info_struct(png) : nullptr;
    bool done = false;
    if (info) {
        png_set_write_fn(png, &port, onWrite, nullptr);
        done = writeAll(png, info, size, static_cast<int>(channels), rows.data(), entries.data(),
                        static_cast<int>(entries.size()));
    }
    png_destroy_write_struct(&png, &info);
    if (!done) return failure({ErrorKind::Internal, "png", "", "libpng refused the picture", port.error, "", ""});
    return std::move(port.written);
}

Result<PngTexts> decodePngTexts(std::span<const std::byte> file, const std::string& name) {
    Port port;
    port.unread = file;
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &port, onError, onWarning);
    png_infop info = png ? png_create_info_struct(png) : nullptr;
    bool done = false;
    PngTexts texts;
    if (info) {
        png_set_read_fn(png, &port, onRead);
        done = readInfo(png, info);
    }
    if (done) {
        png_textp entries = nullptr;
        int count = 0;
        png_get_text(png, info, &entries, &count);
        for (int i = 0; i < count; ++i) {
            const bool international = entries[i].compression >= PNG_ITXT_COMPRESSION_NONE;
            const std::string text(entries[i].text, international ? entries[i].itxt_length : entries[i].text_length);
            texts.emplace(entries[i].key, international ? text : utf8FromLatin1(text));
        }
    }
    png_destroy_read_struct(&png, &info, nullptr);
    if (!done) {
        return failure({ErrorKind::Refused, "IM-03", place({name}), "the PNG is damaged", port.error, "",
                        "Make or fetch the picture again"});
    }
    return texts;
}

}  // namespace ropescope
