// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/array.h"
#include "core/data/error.h"

namespace ropescope {

// The safetensors format: u64 little-endian header length N, N bytes of JSON, tensor data. One codec for files and
// for the wire. Stricter than the format's own library: duplicate keys are refused at every level.

inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;  ///< bytes of JSON
inline constexpr std::size_t kMaxSafetensorsEntries = 1'000'000;
inline constexpr std::size_t kMaxSafetensorsRank = 64;

/// One tensor of a header. `begin` and `end` count bytes from the end of the header.
struct SafetensorsEntry {
    std::string name;
    std::string dtypeText;       ///< as written; always a type of the format
    std::optional<DType> dtype;  ///< empty for types the program has no arithmetic for (F4, F6, F8_E8M0, C64)
    std::vector<std::int64_t> shape;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

struct SafetensorsHeader {
    std::uint64_t dataStart = 0;            ///< 8 + N: where the tensor bytes begin in the file
    std::vector<SafetensorsEntry> entries;  ///< in the order of the header
    std::map<std::string, std::string> metadata;
};

/// N from the first bytes of a file (eight are enough) whose whole size is `fileSize`. Allocates nothing.
/// Errors: ST-01 fewer than eight bytes, ST-02 longer than the cap or the file, ST-03 too short for JSON.
[[nodiscard]] Result<std::uint64_t> safetensorsHeaderLength(std::span<const std::byte> firstBytes,
                                                            std::uint64_t fileSize, std::string_view file);

/// Parses the N bytes of JSON and checks every law: known types, size = shape x type, no hole, no overlap, last end =
/// end of file. `file` is only named in errors. Errors: ST-03 to ST-18 (tests/corpus).
[[nodiscard]] Result<SafetensorsHeader> parseSafetensorsHeader(std::string_view json, std::uint64_t fileSize,
                                                               std::string_view file);

/// The first `bytes` of a file: says what it is when it is well known and not safetensors ("a PNG image"), else empty.
[[nodiscard]] std::string_view knownForeignFormat(std::span<const std::byte> bytes);

struct SafetensorsContent {
    std::map<std::string, Array> arrays;
    std::map<std::string, std::string> metadata;
};

/// A complete blob of memory. Errors: as above, and ST-13 for types without arithmetic.
[[nodiscard]] Result<SafetensorsContent> decodeSafetensors(std::span<const std::byte> blob, std::string_view file = {});

/// A small file that this program wrote, read whole. Errors: Refused when it cannot be read, and the codec's.
[[nodiscard]] Result<SafetensorsContent> readSafetensorsFile(const std::string& path);

/// Wide types first, then by name, so that every tensor is aligned; the header is padded to 8 bytes. The same content
/// always gives the same bytes. Throws std::invalid_argument when an array's bytes do not match its shape.
[[nodiscard]] std::vector<std::byte> encodeSafetensors(const std::map<std::string, Array>& arrays,
                                                       const std::map<std::string, std::string>& metadata = {});

/// Encodes and writes through writeFileAtomically: the old or the new file, never half of one.
[[nodiscard]] Result<void> writeSafetensors(const std::string& path, const std::map<std::string, Array>& arrays,
                                            const std::map<std::string, std::string>& metadata = {});

}  // namespace ropescope
