// SPDX-License-Identifier: Apache-2.0
#include "core/data/parameters_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <nlohmann/json.hpp>
#include <string_view>

namespace ropescope {
namespace {

constexpr auto npos = std::string_view::npos;
constexpr std::string_view kBlanks = " \t\n";

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(kBlanks);
    return first == npos ? text.substr(0, 0) : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

/// With '\n' alone between lines.
std::string withPlainBreaks(const std::string& text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\r') out += text[i];
        if (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) out += '\n';
    }
    return out;
}

/// Behind the quote or bracket that closes the one at the front; npos where none does.
std::size_t closing(std::string_view text) {
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '"') quoted = !quoted;
        if (quoted && c == '\\') ++i;
        if (!quoted) depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (!quoted && depth == 0) return i + 1;
    }
    return npos;
}

/// Views into a line of "Key: value, Key: \"a, b\", Key: {\"a\": [1, 2]}, Word".
class Items {
public:
    struct Item {
        std::string_view key, value;
        bool quoted = false;  ///< the value is one JSON text
    };
    explicit Items(std::string_view line) : m_rest(line) {}

    std::optional<Item> next() {
        const auto first = m_rest.find_first_not_of(", \t");
        if (first == npos) return std::nullopt;
        m_rest.remove_prefix(first);
        const auto end = m_rest.find_first_of(":,");
        Item item{trimmed(m_rest.substr(0, end)), {}};
        const bool pair = end != npos && m_rest[end] == ':';
        m_rest.remove_prefix(std::min(m_rest.size(), end));
        if (pair) takeValue(item);
        return item;
    }

private:
    void takeValue(Item& item) {
        m_rest.remove_prefix(std::min(m_rest.find_first_not_of(" \t", 1), m_rest.size()));
        const auto close = inner();
        const auto end = std::min(m_rest.find(',', close), m_rest.size());
        item.value = trimmed(m_rest.substr(0, end));
        item.quoted = close > 0 && item.value.front() == '"' && item.value.size() == close;
        m_rest.remove_prefix(end);
    }
    /// Length of the JSON text, list or object that the value begins with, whose commas are its own.
    std::size_t inner() {
        const bool text = m_rest.starts_with('"');
        const bool list = m_rest.starts_with('[') || m_rest.starts_with('{');
        if (!text && (!list || m_noLists)) return 0;
        const auto close = closing(m_rest);
        if (text) return close == npos ? 0 : close;
        // What looks like a list once and is none need not be looked through again and again.
        m_noLists = close == npos || !nlohmann::json::accept(m_rest.substr(0, close));
        return m_noLists ? 0 : close;
    }

    std::string_view m_rest;
    bool m_noLists = false;
};

bool isNegative(std::string_view line) {
    constexpr std::string_view kHeading = "negative prompt:";
    return lower(line.substr(0, kHeading.size())) == kHeading;
}

std::string_view behindHeading(std::string_view text) {
    return trimmed(text.substr(text.find(':') + 1));
}

/// A line of settings begins with a pair, which is neither "(cat:1.2)" nor "Template: words, words".
bool beginsAsSettings(std::string_view line) {
    const auto first = Items(line).next();
    if (!first || first->key.size() > 60 || !line.substr(first->key.size()).starts_with(": ")) return false;
    const auto usual = [](unsigned char c) {
        return std::isalnum(c) || c >= 0x80 || std::string_view(" _-/.+#").find(static_cast<char>(c)) != npos;
    };
    const std::string key = lower(first->key);
    const bool words = key.ends_with("prompt") || key.ends_with("template");
    return std::all_of(key.begin(), key.end(), usual) && !(words && !first->quoted);
}

/// How many of the settings that every program writes it names.
int settingsIn(std::string_view line) {
    static constexpr std::string_view kWords[] = {"Sampler", "Model", "Model hash"};
    static constexpr std::string_view kNumbers[] = {
        "Steps", "Seed", "Size", "Class", "CFG scale", "CFG Scale", "Distilled CFG Scale", "Distilled CFG scale"};
    if (!beginsAsSettings(line)) return 0;
    unsigned seen = 0;
    Items items(line);
    while (const auto item = items.next()) {
        if (item->value.empty()) continue;
        const auto word = std::find(std::begin(kWords), std::end(kWords), item->key);
        const auto number = std::find(std::begin(kNumbers), std::end(kNumbers), item->key);
        // "Steps: nine" is of a prompt; "-1" and "0" are numbers that cannot be used.
        const auto digit = item->value.find_first_not_of("\"-.");
        if (word != std::end(kWords)) seen |= 1u << (word - std::begin(kWords));
        if (number != std::end(kNumbers) && digit != npos &&
            std::isdigit(static_cast<unsigned char>(item->value[digit])))
            seen |= 8u << (number - std::begin(kNumbers));
    }
    return std::popcount(seen);
}

/// Its index; that of the end where there is none.
std::size_t settingsLine(const std::vector<std::string_view>& lines) {
    std::size_t weak = lines.size();
    for (std::size_t i = lines.size(); i-- > 0;) {
        const int found = settingsIn(lines[i]);
        if (found >= 3) return i;
        if (found == 2 && weak == lines.size()) weak = i;
    }
    return weak;
}

std::vector<ParametersText::Entry> entriesOf(std::string_view line) {
    std::vector<ParametersText::Entry> out;
    Items items(line);
    while (const auto item = items.next()) {
        const auto text = item->quoted ? nlohmann::json::parse(item->value, nullptr, false) : nlohmann::json();
        out.push_back({std::string(item->key), text.is_string() ? text.get<std::string>() : std::string(item->value)});
    }
    return out;
}

}  // namespace

std::optional<ParametersText> takeApart(const std::string& parameters) {
    const std::string text = withPlainBreaks(parameters);
    std::vector<std::string_view> lines;
    for (std::size_t at = 0, end = 0; at <= text.size(); at = end + 1) {
        end = std::min(text.find('\n', at), text.size());
        lines.push_back(trimmed(std::string_view(text).substr(at, end - at)));
    }
    const auto settings = lines.begin() + static_cast<std::ptrdiff_t>(settingsLine(lines));
    if (settings == lines.end()) return std::nullopt;
    ParametersText out;
    out.entries = entriesOf(*settings);
    const std::string_view words(text.data(), static_cast<std::size_t>(settings->data() - text.data()));
    const auto negative = std::find_if(lines.begin(), settings, isNegative);
    const auto split = static_cast<std::size_t>(negative->data() - text.data());
    out.prompt = trimmed(words.substr(0, split));
    if (negative != settings) out.negative = behindHeading(words.substr(split));
    for (auto line = settings + 1; line != lines.end(); ++line) {
        if (!out.negative && isNegative(*line)) {
            out.negative = behindHeading(*line);
        } else if (!line->empty()) {
            out.trailer.emplace_back(*line);
        }
    }
    return out;
}

}  // namespace ropescope
