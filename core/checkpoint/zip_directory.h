// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/checkpoint/input_file.h"

namespace ropescope {

/// One member of a zip archive, after its local header was compared with the directory.
struct ZipMember {
    std::string name;
    std::uint32_t crc = 0;
    std::uint16_t flags = 0;
    std::uint16_t method = 0;        ///< 0 stored, 8 deflated
    std::uint64_t storedSize = 0;    ///< bytes in the file
    std::uint64_t size = 0;          ///< bytes after unpacking
    std::uint64_t headerOffset = 0;  ///< of the local header
    std::uint64_t dataOffset = 0;    ///< first byte of the member's data
};

/// The directory of a zip archive, checked as a whole: one end record, members that neither overlap nor repeat, local
/// headers that say the same as the directory. Reads no member's data.
class ZipDirectory {
public:
    /// Errors: ZC-01 end record, ZC-02 sizes, ZC-03 local header disagrees, ZC-04 repeated names, ZC-05 overlap,
    /// ZC-07 encrypted or multi-disk, ZC-09 unsafe names.
    [[nodiscard]] static Result<ZipDirectory> read(const InputFile& file);

    [[nodiscard]] const std::vector<ZipMember>& members() const { return m_members; }
    [[nodiscard]] const ZipMember* find(const std::string& name) const;

private:
    std::vector<ZipMember> m_members;
    std::unordered_map<std::string, std::size_t> m_byName;
};

/// CRC-32 of the zip format.
[[nodiscard]] std::uint32_t zipCrc(std::span<const std::byte> bytes);

}  // namespace ropescope
