// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace ropescope {

/// Little-endian reading from a span. A read past the end gives zero or empty and clears ok() for good, so that a
/// parser may check once after several reads.
class ByteCursor {
public:
    explicit ByteCursor(std::span<const std::byte> bytes) : m_bytes(bytes) {}

    [[nodiscard]] bool ok() const { return m_ok; }
    [[nodiscard]] std::size_t position() const { return m_position; }
    [[nodiscard]] std::size_t remaining() const { return m_bytes.size() - m_position; }

    std::uint64_t number(std::size_t width) {
        if (!take(width)) return 0;
        std::uint64_t value = 0;
        for (std::size_t i = width; i-- > 0;) {
            value = value << 8 | std::to_integer<std::uint64_t>(m_bytes[m_position - width + i]);
        }
        return value;
    }
    std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
    std::uint64_t u64() { return number(8); }
    std::string_view text(std::uint64_t length) {
        if (!take(length)) return {};
        return {reinterpret_cast<const char*>(m_bytes.data()) + m_position - length, static_cast<std::size_t>(length)};
    }
    /// Up to the next newline, which is swallowed. Longer than `limit` counts as past the end.
    std::string_view line(std::size_t limit) {
        const std::string_view rest(reinterpret_cast<const char*>(m_bytes.data()) + m_position, remaining());
        const std::size_t end = rest.substr(0, limit).find('\n');
        if (end == rest.npos) {
            m_ok = false;
            return {};
        }
        m_position += end + 1;
        return rest.substr(0, end);
    }

private:
    bool take(std::uint64_t width) {
        if (!m_ok || width > remaining()) {
            m_ok = false;
            return false;
        }
        m_position += static_cast<std::size_t>(width);
        return true;
    }

    std::span<const std::byte> m_bytes;
    std::size_t m_position = 0;
    bool m_ok = true;
};

}  // namespace ropescope
