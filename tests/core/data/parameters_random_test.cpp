// SPDX-License-Identifier: Apache-2.0
// Texts nobody wrote: what holds for all of them.
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <random>

#include "core/data/parameters_reader.h"
#include "tests/core/data/parameters_texts.h"

namespace ropescope {
namespace {

TEST(ParametersAtRandom, TakesTimeInProportionToTheText) {
    const auto repeated = [](std::string part) {
        std::string all;
        while (all.size() < 1000000) all += part;
        return all;
    };
    for (const char* part :
         {"word, ", "a: [x, ", "a: [1, ", "a: {\"b\": ", "a: \"\\\", ", "a: [[[[", "\n", "\r", ":", "\"", ",",
          "Steps: 20, Seed: 1\n", "Negative prompt: x\n", "Steps: 20, Model: [", "Seed: 1, Size: 8x8, ",
          "Steps: 20, Sampler: Euler, Lora hashes: \"a: b, c: d\"\n", "Key: \\"}) {
        const std::string text = repeated(part);
        const auto start = std::chrono::steady_clock::now();
        for (const std::string& whole : {text, text + "\n" + kLine + "\n" + text, kLine + ", " + text})
            (void)settingsOfTexts("p.png", {{"parameters", whole}});
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        EXPECT_LT(taken.count(), 5) << part;  // some 0.1 s; a quadratic reader takes minutes
    }
}

/// Texts of random lines and settings in random orders, put together as those programs do.
class Writer {
public:
    explicit Writer(unsigned seed) : m_random(seed) {}

    int below(int n) { return static_cast<int>(m_random() % static_cast<unsigned>(n)); }
    bool maybe() { return below(2) == 0; }
    const char* oneOf(const std::vector<const char*>& all) { return all[below(static_cast<int>(all.size()))]; }

