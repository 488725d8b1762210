// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/data/error.h"
#include "core/data/message.h"

namespace ropescope {

// A frame is kMagic, a little-endian u64 length, and that many bytes: one safetensors blob whose `__metadata__` holds
// the message as JSON under kMessageKey and whose tensors are its arrays. So a result on the wire can be saved as it
// is and opened by any safetensors reader. Messages longer than a frame travel as Part messages.

inline constexpr std::string_view kMagic = "ROPEWIRE";
inline constexpr std::string_view kMessageKey = "ropescope.message";
inline constexpr std::size_t kFrameHeader = 16;           ///< magic and length
inline constexpr std::size_t kFrameLimit = 4u << 20;      ///< bytes after the header
inline constexpr std::size_t kMessageLimit = 256u << 20;  ///< bytes of a message put together from parts
inline constexpr std::size_t kNoiseLimit = 64u << 10;     ///< bytes skipped before the first frame (an ssh banner)

using Bytes = std::vector<std::byte>;

/// The safetensors blob of one message.
[[nodiscard]] Bytes encodeBlob(const Message& message);
/// Errors: WIRE-01 not a blob or no message in it, WIRE-02, WIRE-03 (codec.h).
[[nodiscard]] Result<Message> decodeBlob(std::span<const std::byte> blob);

/// The frames of one message, each complete and ready to be written. Checked by tests/core/data/wire_test.cpp.
[[nodiscard]] std::vector<Bytes> encodeFrames(const Message& message, std::size_t frameLimit = kFrameLimit);

/// Turns bytes, however they are cut, back into messages.
///
/// Before the first frame, bytes that are no magic are skipped up to kNoiseLimit. After the first error nothing more
/// comes out: the stream cannot be trusted again. One reader per stream, one thread.
class MessageReader {
public:
    void push(std::span<const std::byte> bytes);
    /// The next whole message; empty when more bytes are needed. Errors: WIRE-01 not a frame, WIRE-04 too long,
    /// WIRE-05 parts out of order, and those of decodeBlob.
    [[nodiscard]] std::optional<Result<Message>> next();
    /// Bytes that wait for the rest of their frame: not 0 at the end of a stream means it was cut.
    [[nodiscard]] std::size_t pending() const { return m_buffer.size() - m_read; }

private:
    [[nodiscard]] bool skipToMagic();
    [[nodiscard]] std::optional<Result<Message>> nextFrame();
    [[nodiscard]] std::optional<Result<Message>> addPart(const Message& part);
    Result<Message> fail(Error error);

    Bytes m_buffer;
    std::size_t m_read = 0;
    std::size_t m_skipped = 0;
    bool m_synchronised = false;
    bool m_failed = false;
    Bytes m_parts;
    std::uint64_t m_partJob = 0;
    int m_nextPart = 0;
};

}  // namespace ropescope
