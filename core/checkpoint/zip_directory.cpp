// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/zip_directory.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_set>

#include "core/checkpoint/byte_cursor.h"

namespace ropescope {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50, kDirectoryHeader = 0x02014b50, kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr std::uint64_t kMaxDirectory = 128u << 20;
constexpr std::uint64_t kMaxMembers = 1'000'000;
constexpr std::uint16_t kEncrypted = 1, kSizesFollow = 8;

tl::unexpected<Error> refused(const InputFile& file, std::string code, std::string_view member, std::string reason,
                              std::string found = {}, std::string expected = {}) {
    return failure({ErrorKind::Refused, std::move(code), place({file.path(), member}), std::move(reason),
                    std::move(found), std::move(expected), "The archive is damaged or hostile; fetch it again"});
}

/// Where the directory lies and how many members it names.
struct End {
    std::uint64_t members = 0, offset = 0, size = 0;
};

/// Position of the one end record inside the file's last 65,557 bytes.
Result<std::uint64_t> findEnd(const InputFile& file, const std::vector<std::byte>& tail) {
    std::optional<std::size_t> found;
    for (std::size_t i = tail.size() < 22 ? 0 : tail.size() - 21; i-- > 0;) {
        ByteCursor cursor{std::span<const std::byte>(tail).subspan(i)};
        if (cursor.u32() != kEnd) continue;
        cursor.text(16);
        // Weight bytes may spell the signature by chance; an end record's comment ends with the file.
        if (cursor.u16() != tail.size() - i - 22) continue;
        if (found) return refused(file, "ZC-01", {}, "two end records: the comment of one holds another");
        found = i;
    }
    if (!found) {
        return refused(file, "ZC-01", {}, "no end record: probably an incomplete download",
                       std::to_string(file.size()) + " bytes");
    }
    return file.size() - tail.size() + *found;
}

/// Follows the zip64 locator, if there is one, from the end record at `position`.
Result<End> readEnd64(const InputFile& file, std::uint64_t position, End end) {
    const bool mayFollow = position >= 20;
    const auto locator = file.bytes(mayFollow ? position - 20 : 0, mayFollow ? 20 : 0);
    if (!locator) return failure(locator.error());
    ByteCursor cursor(*locator);
    std::uint64_t directoryEnd = position;
    if (cursor.u32() == kLocator64) {
        cursor.u32();
        const std::uint64_t at = cursor.u64();
        if (at > position - 20 || position - 20 - at < 56) {
            return refused(file, "ZC-02", {}, "the zip64 end record lies outside the file", std::to_string(at));
        }
        const auto record = file.bytes(at, 56);
        if (!record) return failure(record.error());
        ByteCursor big(*record);
        if (big.u32() != kEnd64) return refused(file, "ZC-01", {}, "the zip64 locator points to no end record");
        big.text(12);
        const std::uint32_t disk = big.u32();
        if (disk != 0 || big.u32() != 0) return refused(file, "ZC-07", {}, "archive in several parts");
        const std::uint64_t here = big.u64();
        const End wide{big.u64(), 0, big.u64()};
        const std::uint64_t offset = big.u64();
        const auto agrees = [](std::uint64_t small, std::uint64_t wideValue, std::uint64_t full) {
            return small == full || small == wideValue;
        };
        if (here != wide.members || !agrees(end.members, wide.members, 0xFFFF) ||
            !agrees(end.offset, offset, 0xFFFFFFFF) || !agrees(end.size, wide.size, 0xFFFFFFFF)) {
            return refused(file, "ZC-01", {}, "the two end records disagree");
        }
        end = {wide.members, offset, wide.size};
        directoryEnd = at;
    }
    if (end.offset > directoryEnd || end.size != directoryEnd - end.offset) {
        return refused(file, "ZC-01", {}, "the directory does not end where the end record begins",
                       std::to_string(end.size) + " bytes at " + std::to_string(end.offset),
                       "end at " + std::to_string(directoryEnd));
    }
    return end;
}

Result<End> readEnd(const InputFile& file) {
    const std::uint64_t length = std::min<std::uint64_t>(file.size(), 65'557);
    const auto tail = file.bytes(file.size() - length, length);
    if (!tail) return failure(tail.error());
    const auto position = findEnd(file, *tail);
    if (!position) return failure(position.error());
    ByteCursor cursor{
        std::span<const std::byte>(*tail).subspan(static_cast<std::size_t>(*position - (file.size() - length)))};
    cursor.u32();
    const std::uint32_t disks = cursor.u32();
    const std::uint16_t here = cursor.u16();
    End end;
    end.members = cursor.u16();
    end.size = cursor.u32();
    end.offset = cursor.u32();
    if (disks != 0 || here != end.members) return refused(file, "ZC-07", {}, "archive in several parts");
    const auto full = readEnd64(file, *position, end);
    if (!full) return full;
    if (full->size > kMaxDirectory || full->members > kMaxMembers || full->members > full->size / 46) {
        return refused(file, "ZC-02", {}, "directory too large or too small for its members",
                       std::to_string(full->members) + " members in " + std::to_string(full->size) + " bytes");
    }
    return full;
}

/// Takes 64-bit values from the zip64 extra field for those that read 0xFFFFFFFF. False: they are needed and missing.
bool widen(std::string_view extra, std::initializer_list<std::uint64_t*> values) {
    ByteCursor cursor(std::as_bytes(std::span(extra.data(), extra.size())));
    while (cursor.ok() && cursor.remaining() >= 4) {
        const std::uint16_t id = cursor.u16();
        const std::string_view field = cursor.text(cursor.u16());
        if (id != 1) continue;
        ByteCursor wide(std::as_bytes(std::span(field.data(), field.size())));
        for (std::uint64_t* value : values) {
            if (*value == 0xFFFFFFFF) *value = wide.u64();
        }
        return wide.ok();
    }
    return std::none_of(values.begin(), values.end(), [](const auto* v) { return *v == 0xFFFFFFFF; });
}

Result<ZipMember> readMember(const InputFile& file, ByteCursor& cursor) {
    if (cursor.u32() != kDirectoryHeader) return refused(file, "ZC-02", {}, "broken directory entry");
    ZipMember member;
    cursor.u32();
    member.flags = cursor.u16();
    member.method = cursor.u16();
    cursor.u32();
    member.crc = cursor.u32();
    member.storedSize = cursor.u32();
    member.size = cursor.u32();
    const std::uint16_t nameLength = cursor.u16(), extraLength = cursor.u16(), commentLength = cursor.u16();
    const std::uint16_t disk = cursor.u16();
    cursor.text(6);
    member.headerOffset = cursor.u32();
    member.name = cursor.text(nameLength);
    const std::string_view extra = cursor.text(extraLength);
    cursor.text(commentLength);
    if (!cursor.ok()) return refused(file, "ZC-02", {}, "the directory ends inside an entry");
    if (!widen(extra, {&member.size, &member.storedSize, &member.headerOffset})) {
        return refused(file, "ZC-02", member.name, "zip64 sizes are missing");
    }
    if (disk != 0 || member.flags & kEncrypted) return refused(file, "ZC-07", member.name, "encrypted or split member");
    if (member.method != 0 && member.method != 8) {
        return refused(file, "ZC-07", member.name, "unknown compression method", std::to_string(member.method), "0");
    }
    if (member.name.empty() || member.name.front() == '/' || member.name.find('\\') != std::string::npos ||
        member.name.find('\0') != std::string::npos || ("/" + member.name + "/").find("/../") != std::string::npos) {
        return refused(file, "ZC-09", member.name, "unsafe member name");
    }
    return member;
}

/// Compares the local header with the directory's entry and finds where the data begins.
Result<void> checkLocal(const InputFile& file, ZipMember& member, std::uint64_t directory) {
    if (member.headerOffset > directory || directory - member.headerOffset < 30 + member.name.size()) {
        return refused(file, "ZC-05", member.name, "member lies outside the data", std::to_string(member.headerOffset));
    }
    const auto header = file.bytes(member.headerOffset, 30 + member.name.size());
    if (!header) return failure(header.error());
    ByteCursor cursor(*header);
    if (cursor.u32() != kLocalHeader) return refused(file, "ZC-03", member.name, "no local header where promised");
    cursor.u16();
    const std::uint16_t flags = cursor.u16(), method = cursor.u16();
    cursor.u32();
    const std::uint32_t crc = cursor.u32();
    const std::uint64_t storedSize = cursor.u32(), size = cursor.u32();
    const std::uint16_t nameLength = cursor.u16(), extraLength = cursor.u16();
    if (nameLength != member.name.size() || cursor.text(nameLength) != member.name) {
        return refused(file, "ZC-03", member.name, "local header has another name");
    }
    if (flags != member.flags) return refused(file, "ZC-03", member.name, "local header has other flags");
    if (method != member.method) return refused(file, "ZC-03", member.name, "local header has another method");
    // A writer that streams leaves zeros here and the true values behind the data.
    const bool later = (flags & kSizesFollow) && crc == 0 && (size == 0 || size == 0xFFFFFFFF);
    const auto agrees = [](std::uint64_t local, std::uint64_t value) { return local == value || local == 0xFFFFFFFF; };
    if (!later && (crc != member.crc || !agrees(size, member.size) || !agrees(storedSize, member.storedSize))) {
        return refused(file, "ZC-03", member.name, "local header has other sizes", std::to_string(size),
                       std::to_string(member.size));
    }
    member.dataOffset = member.headerOffset + 30 + nameLength + extraLength;
    if (member.dataOffset > directory || member.storedSize > directory - member.dataOffset) {
        return refused(file, "ZC-05", member.name, "member reaches into the directory or beyond",
                       std::to_string(member.storedSize) + " bytes");
    }
    if (member.method == 0 && member.size != member.storedSize) {
        return refused(file, "ZC-03", member.name, "stored member with two sizes", std::to_string(member.storedSize),
                       std::to_string(member.size));
    }
    return {};
}

Result<void> checkOverlap(const InputFile& file, const std::vector<ZipMember>& members) {
    std::vector<const ZipMember*> order;
    for (const ZipMember& member : members) order.push_back(&member);
    std::sort(order.begin(), order.end(), [](auto a, auto b) { return a->headerOffset < b->headerOffset; });
    for (std::size_t i = 1; i < order.size(); ++i) {
        if (order[i - 1]->dataOffset + order[i - 1]->storedSize > order[i]->headerOffset) {
            return refused(file, "ZC-05", order[i]->name, "overlaps " + printable(order[i - 1]->name));
        }
    }
    return {};
}

/// Lower case and without "./": two names that some program would take for one.
std::string folded(const std::string& name) {
    std::string out;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const bool segmentStart = out.empty() || out.back() == '/';
        if (segmentStart && name.compare(i, 2, "./") == 0) {
            ++i;
            continue;
        }
        out += name[i] >= 'A' && name[i] <= 'Z' ? static_cast<char>(name[i] + 32) : name[i];
    }
    return out;
}

}  // namespace

