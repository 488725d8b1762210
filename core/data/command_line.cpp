// SPDX-License-Identifier: Apache-2.0
#include "core/data/command_line.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>

#include "core/data/enum_names.h"

namespace ropescope {

std::string shellWord(const std::string& word) {
    const auto plain = [](unsigned char c) { return std::isalnum(c) || std::strchr("_-./=:,+@%", c) != nullptr; };
    if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

std::string numberWord(double value) {
    char text[32];
    return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

std::string sizeWord(Grid size) {
    return std::to_string(size.rows) + "x" + std::to_string(size.cols);
}

std::string modelOptions(const ModelRef& ref) {
    std::string text;
    if (ref.weights != "ema") text += " --weights " + shellWord(ref.weights);
    if (ref.convention != Convention::Unknown) text += " --convention " + std::string(enumName(ref.convention));
    if (ref.mapTokens == MapTokens::All) text += " --map-tokens all";
    if (ref.mapTokens == MapTokens::PatchesOnly) text += " --map-tokens patches";
    if (ref.heads > 0) text += " --heads " + std::to_string(ref.heads);
    if (ref.grid != Grid{}) text += " --grid " + sizeWord(ref.grid);
    if (ref.theta > 0) text += " --theta " + numberWord(ref.theta);
    if (!ref.config.empty()) text += " --config " + shellWord(ref.config);
    if (!ref.adapter.empty()) text += " --adapter " + shellWord(ref.adapter);
    if (!ref.time.empty()) text += " --time " + shellWord(ref.time);
    for (const std::string& pattern : ref.ignore) text += " --ignore " + shellWord(pattern);
    for (const LoraRef& lora : ref.loras) text += " --lora " + shellWord(lora.path + ":" + numberWord(lora.strength));
    if (ref.changesHeads()) text += std::string(" --variation ") + kVariationWord;
    return text;
}

}  // namespace ropescope