    /// Lines of a prompt, without blanks around them; any of them may look like something else.
    std::string words() {
        std::string out;
        for (int i = below(5); i > 0; --i) {
            out += out.empty() ? "" : "\n";
            out +=
                oneOf({"a cat", "Steps: 5", "style: baroque, Steps: nine", "(dog:1.2), [a:b:0.5]", "\u732b, \"x, y", "",
                       "Steps: 20, Sampler: Heun, CFG scale: 3, Seed: 77, Size: 64x64, Model: \"q\"", "Template: t",
                       "{\"Seed\": 5}", "see Negative prompt: z", "Size: 3x4, Seed: 9", "end,", "Seed: -1, Steps: 0"});
        }
        const auto first = out.find_first_not_of('\n');
        return first == std::string::npos ? "" : out.substr(first, out.find_last_not_of('\n') - first + 1);
    }
    std::string value() {
        std::string out;
        for (int i = below(8); i >= 0; --i)
            out += oneOf(
                {"a", "b7", ",", ", Seed: 5", ": ", "\"", "\\", "\n", "[", "]", "{", "}", "\u2605", "x y", "Steps: 3"});
        const auto first = out.find_first_not_of(" \n");
        return first == std::string::npos ? "v" : out.substr(first, out.find_last_not_of(" \n") - first + 1);
    }
    std::string quoted(const std::string& text) {
        return text.find_first_of(",:\n\"") == std::string::npos ? text : nlohmann::json(text).dump();
    }
    template <class T>
    void shuffle(std::vector<T>& all) {
        std::shuffle(all.begin(), all.end(), m_random);
    }

private:
    std::mt19937 m_random;
};

// The property: whatever stands where, every field comes back as it was and nothing of one ends in another.
TEST(ParametersAtRandom, NothingOfOneFieldEndsInAnother) {
    for (unsigned seed = 0; seed < 5000; ++seed) {
        Writer w(seed);
        GenerateRequest wanted;
        Texts taken;
        std::string text = w.words();
        wanted.text.prompt = text;
        const bool negative = w.maybe();
        if (negative) {
            wanted.text.negative = w.words();
            text += (text.empty() ? "" : "\n") + ("Negative prompt: " + wanted.text.negative);
            taken.emplace_back("negative prompt");
        }
        if (negative || !wanted.text.prompt.empty()) taken.emplace_back("prompt");
        wanted.steps = 1 + w.below(1000), wanted.seed = static_cast<unsigned>(w.below(1 << 30));
        wanted.size = {8 + w.below(2000), 8 + w.below(2000)}, wanted.sampler = Sampler::Heun,
        wanted.guidance = 0.5 * w.below(60);
        std::vector<std::pair<std::string, std::string>> entries = {
            {"Steps", std::to_string(wanted.steps)},
            {"Seed", std::to_string(wanted.seed)},
            {"Size", std::to_string(wanted.size.cols) + "x" + std::to_string(wanted.size.rows)},
            {"Sampler", "Heun"},
            {"CFG scale", std::to_string(wanted.guidance)}};
        w.shuffle(entries);
        entries.resize(3 + w.below(3));
        const auto says = [&](const char* key) {
            return std::any_of(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == key; });
        };
        const std::pair<const char*, const char*> names[] = {
            {"Steps", "steps"}, {"CFG scale", "guidance"}, {"Seed", "seed"}, {"Size", "size"}, {"Sampler", "sampler"}};
        for (const auto& [key, name] : names)
            if (says(key)) taken.emplace_back(name);
        for (const char* key :
             {"Model", "Model hash", "Lora hashes", "Hires upscale", "Version", "VAE", "ControlNet 0"})
            if (w.maybe()) entries.emplace_back(key, w.value());
        w.shuffle(entries);
        std::string line;
        Texts kept;
        for (const auto& [key, value] : entries) {
            line += (line.empty() ? "" : ", ") + key + ": " + w.quoted(value);
            if (std::none_of(std::begin(names), std::end(names), [&](const auto& name) { return name.first == key; }))
                kept.push_back(key + ": " + value);
        }
        text += (text.empty() ? "" : "\n") + line;
        for (int i = w.below(4); i > 0; --i) {
            const std::string more =
                w.oneOf({"Template: a, Steps: 3, Seed: 4, Size: 5x5", "Negative Template: b", "Used embeddings: c [1f]",
                         "Seed: 5", "{\"Seed\": 5, \"Size\": \"6x6\"}", "words"});
            text += "\n" + more;
            if (std::find(kept.begin(), kept.end(), more) == kept.end()) kept.push_back(more);
        }
        if (w.maybe()) {
            std::string windows;
            for (const char c : text) windows += c == '\n' ? "\r\n" : std::string(1, c);
            text = windows;
        }
        const PictureSettings found = read(text);
        const GenerateRequest usual;
        ASSERT_EQ(found.settings.text.prompt, wanted.text.prompt) << seed << "\n" << text;
        ASSERT_EQ(found.settings.text.negative, wanted.text.negative) << seed << "\n" << text;
        ASSERT_EQ(found.taken, taken) << seed << "\n" << text;
        ASSERT_EQ(found.kept, kept) << seed << "\n" << text;
        ASSERT_EQ(found.settings.steps, says("Steps") ? wanted.steps : usual.steps) << text;
        ASSERT_EQ(found.settings.seed, says("Seed") ? wanted.seed : usual.seed) << text;
        ASSERT_EQ(found.settings.size, says("Size") ? wanted.size : usual.size) << text;
        ASSERT_EQ(found.settings.sampler, says("Sampler") ? wanted.sampler : usual.sampler) << text;
        ASSERT_EQ(found.settings.guidance, says("CFG scale") ? wanted.guidance : usual.guidance) << text;
    }
}

TEST(ParametersAtRandom, RandomBytesAreReadOrRefused) {
    Writer w(1);
    for (int i = 0; i < 3000; ++i) {
        std::string text;
        for (int n = w.below(40); n > 0; --n)
            text += w.oneOf({"Steps",     "Seed",
                             ":",         ": ",
                             ",",         ", ",
                             "1",         "x",
                             "\"",        "\\",
                             "\n",        "\r",
                             "[",         "]",
                             "{",         "}",
                             "\xff",      "Negative prompt",
                             "Size: 8x8", "Sampler: Euler",
                             " "});
        const auto found = takeApart(text);
        EXPECT_EQ(found.has_value(), settingsOfTexts("p.png", {{"parameters", text}}).has_value());
    }
}

}  // namespace
}  // namespace ropescope