Result<ZipDirectory> ZipDirectory::read(const InputFile& file) {
    const auto end = readEnd(file);
    if (!end) return failure(end.error());
    const auto bytes = file.bytes(end->offset, end->size);
    if (!bytes) return failure(bytes.error());
    ZipDirectory directory;
    std::unordered_set<std::string> names;
    ByteCursor cursor(*bytes);
    for (std::uint64_t i = 0; i < end->members; ++i) {
        auto member = readMember(file, cursor);
        if (!member) return failure(member.error());
        if (!names.insert(folded(member->name)).second) {
            return refused(file, "ZC-04", member->name, "two members with one name");
        }
        if (auto checked = checkLocal(file, *member, end->offset); !checked) return failure(checked.error());
        directory.m_byName.emplace(member->name, directory.m_members.size());
        directory.m_members.push_back(std::move(*member));
    }
    if (cursor.remaining() != 0) return refused(file, "ZC-02", {}, "the directory holds more than its members");
    if (auto checked = checkOverlap(file, directory.m_members); !checked) return failure(checked.error());
    return directory;
}

const ZipMember* ZipDirectory::find(const std::string& name) const {
    const auto found = m_byName.find(name);
    return found == m_byName.end() ? nullptr : &m_members[found->second];
}

std::uint32_t zipCrc(std::span<const std::byte> bytes) {
    static const auto kTable = [] {
        std::array<std::uint32_t, 256> table{};
        for (std::uint32_t i = 0; i < 256; ++i) {
            std::uint32_t c = i;
            for (int k = 0; k < 8; ++k) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
            table[i] = c;
        }
        return table;
    }();
    std::uint32_t crc = 0xFFFFFFFFu;
    for (std::byte b : bytes) crc = kTable[(crc ^ std::to_integer<std::uint32_t>(b)) & 0xFF] ^ (crc >> 8);
    return ~crc;
}

}  // namespace ropescope
