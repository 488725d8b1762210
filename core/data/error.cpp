// SPDX-License-Identifier: Apache-2.0
#include "core/data/error.h"

#include <cstdio>

namespace ropescope {
namespace {

/// Length of the well-formed UTF-8 sequence at `i`, 0 when it is broken; the code point goes to `point`.
std::size_t utf8Length(std::string_view text, std::size_t i, std::uint32_t& point) {
    const auto byte = static_cast<unsigned char>(text[i]);
    std::size_t length = byte < 0x80 ? 1 : (byte >> 5) == 6 ? 2 : (byte >> 4) == 14 ? 3 : (byte >> 3) == 30 ? 4 : 0;
    if (length == 0 || i + length > text.size()) return 0;
    point = length == 1 ? byte : byte & (0xFFu >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
        const auto next = static_cast<unsigned char>(text[i + k]);
        if ((next >> 6) != 2) return 0;
        point = (point << 6) | (next & 0x3Fu);
    }
    static constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < kSmallest[length] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return 0;
    return length;
}

bool isHidden(std::uint32_t point) {
    return point < 0x20 || (point >= 0x7F && point < 0xA0) || (point >= 0x200B && point <= 0x200F) ||
           (point >= 0x2028 && point <= 0x202E) || (point >= 0x2060 && point <= 0x206F) || point == 0xFEFF;
}

/// A cut never falls inside a UTF-8 sequence: continuation bytes at the edge are dropped.
std::string cutMiddle(const std::string& text, std::size_t limit) {
    if (text.size() <= limit) return text;
    std::size_t head = limit / 2 - 2;
    std::size_t tail = text.size() - (limit - head - 3);
    while (head > 0 && (static_cast<unsigned char>(text[head]) >> 6) == 2) --head;
    while (tail < text.size() && (static_cast<unsigned char>(text[tail]) >> 6) == 2) ++tail;
    return text.substr(0, head) + "..." + text.substr(tail);
}

}  // namespace

std::string printable(std::string_view text, std::size_t limit) {
    std::string out;
    char escaped[16];
    for (std::size_t i = 0; i < text.size();) {
        std::uint32_t point = 0;
        const std::size_t length = utf8Length(text, i, point);
        if (length == 0) {
            std::snprintf(escaped, sizeof escaped, "\\x%02X", static_cast<unsigned char>(text[i]));
            out += escaped;
            ++i;
        } else if (isHidden(point)) {
            std::snprintf(escaped, sizeof escaped, point < 0x80 ? "\\x%02X" : "\\u{%04X}", point);
            out += escaped;
            i += length;
        } else {
            out += text.substr(i, length);
            i += length;
        }
    }
    return cutMiddle(out, limit);
}

std::string place(std::initializer_list<std::string_view> parts) {
    std::string out;
    for (std::string_view part : parts) {
        if (part.empty()) continue;
        if (!out.empty()) out += " > ";
        out += printable(part);
    }
    return out;
}

std::string Error::message() const {
    std::string text = "[" + code + "] ";
    if (!place.empty()) text += place + ": ";
    text += reason;
    if (!found.empty() && !expected.empty()) {
        text += " (found " + found + ", expected " + expected + ")";
    } else if (!found.empty()) {
        text += " (found " + found + ")";
    } else if (!expected.empty()) {
        text += " (expected " + expected + ")";
    }
    text += ".";
    if (!advice.empty()) text += " " + advice + ".";
    return printable(text, 400);
}

int Error::exitCode() const {
    switch (kind) {
        case ErrorKind::Usage: return 2;
        case ErrorKind::Device: return 3;
        case ErrorKind::Cancelled: return 130;
        case ErrorKind::Refused:
        case ErrorKind::Internal: break;
    }
    return 1;
}

}  // namespace ropescope
