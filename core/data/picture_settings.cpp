// SPDX-License-Identifier: Apache-2.0
#include "core/data/picture_settings.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/data/codec.h"

namespace ropescope {
namespace {

template <class T>
bool parse(std::string_view text, T& value) {
    T read{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), read);
    if (error != std::errc() || end != text.data() + text.size()) return false;
    value = read;
    return true;
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// "Steps: 20, Model: \"a, b\"" as pairs; a value in quotes is a JSON text.
std::map<std::string, std::string> entriesOf(std::string_view line) {
    std::map<std::string, std::string> entries;
    while (!line.empty()) {
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) break;
        const std::string key(trimmed(line.substr(0, colon)));
        line = trimmed(line.substr(colon + 1));
        std::size_t end = 0;
        if (line.starts_with('"')) {
            for (end = 1; end < line.size() && line[end] != '"'; ++end) end += line[end] == '\\';
            end = std::min(line.size(), end + 1);
            const auto text = nlohmann::json::parse(line.substr(0, end), nullptr, false);
            entries[key] = text.is_string() ? text.get<std::string>() : std::string();
            end = std::min(line.size(), line.find(',', end));
        } else {
            end = std::min(line.size(), line.find(','));
            entries[key] = trimmed(line.substr(0, end));
        }
        line = trimmed(line.substr(std::min(line.size(), end + 1)));
    }
    return entries;
}

std::optional<Sampler> samplerOf(const std::string& name) {
    static const std::map<std::string, Sampler> known = {
        {"DDIM", Sampler::Ddim},   {"ddim", Sampler::Ddim},        {"ddpm", Sampler::Ddpm},
        {"Euler", Sampler::Euler}, {"euler", Sampler::Euler},      {"Heun", Sampler::Heun},
        {"heun", Sampler::Heun},   {"DPM++ 2M", Sampler::Dpmpp2m}, {"dpmpp-2m", Sampler::Dpmpp2m}};
    const auto found = known.find(name);
    return found == known.end() ? std::nullopt : std::optional(found->second);
}

bool takeSize(const std::string& text, Grid& size) {
    const auto cross = text.find('x');
    return cross != std::string::npos && parse(std::string_view(text).substr(0, cross), size.cols) &&
           parse(std::string_view(text).substr(cross + 1), size.rows);
}

Result<PictureSettings> fromParameters(PictureSettings out, const std::string& text) {
    const auto last = text.rfind("Steps: ");
    if (last == std::string::npos || (last > 0 && text[last - 1] != '\n'))
        return failure({ErrorKind::Refused, "settings", place({out.path, "parameters"}), "no line of settings", "",
                        "a line that begins with \"Steps: \"", ""});
    GenerateRequest& s = out.settings;
    const auto take = [&](bool there, const char* name) {
        if (there) out.taken.emplace_back(name);
    };
    std::string_view words = std::string_view(text).substr(0, last);
    constexpr std::string_view kNegative = "\nNegative prompt: ";
    if (const auto negative = words.rfind(kNegative); negative != std::string_view::npos) {
        s.text.negative = trimmed(words.substr(negative + kNegative.size()));
        words = words.substr(0, negative);
        take(true, "negative prompt");
    }
    s.text.prompt = trimmed(words);
    take(!s.text.prompt.empty(), "prompt");
    auto entries = entriesOf(trimmed(std::string_view(text).substr(last)));
    take(parse(entries["Steps"], s.steps), "steps");
    if (entries.contains("Distilled CFG Scale")) {  // FLUX, where CFG is another guidance
        take(parse(entries["Distilled CFG Scale"], s.guidance), "guidance");
        take(parse(entries["CFG scale"], s.text.trueGuidance), "true guidance");
    } else {
        take(parse(entries["CFG scale"], s.guidance), "guidance");
    }
    take(parse(entries["Seed"], s.seed), "seed");
    take(takeSize(entries["Size"], s.size), "size");
    take(parse(entries["Class"], s.labels.front()), "class");
    if (const auto sampler = samplerOf(entries["Sampler"])) s.sampler = *sampler, take(true, "sampler");
    return out;
}

}  // namespace

Result<PictureSettings> settingsOfTexts(const std::string& path, const std::map<std::string, std::string>& texts) {
    PictureSettings out;
    out.path = path;
    if (const auto own = texts.find("ropescope"); own != texts.end()) {
        const auto recipe = nlohmann::json::parse(own->second, nullptr, false);
        if (recipe.is_object() && recipe.contains("settings")) {
            auto settings = settingsFromJson(recipe["settings"].dump());
            if (!settings) return failure(std::move(settings.error()));
            out.settings = std::move(*settings);
            out.complete = true;
            return out;
        }
    }
    if (const auto parameters = texts.find("parameters"); parameters != texts.end())
        return fromParameters(std::move(out), parameters->second);
    return failure({ErrorKind::Refused, "no-recipe", place({path}), "the picture carries no settings", "",
                    "a PNG that ropescope or a Stable Diffusion web UI has saved", ""});
}

}  // namespace ropescope
