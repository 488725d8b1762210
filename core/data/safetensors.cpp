// SPDX-License-Identifier: Apache-2.0
#include "core/data/safetensors.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>

#include "core/data/atomic_file.h"
#include "core/data/safetensors_sax.h"

namespace ropescope {
namespace {

Error refused(std::string code, std::string place, std::string reason, std::string found = {},
              std::string expected = {}, std::string advice = {}) {
    return {ErrorKind::Refused, std::move(code),     std::move(place), std::move(reason),
            std::move(found),   std::move(expected), std::move(advice)};
}

/// Types of the format without arithmetic here, in bits.
struct ForeignType {
    std::string_view name;
    std::uint64_t bits;
};
constexpr ForeignType kForeignTypes[] = {{"F4", 4}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F8_E8M0", 8}, {"C64", 64}};

std::uint64_t bitsOf(const SafetensorsEntry& entry) {
    if (entry.dtype) return dtypeSize(*entry.dtype) * 8;
    for (const ForeignType& type : kForeignTypes) {
        if (type.name == entry.dtypeText) return type.bits;
    }
    return 0;
}

/// Type, shape and byte count of one tensor.
Result<void> checkEntry(SafetensorsEntry& entry, std::string_view file) {
    const std::string where = place({file, entry.name});
    entry.dtype = dtypeFromName(entry.dtypeText);
    const std::uint64_t bits = bitsOf(entry);
    if (bits == 0) {
        return failure(refused("ST-13", where, "unknown element type", printable(entry.dtypeText, 40),
                               "a type of the safetensors format"));
    }
    std::uint64_t total = bits;
    for (std::int64_t dimension : entry.shape) {
        if (dimension < 0 || dimension > (std::int64_t{1} << 53) ||
            __builtin_mul_overflow(total, static_cast<std::uint64_t>(dimension), &total)) {
            return failure(refused("ST-07", where, "shape overflows", {}, {}, "The file is damaged or hostile"));
        }
    }
    if (entry.begin > entry.end) {
        return failure(refused("ST-11", where, "offsets run backwards",
                               std::to_string(entry.begin) + " .. " + std::to_string(entry.end)));
    }
    if (total % 8 != 0 || entry.end - entry.begin != total / 8) {
        return failure(refused("ST-12", where, "size does not match type and shape",
                               std::to_string(entry.end - entry.begin) + " bytes",
                               std::to_string(total / 8) + " bytes"));
    }
    return {};
}

Result<void> checkDuplicates(const std::vector<SafetensorsEntry>& entries, std::string_view file) {
    std::vector<std::string_view> names;
    names.reserve(entries.size());
    for (const SafetensorsEntry& entry : entries) names.push_back(entry.name);
    std::sort(names.begin(), names.end());
    const auto twin = std::adjacent_find(names.begin(), names.end());
    if (twin == names.end()) return {};
    return failure(refused("ST-05", place({file, *twin}), "duplicate key"));
}

/// The tensors tile the data section without hole or overlap and end with the file.
Result<void> checkLayout(const std::vector<SafetensorsEntry>& entries, std::uint64_t dataSize, std::uint64_t fileSize,
                         std::string_view file) {
    std::vector<std::uint32_t> order(entries.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        return std::pair(entries[a].begin, entries[a].end) < std::pair(entries[b].begin, entries[b].end);
    });
    std::uint64_t position = 0;
    std::string_view before = "the header";
    for (std::uint32_t index : order) {
        const SafetensorsEntry& entry = entries[index];
        if (entry.begin != position) {
            const std::string gap = entry.begin > position ? "hole" : "overlap";
            return failure(refused("ST-11", place({file, entry.name}), gap + " after " + printable(before),
                                   "start " + std::to_string(entry.begin), std::to_string(position)));
        }
        position = entry.end;
        before = entry.name;
    }
    const std::uint64_t header = fileSize - dataSize;
    if (position > dataSize) {
        return failure(
            refused("ST-18", place({file}),
                    "file has " + std::to_string(fileSize) + " of " + std::to_string(header + position) + " bytes", {},
                    {}, "Probably an incomplete download; fetch it again"));
    }
    if (position < dataSize) {
        return failure(refused("ST-11", place({file}), "trailing bytes after the last tensor " + printable(before),
                               std::to_string(dataSize - position) + " bytes", "0",
                               "Save the file again with the safetensors library"));
    }
    return {};
}

}  // namespace

Result<std::uint64_t> safetensorsHeaderLength(std::span<const std::byte> firstBytes, std::uint64_t fileSize,
                                              std::string_view file) {
    if (fileSize <= 8 || firstBytes.size() < 8) {
        return failure(refused("ST-01", place({file}), "too short for its 8-byte length field and a header",
                               std::to_string(fileSize) + " bytes", "at least 10"));
    }
    std::uint64_t length = 0;
    for (int i = 7; i >= 0; --i) length = length << 8 | std::to_integer<std::uint64_t>(firstBytes[i]);
    if (length > fileSize - 8) {
        return failure(refused("ST-02", place({file}), "header longer than the file", std::to_string(length) + " bytes",
                               "at most " + std::to_string(fileSize - 8),
                               "Probably an incomplete download, or not a safetensors file"));
    }
    if (length > kMaxSafetensorsHeader) {
        return failure(refused("ST-02", place({file}), "header too long", std::to_string(length) + " bytes",
                               "at most " + std::to_string(kMaxSafetensorsHeader)));
    }
    if (length < 2) {
        return failure(refused("ST-03", place({file}), "header too short to be JSON", std::to_string(length) + " bytes",
                               "at least 2"));
    }
    return length;
}

Result<SafetensorsHeader> parseSafetensorsHeader(std::string_view json, std::uint64_t fileSize, std::string_view file) {
    if (fileSize < 8 || json.size() > fileSize - 8) throw std::invalid_argument("parseSafetensorsHeader: file size");
    if (json.empty() || json.front() != '{') {
        return failure(refused("ST-03", place({file}), "header does not start with { at byte 8", {}, {},
                               "This is not a safetensors file"));
    }
    if (const std::size_t zero = json.find('\0'); zero != std::string_view::npos) {
        return failure(refused("ST-03", place({file}), "zero byte in the header at byte " + std::to_string(8 + zero)));
    }
    SafetensorsHeader header;
    header.dataStart = 8 + json.size();
    SafetensorsSax sax(header, file);
    if (!nlohmann::json::sax_parse(json.begin(), json.end(), &sax)) return failure(sax.error());
    for (SafetensorsEntry& entry : header.entries) {
        if (auto checked = checkEntry(entry, file); !checked) return failure(checked.error());
    }
    if (auto checked = checkDuplicates(header.entries, file); !checked) return failure(checked.error());
    const std::uint64_t dataSize = fileSize - header.dataStart;
    if (auto checked = checkLayout(header.entries, dataSize, fileSize, file); !checked) return failure(checked.error());
    return header;
}

std::string_view knownForeignFormat(std::span<const std::byte> bytes) {
    struct Signature {
        std::string_view start, what;
    };
    using namespace std::string_view_literals;
    static constexpr Signature kSignatures[] = {
        {"PK\x03\x04"sv, "a zip archive"},
        {"PK\x05\x06"sv, "an empty zip archive"},
        {"GGUF"sv, "a GGUF model"},
        {"\x89PNG\r\n\x1a\n"sv, "a PNG image"},
        {"\xff\xd8\xff"sv, "a JPEG image"},
        {"version https://git-lfs"sv, "a git-lfs pointer, not the file itself"},
        {"<!DOCTYPE"sv, "an HTML page"},
        {"<!doctype"sv, "an HTML page"},
        {"<html"sv, "an HTML page"},
        {"<HTML"sv, "an HTML page"},
        {"\x1f\x8b"sv, "a gzip file"},
        {"\x89HDF\r\n"sv, "an HDF5 file"},
        {"\x93NUMPY"sv, "a NumPy array"},
        {"\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19"sv, "a legacy PyTorch file (before 1.6)"},
        {"\x80\x02"sv, "a Python pickle"},
        {"\x80\x03"sv, "a Python pickle"},
        {"\x80\x04"sv, "a Python pickle"},
        {"\x80\x05"sv, "a Python pickle"},
    };
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    // An honest header may have a length that looks like a signature; then byte 8 is its brace.
    if (text.size() > 8 && text[8] == '{' && safetensorsHeaderLength(bytes, UINT64_MAX, {})) return {};
    for (const Signature& signature : kSignatures) {
        if (text.starts_with(signature.start)) return signature.what;
    }
    if (text.size() > 262 && text.substr(257, 5) == "ustar") return "a tar archive";
    return {};
}

Result<SafetensorsContent> decodeSafetensors(std::span<const std::byte> blob, std::string_view file) {
    const auto length = safetensorsHeaderLength(blob, blob.size(), file);
    if (!length) return failure(length.error());
    const std::string_view json(reinterpret_cast<const char*>(blob.data()) + 8, *length);
    auto header = parseSafetensorsHeader(json, blob.size(), file);
    if (!header) return failure(header.error());
    SafetensorsContent content;
    content.metadata = std::move(header->metadata);
    for (SafetensorsEntry& entry : header->entries) {
        if (!entry.dtype) {
            return failure(
                refused("ST-13", place({file, entry.name}), "element type without arithmetic", entry.dtypeText));
        }
        const auto bytes = blob.subspan(header->dataStart + entry.begin, entry.end - entry.begin);
        content.arrays[entry.name] = {*entry.dtype, std::move(entry.shape), {bytes.begin(), bytes.end()}};
    }
    return content;
}

std::vector<std::byte> encodeSafetensors(const std::map<std::string, Array>& arrays,
                                         const std::map<std::string, std::string>& metadata) {
    std::vector<std::pair<const std::string*, const Array*>> order;
    for (const auto& [name, array] : arrays) {
        if (array.bytes.size() != dtypeSize(array.dtype) * static_cast<std::size_t>(array.elements())) {
            throw std::invalid_argument("encodeSafetensors: " + name + ": bytes do not match the shape");
        }
        order.emplace_back(&name, &array);
    }
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
        return dtypeSize(a.second->dtype) > dtypeSize(b.second->dtype);
    });
    const auto quoted = [](const std::string& text) {
        return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    };
    std::string json = "{";
    if (!metadata.empty()) {
        json += "\"__metadata__\":{";
        for (const auto& [key, value] : metadata) {
            if (json.back() != '{') json += ',';
            json += quoted(key) + ":" + quoted(value);
        }
        json += '}';
    }
    std::uint64_t position = 0;
    for (const auto& [name, array] : order) {
        if (json.size() > 1) json += ',';
        json += quoted(*name) + ":{\"dtype\":\"" + std::string(dtypeName(array->dtype)) + "\",\"shape\":[";
        for (std::size_t i = 0; i < array->shape.size(); ++i) {
            json += (i ? "," : "") + std::to_string(array->shape[i]);
        }
        json += "],\"data_offsets\":[" + std::to_string(position) + "," +
                std::to_string(position + array->bytes.size()) + "]}";
        position += array->bytes.size();
    }
    json += '}';
    json.resize((json.size() + 7) / 8 * 8, ' ');
    std::vector<std::byte> blob(8 + json.size() + position);
    for (int i = 0; i < 8; ++i) blob[i] = static_cast<std::byte>(json.size() >> (8 * i));
    std::memcpy(blob.data() + 8, json.data(), json.size());
    std::byte* to = blob.data() + 8 + json.size();
    for (const auto& [name, array] : order) {
        if (!array->bytes.empty()) std::memcpy(to, array->bytes.data(), array->bytes.size());
        to += array->bytes.size();
    }
    return blob;
}

Result<void> writeSafetensors(const std::string& path, const std::map<std::string, Array>& arrays,
                              const std::map<std::string, std::string>& metadata) {
    return writeFileAtomically(path, {encodeSafetensors(arrays, metadata)});
}

Result<SafetensorsContent> readSafetensorsFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return failure(
            {ErrorKind::Refused, "read", place({path}), "the file cannot be opened", "", "", "Check the path"});
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    return decodeSafetensors(std::as_bytes(std::span(bytes)), path);
}

}  // namespace ropescope
