// SPDX-License-Identifier: Apache-2.0
#include "core/model/lora_scales.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "core/checkpoint/names.h"
#include "core/model/lora_names.h"

namespace ropescope {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLongestPattern = 256, kMostPatterns = 4096, kLongestModule = 512;

/// PEFT's rule; patterns are the file's, so their length is bounded.
bool fits(const std::string& key, const std::string& module) {
    if (module.size() > kLongestModule) return false;
    try {
        return std::regex_match(module, std::regex("(.*\\.)?(" + key + ")"));
    } catch (const std::regex_error&) {
        return false;
    }
}

bool isPattern(const std::string& key) {
    if (key.empty() || key.size() > kLongestPattern) return false;
    try {
        const std::regex tried("(.*\\.)?(" + key + ")");
        return true;
    } catch (const std::regex_error&) {
        return false;
    }
}

std::optional<double> numberOf(const Json& value) {
    if (value.is_number()) return value.get<double>();
    if (!value.is_string()) return std::nullopt;
    const std::string text = value.get<std::string>();
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    return !text.empty() && *end == '\0' ? std::optional(number) : std::nullopt;
}

std::optional<bool> flagOf(const Json& value) {
    if (value.is_boolean()) return value.get<bool>();
    if (!value.is_string()) return std::nullopt;
    const std::string text = value.get<std::string>();
    if (text == "True" || text == "true" || text == "1") return true;
    if (text == "False" || text == "false" || text == "0") return false;
    return std::nullopt;
}

/// Keys and values wherever they stand, without "transformer."; `source` says where.
Result<Json> settingsOf(const TensorTable& file, std::string& source) {
    Json all = Json::object();
    const auto add = [&](const std::string& key, const Json& value, const char* from) {
        const std::string own = key.starts_with("transformer.") ? key.substr(12) : key;
        for (const char* known : {"lora_alpha", "r", "use_rslora", "alpha_pattern", "rank_pattern"})
            if (own == known && !value.is_null()) all[own] = value, source = from;
    };
    const auto& metadata = file.metadata();
    if (const auto own = metadata.find("lora_adapter_metadata"); own != metadata.end()) {
        const Json json = Json::parse(own->second, nullptr, false);
        if (!json.is_object())
            return loraRefusal("LO-03", file.path(), "lora_adapter_metadata", "scales that cannot be read",
                               printable(own->second, 60), "a JSON object");
        for (const auto& [key, value] : json.items()) add(key, value, "the metadata");
        return all;
    }
    for (const auto& [key, value] : metadata) {
        const bool pattern = key.ends_with("_pattern");
        add(key, pattern ? Json::parse(value, nullptr, false) : Json(value), "the metadata");
    }
    const std::filesystem::path path(file.path());
    if (all.empty() && path.stem().string().starts_with("adapter_model")) {
        std::ifstream beside(path.parent_path() / "adapter_config.json");
        const std::string text{std::istreambuf_iterator<char>(beside), {}};
        const Json json = Json::parse(text, nullptr, false);
        if (!text.empty() && !json.is_object())
            return loraRefusal("LO-03", file.path(), "adapter_config.json", "scales that cannot be read",
                               printable(text, 60), "a JSON object");
        if (json.is_object())
            for (const auto& [key, value] : json.items()) add(key, value, "adapter_config.json");
    }
    return all;
}

}  // namespace

Result<LoraScales> LoraScales::read(const TensorTable& file) {
    LoraScales scales;
    const auto settings = settingsOf(file, scales.m_source);
    if (!settings) return failure(settings.error());
    const Json& all = *settings;
    const auto refused = [&](const std::string& key, const std::string& found, const std::string& expected) {
        return loraRefusal("LO-03", file.path(), key, "a scale that is not understood", printable(found, 60), expected);
    };
    if (const auto alpha = all.find("lora_alpha"); alpha != all.end()) {
        const auto number = numberOf(*alpha);
        if (!number || !std::isfinite(*number) || *number == 0)
            return refused("lora_alpha", alpha->dump(), "a number, not 0");
        scales.m_alpha = *number;
    }
    if (const auto root = all.find("use_rslora"); root != all.end()) {
        const auto flag = flagOf(*root);
        if (!flag) return refused("use_rslora", root->dump(), "true or false");
        scales.m_root = *flag;
    }
    if (const auto patterns = all.find("alpha_pattern"); patterns != all.end()) {
        if (!patterns->is_object() || patterns->size() > kMostPatterns)
            return refused("alpha_pattern", patterns->type_name(), "an object of numbers");
        for (const auto& [key, value] : patterns->items()) {
            const auto number = numberOf(value);
            if (!number || !std::isfinite(*number) || *number == 0 || !isPattern(key))
                return refused("alpha_pattern." + key, value.dump(), "a regular expression and a number");
            scales.m_patterns.push_back({key, *number});
        }
    }
    return scales;
}

double LoraScales::divisor(std::int64_t rank) const {
    return m_root ? std::sqrt(static_cast<double>(rank)) : static_cast<double>(rank);
}

double LoraScales::of(const std::string& module, std::int64_t rank) const {
    const std::string own = withoutRoot(module);
    for (const Pattern& pattern : m_patterns)
        if (fits(pattern.key, own)) return pattern.value / divisor(rank);
    return (m_alpha != 0 ? m_alpha : static_cast<double>(rank)) / divisor(rank);
}

}  // namespace ropescope
