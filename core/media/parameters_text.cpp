// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "core/media/png_file.h"

namespace ropescope {
namespace {

/// The value without quotes; empty when the recipe does not hold it.
std::string word(const nlohmann::json& recipe, const char* key) {
    const auto found = recipe.find(key);
    if (found == recipe.end() || found->is_null()) return {};
    return found->is_string() ? found->get<std::string>() : found->dump();
}

/// "HEIGHTxWIDTH" as those programs write it, width first.
std::string turned(const std::string& size) {
    const auto cross = size.find('x');
    return cross == std::string::npos ? size : size.substr(cross + 1) + "x" + size.substr(0, cross);
}

}  // namespace

std::string parametersText(const std::string& recipe) {
    nlohmann::json json = nlohmann::json::parse(recipe, nullptr, false);
    if (!json.is_object()) return {};
    // What those programs call CFG is guidance by a second evaluation; FLUX has the other kind too.
    if (json.contains("true_guidance")) json["distilled"] = json["guidance"], json["guidance"] = json["true_guidance"];
    static constexpr std::pair<const char*, const char*> kEntries[] = {
        {"Steps", "steps"},    {"Sampler", "sampler"}, {"CFG scale", "guidance"}, {"Distilled CFG Scale", "distilled"},
        {"Seed", "seed"},      {"Size", "size"},       {"Model", "model_name"},   {"Class", "label"},
        {"Version", "version"}};
    std::string line;
    for (const auto& [title, key] : kEntries) {
        const std::string value = std::string_view(key) == "size" ? turned(word(json, key)) : word(json, key);
        if (value.empty()) continue;
        // A comma or a line break would end the value for the programs that read this line.
        const bool quote = value.find_first_of(",:\r\n\"") != std::string::npos;
        line += (line.empty() ? "" : ", ") + std::string(title) + ": " + (quote ? nlohmann::json(value).dump() : value);
    }
    std::string subject = json.contains("prompt") ? word(json, "prompt") : word(json, "class_name");
    if (const std::string negative = word(json, "negative_prompt"); !negative.empty())
        subject += "\nNegative prompt: " + negative;
    return line.empty() ? line : subject + "\n" + line;
}

}  // namespace ropescope
