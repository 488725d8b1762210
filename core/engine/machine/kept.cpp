// SPDX-License-Identifier: Apache-2.0
#include "core/engine/machine/kept.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

namespace ropescope {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 10000;  // of a folder

void addFile(std::vector<std::int64_t>& stamp, const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return stamp.push_back(-1);
    for (const std::int64_t value :
         {static_cast<std::int64_t>(status.st_ino), static_cast<std::int64_t>(status.st_size),
          static_cast<std::int64_t>(status.st_mtim.tv_sec), static_cast<std::int64_t>(status.st_mtim.tv_nsec)})
        stamp.push_back(value);
}

/// Files of a folder and `depth` folders below, in the order of their names.
std::vector<std::string> filesIn(const fs::path& folder, int depth) {
    std::vector<std::string> files;
    std::error_code ended;
    for (fs::recursive_directory_iterator at(folder, ended), end; !ended && at != end; at.increment(ended)) {
        std::error_code unknown;
        if (at.depth() >= depth) at.disable_recursion_pending();
        if (!at->is_directory(unknown)) files.push_back(at->path().string());
        if (files.size() == kMostFiles) break;
    }
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

std::vector<std::int64_t> stampOf(const std::string& path) {
    std::vector<std::int64_t> stamp;
    if (path.empty()) return stamp;
    std::error_code unknown;
    if (fs::is_directory(path, unknown)) {
        for (const std::string& file : filesIn(path, 1)) addFile(stamp, file);
        return stamp;
    }
    addFile(stamp, path);
    const fs::path beside = fs::path(path).parent_path();
    for (const std::string& name : {fs::path(path).stem().string() + ".config.json", std::string("config.json"),
                                    std::string("adapter_config.json")})
        addFile(stamp, (beside / name).string());
    if (path.ends_with(".json") && path.find(".index.") != std::string::npos)
        for (const std::string& file : filesIn(beside.empty() ? "." : beside, 0)) addFile(stamp, file);
    return stamp;
}

std::vector<std::int64_t> stampOf(const ModelRef& ref) {
    std::vector<std::int64_t> all;
    const auto add = [&](const std::string& path) {
        const std::vector<std::int64_t> own = stampOf(path);
        all.insert(all.end(), own.begin(), own.end());
    };
    add(ref.path), add(ref.adapter), add(ref.config);
    for (const LoraRef& lora : ref.loras) add(lora.path);
    return all;
}

std::string stampText(const std::vector<std::int64_t>& stamp) {
    std::string text;
    for (const std::int64_t value : stamp) text += " " + std::to_string(value);
    return text;
}

Identity identityOf(const ModelRef& ref, at::Device device, Precision precision, std::uint64_t memory) {
    return {ref, device.str(), precision, memory, stampOf(ref)};
}

}  // namespace ropescope
