// SPDX-License-Identifier: Apache-2.0
// Weights in several files with an index, as diffusers and transformers write them.
#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/checkpoint/table_contents.h"
#include "core/data/safetensors.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::uint64_t kMaxIndex = 64 << 20;
constexpr std::size_t kMaxShards = 4096, kMaxName = 255, kListed = 10;

tl::unexpected<Error> refused(std::string code, const std::string& where, std::string reason, std::string found = {},
                              std::string expected = {}, std::string advice = {}) {
    return failure({ErrorKind::Refused, std::move(code), where, std::move(reason), std::move(found),
                    std::move(expected), std::move(advice)});
}

/// A plain file name beside the index: nothing that leaves the folder.
bool isPlain(const std::string& name) {
    return !name.empty() && name.size() <= kMaxName && name != "." && name != ".." &&
           name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

/// Tensor name to file name.
Result<std::map<std::string, std::string>> readWeightMap(const InputFile& index) {
    const std::string where = place({index.path(), "weight_map"});
    if (index.size() > kMaxIndex) return refused("FO-03", where, "the index is too long");
    const auto bytes = index.bytes(0, index.size());
    if (!bytes) return failure(bytes.error());
    std::set<std::string> seen;
    bool twice = false;
    int inside = -1;
    const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (event != Json::parse_event_t::key) return depth < 8;
        if (depth == 1) inside = parsed == "weight_map" ? 1 : 0;
        if (depth == 2 && inside == 1) twice |= !seen.insert(parsed.get<std::string>()).second;
        return true;
    };
    const auto* text = reinterpret_cast<const char*>(bytes->data());
    const Json json = Json::parse(text, text + bytes->size(), watch, false);
    if (twice) return refused("FO-03", where, "a tensor is listed twice");
    if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object())
        return refused("FO-03", where, "not an index of weight files", "", "a JSON object with weight_map");
    std::map<std::string, std::string> map;
    for (const auto& [name, value] : json["weight_map"].items()) {
        if (!value.is_string()) return refused("FO-03", where, "a file name is no text", printable(name, 60));
        const auto file = value.get<std::string>();
        if (!isPlain(file))
            return refused("FO-01", where, "a file name leaves the folder", printable(file, 60), "a plain file name",
                           "Do not use this folder; its index was tampered with or is broken");
        map.emplace(name, file);
    }
    if (map.empty()) return refused("FO-03", where, "the index lists no tensor");
    return map;
}

}  // namespace

Result<void> readSharded(TensorTable::Contents& contents) {
    const auto map = readWeightMap(contents.file);
    if (!map) return failure(map.error());
    std::set<std::string> files;
    for (const auto& [tensor, file] : *map) files.insert(file);
    if (files.size() > kMaxShards)
        return refused("FO-03", place({contents.file.path()}), "too many files", std::to_string(files.size()),
                       "at most " + std::to_string(kMaxShards));
    std::map<std::string, std::string> holds;
    for (const std::string& file : files) {
        const fs::path path = fs::path(contents.file.path()).parent_path() / file;
        std::error_code unknown;
        if (!fs::exists(path, unknown) && !unknown)
            return refused("FO-02", place({contents.file.path(), file}), "a file that the index names is missing", "",
                           std::to_string(files.size()) + " files", "Download the folder again");
        auto opened = InputFile::open(path.string());
        if (!opened) return failure(opened.error());
        TensorTable::Contents shard(*opened);
        const auto start = opened->bytes(0, std::min<std::uint64_t>(512, opened->size()));
        if (!start) return failure(start.error());
        const bool zip = knownForeignFormat(*start).find("zip archive") != std::string_view::npos;
        if (auto read = zip ? readTorchZip(shard) : readSafetensorsFile(shard); !read) return failure(read.error());
        if (!shard.broken.empty()) return failure(shard.broken.front().second);
        contents.shards.push_back(std::move(*opened));
        for (TensorEntry& entry : shard.tensors) {
            const auto [at, first] = holds.emplace(entry.name, file);
            if (!first)
                return refused("FO-02", place({contents.file.path(), entry.name}), "a tensor lies in two files",
                               at->second + " and " + file, "one");
            entry.file = static_cast<int>(contents.shards.size());
            contents.tensors.push_back(std::move(entry));
        }
        if (contents.metadata.empty()) contents.metadata = std::move(shard.metadata);
    }
    std::string missing;
    std::size_t count = 0;
    for (const auto& [tensor, file] : *map)
        if (const auto at = holds.find(tensor); at == holds.end() || at->second != file)
            if (count++ < kListed) missing += (missing.empty() ? "" : ", ") + printable(tensor, 60) + " in " + file;
    if (count > 0)
        return refused("FO-02", place({contents.file.path()}), "files lack tensors that the index puts in them",
                       missing + (count > kListed ? " and " + std::to_string(count - kListed) + " more" : ""));
    contents.format = contents.file.path().ends_with(".bin.index.json") ? "sharded torch-zip" : "sharded safetensors";
    contents.notes.push_back("weights: " + std::to_string(files.size()) + " files by their index");
    return {};
}

}  // namespace ropescope
