// SPDX-License-Identifier: Apache-2.0
#include "core/data/network_variant.h"

#include <array>
#include <utility>

namespace ropescope {
namespace {

constexpr std::array<std::pair<std::string_view, NoisePath>, 5> kPaths = {{{"linear", NoisePath::Linear},
                                                                           {"cosine", NoisePath::Cosine},
                                                                           {"vp", NoisePath::Preserving},
                                                                           {"gvp", NoisePath::Cosine},
                                                                           {"preserving", NoisePath::Preserving}}};
constexpr std::array<std::pair<std::string_view, Prediction>, 3> kPredictions = {
    {{"velocity", Prediction::Velocity}, {"score", Prediction::Score}, {"noise", Prediction::Noise}}};

template <class Table, class Value>
std::string_view nameOf(const Table& table, Value value) {
    for (const auto& [name, own] : table)
        if (own == value) return name;
    return {};
}

/// Takes "word" off the front of "word:rest".
std::string_view takeWord(std::string_view& text) {
    const std::size_t colon = text.find(':');
    const std::string_view word = text.substr(0, colon);
    text = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
    return word;
}

}  // namespace

std::optional<TimeChoice> timeChoice(std::string_view text) {
    const std::string_view kind = takeWord(text);
    TimeChoice choice{"flow", {}};
    if (kind == "ddpm" || kind == "flow") {
        choice.objective = kind;
        return text.empty() ? std::optional(choice) : std::nullopt;
    }
    if (kind != "sit" && kind != "repa") return std::nullopt;
    choice.flow.noiseAtZero = kind == "sit";
    choice.flow.scale = 1;
    while (!text.empty()) {
        const std::string_view word = takeWord(text);
        bool known = false;
        for (const auto& [name, path] : kPaths)
            if (name == word) choice.flow.path = path, known = true;
        for (const auto& [name, prediction] : kPredictions)
            if (name == word) choice.flow.prediction = prediction, known = true;
        if (!known) return std::nullopt;
    }
    return choice;
}

std::string timeText(const std::string& objective, const FlowKind& flow) {
    if (objective != "flow" || flow.scale != 1) return objective;
    std::string text = flow.noiseAtZero ? "sit" : "repa";
    if (flow.path != NoisePath::Linear) text += ":" + std::string(nameOf(kPaths, flow.path));
    if (flow.prediction != Prediction::Velocity) text += ":" + std::string(nameOf(kPredictions, flow.prediction));
    return text;
}

std::string describeTime(const FlowKind& flow) {
    return std::string(flow.noiseAtZero ? "noise at 0, data at 1" : "data at 0, noise at 1") +
           (flow.scale == 1 ? ", unscaled" : ", times 1000") + ", " + std::string(nameOf(kPaths, flow.path)) +
           " path, " + std::string(nameOf(kPredictions, flow.prediction));
}

}  // namespace ropescope
