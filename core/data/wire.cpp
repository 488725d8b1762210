// SPDX-License-Identifier: Apache-2.0
#include "core/data/wire.h"

#include <algorithm>
#include <cstring>

#include "core/data/codec.h"
#include "core/data/safetensors.h"

namespace ropescope {
namespace {

Error wireError(std::string code, std::string reason, std::string found = {}) {
    return {.kind = ErrorKind::Internal,
            .code = std::move(code),
            .place = "wire",
            .reason = std::move(reason),
            .found = std::move(found)};
}

Bytes frameOf(const Bytes& blob) {
    Bytes frame(kFrameHeader + blob.size());
    std::memcpy(frame.data(), kMagic.data(), kMagic.size());
    for (int i = 0; i < 8; ++i) frame[8 + i] = static_cast<std::byte>(blob.size() >> (8 * i));
    std::copy(blob.begin(), blob.end(), frame.begin() + kFrameHeader);
    return frame;
}

std::uint64_t lengthAt(const std::byte* bytes) {
    std::uint64_t length = 0;
    for (int i = 0; i < 8; ++i) length |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
    return length;
}

}  // namespace

Bytes encodeBlob(const Message& message) {
    PackedMessage packed = pack(message);
    return encodeSafetensors(packed.arrays, {{std::string(kMessageKey), std::move(packed.json)}});
}

Result<Message> decodeBlob(std::span<const std::byte> blob) {
    auto contents = decodeSafetensors(blob);
    if (!contents) return failure(wireError("WIRE-01", "a frame is not a safetensors blob", contents.error().reason));
    const auto json = contents->metadata.find(std::string(kMessageKey));
    if (json == contents->metadata.end()) return failure(wireError("WIRE-01", "a frame holds no message"));
    Result<Message> message = unpack({std::move(json->second), std::move(contents->arrays)});
    if (message && message->kind != kindOf(message->body))
        return failure(wireError("WIRE-02", "a body does not match its kind"));
    return message;
}

std::vector<Bytes> encodeFrames(const Message& message, std::size_t frameLimit) {
    const Bytes blob = encodeBlob(message);
    if (blob.size() <= frameLimit) return {frameOf(blob)};
    constexpr std::size_t kEnvelope = 1024;  // what a Part's own header may take
    const std::size_t slice = frameLimit - kEnvelope;
    const std::size_t count = (blob.size() + slice - 1) / slice;
    std::vector<Bytes> frames;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t from = i * slice;
        const std::size_t size = std::min(slice, blob.size() - from);
        const auto* data = reinterpret_cast<const std::uint8_t*>(blob.data()) + from;
        Part part{static_cast<int>(i), static_cast<int>(count),
                  makeArray(std::span(data, size), {static_cast<std::int64_t>(size)})};
        frames.push_back(frameOf(encodeBlob({MessageKind::Part, message.job, {}, std::move(part)})));
    }
    return frames;
}

void MessageReader::push(std::span<const std::byte> bytes) {
    if (m_failed) return;
    if (m_read > 0 && m_read * 2 >= m_buffer.size()) {  // the read half is dropped now and then, not every time
        m_buffer.erase(m_buffer.begin(), m_buffer.begin() + static_cast<std::ptrdiff_t>(m_read));
        m_read = 0;
    }
    m_buffer.insert(m_buffer.end(), bytes.begin(), bytes.end());
}

std::optional<Result<Message>> MessageReader::next() {
    while (!m_failed) {
        std::optional<Result<Message>> message = nextFrame();
        if (!message) return std::nullopt;
        if (!*message) return fail(message->error());
        if ((*message)->kind != MessageKind::Part) {
            if (m_nextPart > 0 && (*message)->kind == MessageKind::Result && (*message)->job == m_partJob) {
                return fail(wireError("WIRE-05", "a result came before its last part"));
            }
            return message;
        }
        std::optional<Result<Message>> whole = addPart(**message);
        if (whole) return *whole ? std::move(whole) : std::optional(fail(whole->error()));
    }
    return std::nullopt;
}

bool MessageReader::skipToMagic() {
    const auto* magic = reinterpret_cast<const std::byte*>(kMagic.data());
    const auto from = m_buffer.begin() + static_cast<std::ptrdiff_t>(m_read);
    const auto found = std::search(from, m_buffer.end(), magic, magic + kMagic.size());
    // Without a hit the last bytes stay: the magic may be cut there.
    const auto keep = static_cast<std::ptrdiff_t>(std::min(pending(), kMagic.size() - 1));
    const auto skipped = (found == m_buffer.end() ? m_buffer.end() - keep : found) - from;
    m_read += static_cast<std::size_t>(skipped);
    m_skipped += static_cast<std::size_t>(skipped);
    return found != m_buffer.end();
}

std::optional<Result<Message>> MessageReader::nextFrame() {
    if (!m_synchronised) {
        m_synchronised = skipToMagic();
        if (m_skipped > kNoiseLimit) return failure(wireError("WIRE-01", "this is not the engine's wire"));
        if (!m_synchronised) return std::nullopt;
    }
    const std::byte* head = m_buffer.data() + m_read;
    if (std::memcmp(head, kMagic.data(), std::min(pending(), kMagic.size())) != 0) {
        return failure(wireError("WIRE-01", "bytes between two frames"));
    }
    if (pending() < kFrameHeader) return std::nullopt;
    const std::uint64_t length = lengthAt(head + 8);
    if (length > kFrameLimit) return failure(wireError("WIRE-04", "a frame is too long", std::to_string(length)));
    if (pending() < kFrameHeader + length) return std::nullopt;
    Result<Message> message = decodeBlob({head + kFrameHeader, static_cast<std::size_t>(length)});
    m_read += kFrameHeader + static_cast<std::size_t>(length);
    return message;
}

std::optional<Result<Message>> MessageReader::addPart(const Message& message) {
    const Part& part = std::get<Part>(message.body);
    const bool first = m_nextPart == 0;
    if (part.index != m_nextPart || part.count <= part.index || part.bytes.dtype != DType::U8 ||
        (!first && message.job != m_partJob)) {
        return failure(wireError("WIRE-05", "parts out of order"));
    }
    if (m_parts.size() + part.bytes.bytes.size() > kMessageLimit) {
        return failure(wireError("WIRE-04", "a message is too long", std::to_string(m_parts.size())));
    }
    m_parts.insert(m_parts.end(), part.bytes.bytes.begin(), part.bytes.bytes.end());
    m_partJob = message.job;
    if (++m_nextPart < part.count) return std::nullopt;
    Result<Message> whole = decodeBlob(std::exchange(m_parts, {}));
    m_nextPart = 0;
    if (whole && (whole->kind == MessageKind::Part || whole->job != m_partJob)) {
        return failure(wireError("WIRE-05", "a message of parts is not what it said"));
    }
    return whole;
}

Result<Message> MessageReader::fail(Error error) {
    m_failed = true;
    return failure(std::move(error));
}

}  // namespace ropescope
