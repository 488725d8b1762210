// SPDX-License-Identifier: Apache-2.0
#include "core/data/picture_settings.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <type_traits>
#include <unordered_set>

#include "core/data/codec.h"
#include "core/data/parameters_reader.h"

namespace ropescope {
namespace {

// What the window can set; other values are shown as they are written.
constexpr int kMostSteps = 1000;
constexpr double kMostGuidance = 100;
constexpr int kLongestSide = 8192;
constexpr std::size_t kMostCharacters = 200;  // of a value that is shown

/// Leaves `value` alone unless `text` is a number of that range.
template <class T>
bool parse(std::string_view text, T& value, std::type_identity_t<T> least, std::type_identity_t<T> most) {
    T read{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), read);
    if (error != std::errc() || end != text.data() + text.size() || !(read >= least && read <= most)) return false;
    value = read;
    return true;
}

bool parseSize(std::string_view text, Grid& size) {
    const auto cross = text.find('x');
    Grid read;
    if (cross == std::string_view::npos || !parse(text.substr(0, cross), read.cols, 1, kLongestSide) ||
        !parse(text.substr(cross + 1), read.rows, 1, kLongestSide))
        return false;
    size = read;
    return true;
}

/// By its name in web UIs ("DPM++ 2M"), in ComfyUI ("dpmpp_2m") and here.
bool parseSampler(std::string name, Sampler& sampler) {
    static const std::map<std::string, Sampler, std::less<>> known = {
        {"ddim", Sampler::Ddim},        {"ddpm", Sampler::Ddpm},        {"euler", Sampler::Euler},
        {"k euler", Sampler::Euler},    {"heun", Sampler::Heun},        {"k heun", Sampler::Heun},
        {"dpm++ 2m", Sampler::Dpmpp2m}, {"dpmpp 2m", Sampler::Dpmpp2m}, {"k dpmpp 2m", Sampler::Dpmpp2m},
        {"dpmpp-2m", Sampler::Dpmpp2m}};
    for (char& c : name) c = c == '_' ? ' ' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const auto found = known.find(name);
    if (found != known.end()) sampler = found->second;
    return found != known.end();
}

/// The part of "DPM++ 2M Karras" that names the noise levels, which older programs write there; usually empty.
std::string_view scheduleIn(std::string_view sampler) {
    for (const std::string_view schedule : {"karras", "exponential", "sgm uniform", "simple", "normal", "beta"}) {
        const auto at = sampler.size() - std::min(sampler.size(), schedule.size());
        const auto same = [](unsigned char c, char s) { return c == '_' ? s == ' ' : std::tolower(c) == s; };
        if (at > 1 && (sampler[at - 1] == ' ' || sampler[at - 1] == '_') &&
            std::equal(sampler.begin() + at, sampler.end(), schedule.begin(), schedule.end(), same))
            return sampler.substr(at);
    }
    return {};
}

/// Its first characters, which may have several bytes each.
std::string shortened(const std::string& text) {
    std::size_t characters = 0, cut = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if ((static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) continue;
        if (++characters == kMostCharacters) cut = i;
        if (characters > kMostCharacters) return text.substr(0, cut) + "\u2026";
    }
    return text;
}

/// What is left of it, each once.
std::vector<std::string> linesOf(const ParametersText& rest) {
    std::vector<std::string> out;
    std::unordered_set<std::string> seen;
    const auto keep = [&](std::string line) {
        if (seen.insert(line).second) out.push_back(std::move(line));
    };
    for (const auto& [key, value] : rest.entries)
        keep(value.empty() ? shortened(key) : shortened(key) + ": " + shortened(value));
    for (const std::string& line : rest.trailer) keep(shortened(line));
    return out;
}

Result<PictureSettings> fromParameters(PictureSettings out, const std::string& text) {
    auto said = takeApart(text);
    if (!said)
        return failure({ErrorKind::Refused, "settings", place({out.path, "parameters"}), "no line of settings", "",
                        "a line such as \"Steps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 512x512\"", ""});
    GenerateRequest& s = out.settings;
    if (said->negative) s.text.negative = *said->negative, out.taken.emplace_back("negative prompt");
    s.text.prompt = said->prompt;
    // A negative prompt alone says that there is no other.
    if (said->negative || !said->prompt.empty()) out.taken.emplace_back("prompt");

    using Names = std::vector<std::string_view>;
    const Names cfg = {"CFG scale", "CFG Scale"}, distilled = {"Distilled CFG Scale", "Distilled CFG scale"};
    std::vector<ParametersText::Entry>& entries = said->entries;
    const auto isOneOf = [](const Names& keys, const std::string& key) {
        return std::find(keys.begin(), keys.end(), key) != keys.end();
    };
    const auto take = [&](const char* name, const Names& keys, const auto& read) {
        const auto found = std::find_if(entries.begin(), entries.end(), [&](const ParametersText::Entry& entry) {
            return isOneOf(keys, entry.key) && read(entry.value);
        });
        if (found == entries.end()) return false;
        entries.erase(found);
        out.taken.emplace_back(name);
        return true;
    };
    const auto number = [](auto& value, auto least, auto most) {
        return [&value, least, most](const std::string& word) { return parse(word, value, least, most); };
    };
    take("steps", {"Steps"}, number(s.steps, 1, kMostSteps));
    const bool isFlux =
        std::any_of(entries.begin(), entries.end(), [&](const auto& entry) { return isOneOf(distilled, entry.key); });
    take("guidance", isFlux ? distilled : cfg, number(s.guidance, 0, kMostGuidance));
    if (isFlux) take("true guidance", cfg, number(s.text.trueGuidance, 0, kMostGuidance));  // CFG is another one there
    take("seed", {"Seed"}, number(s.seed, 0, std::numeric_limits<std::uint64_t>::max()));
    take("size", {"Size"}, [&](const std::string& word) { return parseSize(word, s.size); });
    take("class", {"Class"}, number(s.labels.front(), 0, std::numeric_limits<int>::max()));
    std::string schedule;
    const bool sampled = take("sampler", {"Sampler"}, [&](const std::string& name) {
        schedule = scheduleIn(name);
        return parseSampler(name.substr(0, name.size() - schedule.size() - !schedule.empty()), s.sampler);
    });
    if (sampled && !schedule.empty()) entries.push_back({"Schedule type", schedule});
    out.kept = linesOf(*said);
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
