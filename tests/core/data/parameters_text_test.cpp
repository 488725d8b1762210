// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <random>

#include "core/data/parameters_reader.h"
#include "core/data/picture_settings.h"

namespace ropescope {
namespace {

using Texts = std::vector<std::string>;

PictureSettings read(const std::string& text) {
    auto found = settingsOfTexts("p.png", {{"parameters", text}});
    EXPECT_TRUE(found) << text << "\n" << (found ? "" : found.error().message());
    return found ? *found : PictureSettings{};
}

bool refuses(const std::string& text) {
    const auto found = settingsOfTexts("p.png", {{"parameters", text}});
    return !found && found.error().code == "settings";
}

/// What lies before and behind it is read too.
const std::string kLine = "Steps: 20, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 512x768";
const Texts kLineTaken = {"steps", "guidance", "seed", "size", "sampler"};

// The text of shared/fixtures/reports/webui_no_prompt.png.
TEST(ParametersText, NoPromptAndTheNegativeOneFirst) {
    const auto found = read(
        "Negative prompt: blurred, dark\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 1102676403634909, Size: "
        "512x768, Model: sd3");
    EXPECT_EQ(found.settings.text.prompt, "");
    EXPECT_EQ(found.settings.text.negative, "blurred, dark");
    EXPECT_EQ(found.settings.steps, 20);
    EXPECT_EQ(found.settings.sampler, Sampler::Euler);
    EXPECT_EQ(found.settings.guidance, 7);
    EXPECT_EQ(found.settings.seed, 1102676403634909u);
    EXPECT_EQ(found.settings.size, (Grid{768, 512}));
    EXPECT_EQ(found.taken,
              (Texts{"negative prompt", "prompt", "steps", "guidance", "seed", "size", "sampler"}));  // prompt: none
    EXPECT_EQ(found.kept, Texts{"Model: sd3"});
}

TEST(ParametersText, SettingsAlone) {
    const auto found = read(kLine);
    EXPECT_EQ(found.taken, kLineTaken);
    EXPECT_EQ(found.kept, Texts{});
    EXPECT_EQ(read("\n\n" + kLine + "\n\n").taken, kLineTaken);
}

TEST(ParametersText, AnEmptyNegativePromptIsSaid) {
    for (const char* heading : {"Negative prompt: ", "Negative prompt:", "  Negative prompt:   ", "Negative Prompt:"}) {
        const auto found = read(std::string("a cat\n") + heading + "\n" + kLine);
        EXPECT_EQ(found.settings.text.prompt, "a cat") << heading;
        EXPECT_EQ(found.settings.text.negative, "") << heading;
        EXPECT_EQ(found.taken.front(), "negative prompt") << heading;
    }
}

TEST(ParametersText, PromptsOfSeveralLines) {
    const auto found = read("\na cat\n\n  two dogs \nNegative prompt: blue\n\nred,\n" + kLine);
    EXPECT_EQ(found.settings.text.prompt, "a cat\n\n  two dogs");
    EXPECT_EQ(found.settings.text.negative, "blue\n\nred,");
}

TEST(ParametersText, NegativePromptInsideALineIsOfThePrompt) {
    const auto found = read("the words Negative prompt: blue\nNegative prompt: red Negative prompt: green\n" + kLine);
    EXPECT_EQ(found.settings.text.prompt, "the words Negative prompt: blue");
    EXPECT_EQ(found.settings.text.negative, "red Negative prompt: green");
}

// As web UIs read it: what is to be kept out never becomes part of the prompt.
TEST(ParametersText, TheFirstHeadingBeginsTheNegativePrompt) {
    const auto found = read("a cat\nNegative prompt: blue\nNegative prompt: red\n" + kLine);
    EXPECT_EQ(found.settings.text.prompt, "a cat");
    EXPECT_EQ(found.settings.text.negative, "blue\nNegative prompt: red");
}

TEST(ParametersText, NegativePromptBehindTheSettings) {
    const auto found = read("a cat\n" + kLine + "\nNegative prompt: blue\nUsed embeddings: x");
    EXPECT_EQ(found.settings.text.prompt, "a cat");
    EXPECT_EQ(found.settings.text.negative, "blue");
    EXPECT_EQ(found.kept, Texts{"Used embeddings: x"});
    // There is one already.
    EXPECT_EQ(read("Negative prompt: a\n" + kLine + "\nNegative prompt: b").kept, Texts{"Negative prompt: b"});
}

TEST(ParametersText, WindowsAndOldLineEnds) {
    for (const char* end : {"\r\n", "\r", "\n"}) {
        const auto found = read("a cat" + std::string(end) + "a dog" + end + "Negative prompt: blue" + end + kLine +
                                end + "Template: t" + end);
        EXPECT_EQ(found.settings.text.prompt, "a cat\na dog");
        EXPECT_EQ(found.settings.text.negative, "blue");
        EXPECT_EQ(found.settings.size, (Grid{768, 512}));
        EXPECT_EQ(found.kept, Texts{"Template: t"});
    }
}

TEST(ParametersText, LinesBehindTheSettingsAreKept) {
    const auto found = read("a cat\n" + kLine +
                            ", Version: v1.9\nTemplate: a {cat|dog}, Steps: 5, Sampler: Heun, Seed: 9\n\n"
                            "Negative Template: x: y\n{\"Steps\": 3, \"Seed\": 4, \"Size\": \"1x1\", \"Model\": 1}\n"
                            "Template: a {cat|dog}, Steps: 5, Sampler: Heun, Seed: 9\nSteps: 7\nVersion: v1.9");
    EXPECT_EQ(found.settings.text.prompt, "a cat");
    EXPECT_EQ(found.settings.steps, 20);
    EXPECT_EQ(found.settings.seed, 1u);
    EXPECT_EQ(found.kept, (Texts{"Version: v1.9", "Template: a {cat|dog}, Steps: 5, Sampler: Heun, Seed: 9",
                                 "Negative Template: x: y",
                                 "{\"Steps\": 3, \"Seed\": 4, \"Size\": \"1x1\", \"Model\": 1}", "Steps: 7"}));
}

// Two names are few: a line behind that says as much does not push the fuller one into the prompt.
TEST(ParametersText, AWeakLineBehindAFullerOneIsATrailer) {
    const auto found = read("a cat\n" + kLine + "\nModel: x, Model hash: y");
    EXPECT_EQ(found.settings.text.prompt, "a cat");
    EXPECT_EQ(found.taken.back(), "sampler");
    EXPECT_EQ(found.kept, Texts{"Model: x, Model hash: y"});
}

TEST(ParametersText, AnyOrder) {
    const auto found =
        read("a cat\nSize: 512x768, Version: f2.0, Seed: 1, Sampler: Euler, Model: m, CFG scale: 7, Steps: 20");
    EXPECT_EQ(found.settings.text.prompt, "a cat");
    EXPECT_EQ(found.settings.steps, 20);
    EXPECT_EQ(found.taken, (Texts{"prompt", "steps", "guidance", "seed", "size", "sampler"}));
    EXPECT_EQ(found.kept, (Texts{"Version: f2.0", "Model: m"}));
    const auto hashes = read("a cat\nLora hashes: \"a: b, Seed: 7\", Version: v1, Seed: 1, Size: 8x8, Steps: 2");
    EXPECT_EQ(hashes.settings.text.prompt, "a cat");
    EXPECT_EQ(hashes.settings.seed, 1u);
}

TEST(ParametersText, NoSteps) {
    const auto found = read("a cat\nSeed: 5, Size: 64x32");
    EXPECT_EQ(found.taken, (Texts{"prompt", "seed", "size"}));
    EXPECT_EQ(found.settings.steps, GenerateRequest{}.steps);
    EXPECT_EQ(found.settings.size, (Grid{32, 64}));
}

TEST(ParametersText, WordsThatLookLikeSettingsAreOfThePrompt) {
    for (const char* words :
         {"a cat, style: baroque, Steps: nine", "Steps: 5", "Steps: nine, Seed: of doubt, Size: large",
          "(cat:1.2), Steps: 5, Seed: 3, Size: 3x3", "Seed: 3", "Model: a woman, Size: large",
          "a cat, Steps: 20, Sampler: Heun, Seed: 3, Size: 3x3",
          "Prompt: cats, Steps: 20, Sampler: Heun, Seed: 3, Size: 3x3"}) {
        EXPECT_TRUE(refuses(words)) << words;  // alone it is no line of settings
        const auto found = read(std::string(words) + "\nNegative prompt: " + words + "\n" + kLine + "\n" + words);
        EXPECT_EQ(found.settings.text.prompt, words);
        EXPECT_EQ(found.settings.text.negative, words);
        EXPECT_EQ(found.settings.seed, 1u) << words;
        EXPECT_EQ(found.kept, Texts{words});
    }
}

TEST(ParametersText, APromptMayQuoteALineOfSettings) {
    const std::string quoted = "a screen that says\nSteps: 5, Sampler: Heun, CFG scale: 3, Seed: 9, Size: 64x64";
    const auto found = read(quoted + "\nNegative prompt: not\n" + quoted + "\n" + kLine);
    EXPECT_EQ(found.settings.text.prompt, quoted);
    EXPECT_EQ(found.settings.text.negative, "not\n" + quoted);
    EXPECT_EQ(found.settings.steps, 20);
    EXPECT_EQ(read(quoted + "\n" + kLine).settings.text.prompt, quoted);
}

TEST(ParametersText, HashesAreOneValue) {
    const auto found =
        read(kLine +
             ", Model hash: abc, VAE hash: 1f, VAE: v.safetensors, Denoising strength: 0.4, Clip skip: 2, "
             "ENSD: 31337, Hires upscale: 2, Lora hashes: \"style: 12ab, Seed: 99\", TI hashes: \"easy: 1, "
             "Steps: 3\", Face restoration: CodeFormer, Version: v1.9");
    EXPECT_EQ(found.taken, kLineTaken);
    EXPECT_EQ(found.settings.seed, 1u);
    EXPECT_EQ(found.kept,
              (Texts{"Model hash: abc", "VAE hash: 1f", "VAE: v.safetensors", "Denoising strength: 0.4", "Clip skip: 2",
                     "ENSD: 31337", "Hires upscale: 2", "Lora hashes: style: 12ab, Seed: 99",
                     "TI hashes: easy: 1, Steps: 3", "Face restoration: CodeFormer", "Version: v1.9"}));
}

TEST(ParametersText, ListsAndObjectsAreOneValue) {
    const auto found = read(
        "a cat\nSteps: 20, Sampler: Euler, Civitai resources: [{\"type\":\"lora\",\"weight\":0.7,\"name\":\"a ], b\"},"
        "{\"Seed\": 5}], Hashes: {\"model\": \"ab\", \"Size\": 3}, Seed: 1");
    EXPECT_EQ(found.settings.seed, 1u);
    EXPECT_EQ(found.kept,
              (Texts{"Civitai resources: [{\"type\":\"lora\",\"weight\":0.7,\"name\":\"a ], b\"},{\"Seed\": 5}]",
                     "Hashes: {\"model\": \"ab\", \"Size\": 3}"}));
}

TEST(ParametersText, BracketsAndQuotesThatDoNotCloseEndAtTheComma) {
    const auto found =
        read("Model: [x, Steps: 20, VAE: {, Seed: 1, Name: \"a, b\" c, Text: y]}, Size: 8x16, Last: \"z");
    EXPECT_EQ(found.taken, (Texts{"steps", "seed", "size"}));
    EXPECT_EQ(found.kept, (Texts{"Model: [x", "VAE: {", "Name: \"a, b\" c", "Text: y]}", "Last: \"z"}));
    const auto open = read("Steps: 20, Sampler: Euler, Model: \"x, Seed: 1");
    EXPECT_EQ(open.settings.seed, 1u);
    EXPECT_EQ(open.kept, Texts{"Model: \"x"});
}

TEST(ParametersText, QuotedValuesAreJsonTexts) {
    const auto found = read(
        R"(Steps: "20", Sampler: "DPM++ 2M", Seed: 1, Model: "a, \"b\": c\\", Note: "one\ntwo", Odd: "\q", "k": 1)");
    EXPECT_EQ(found.settings.steps, 20);
    EXPECT_EQ(found.settings.sampler, Sampler::Dpmpp2m);
    EXPECT_EQ(found.kept, (Texts{"Model: a, \"b\": c\\", "Note: one\ntwo", "Odd: \"\\q\"", "\"k\": 1"}));
}

TEST(ParametersText, ColonsWordsAloneAndEmptyValues) {
    const auto found = read("Steps: 20, Seed:1, Path: C:\\a: b , Restore faces, Model hash: , , Size: 8x8,");
    EXPECT_EQ(found.taken, (Texts{"steps", "seed", "size"}));
    EXPECT_EQ(found.kept, (Texts{"Path: C:\\a: b", "Restore faces", "Model hash"}));
}

TEST(ParametersText, ValuesThatCannotBeUsedAreKept) {
    const GenerateRequest usual;
    for (const char* entry : {"Steps: 0",
                              "Steps: -3",
                              "Steps: 20.5",
                              "Steps: 1001",
                              "Steps: many",
                              "Seed: -1",
                              "Seed: 18446744073709551616",
                              "Size: 0x0",
                              "Size: -512x768",
                              "Size: 512x-768",
                              "Size: 512x",
                              "Size: 512",
                              "Size: 512x768x3",
                              "Size: 512x99999",
                              "Size: 512xwide",
                              "CFG scale: -1",
                              "CFG scale: nan",
                              "CFG scale: inf",
                              "CFG scale: 1e9",
                              "CFG scale: 7.5 (auto)",
                              "Class: -1",
                              "Class: cat",
                              "Sampler: Euler a",
                              "Sampler: DPM++ SDE",
                              "Distilled CFG Scale: x"}) {
        const auto found = read(std::string("Model: m, Model hash: h, ") + entry);
        EXPECT_EQ(found.taken, Texts{}) << entry;
        EXPECT_EQ(found.kept, (Texts{"Model: m", "Model hash: h", entry}));
        EXPECT_EQ(found.settings.steps, usual.steps) << entry;
        EXPECT_EQ(found.settings.seed, usual.seed) << entry;
        EXPECT_EQ(found.settings.size, usual.size) << entry;
        EXPECT_EQ(found.settings.guidance, usual.guidance) << entry;
        EXPECT_EQ(found.settings.labels, usual.labels) << entry;
        EXPECT_EQ(found.settings.sampler, usual.sampler) << entry;
    }
}

TEST(ParametersText, ANameTwiceGivesTheFirstThatCanBeUsed) {
    const auto found = read("Steps: 0, Steps: 20, Seed: 1, Seed: 2, Size: 8x8, Seed: 2, Steps: 30");
    EXPECT_EQ(found.settings.steps, 20);
    EXPECT_EQ(found.settings.seed, 1u);
    EXPECT_EQ(found.kept, (Texts{"Steps: 0", "Seed: 2", "Steps: 30"}));
}

TEST(ParametersText, SamplersByTheirNamesElsewhere) {
    const std::pair<const char*, Sampler> known[] = {
        {"DDIM", Sampler::Ddim},        {"ddim", Sampler::Ddim},        {"ddpm", Sampler::Ddpm},
        {"Euler", Sampler::Euler},      {"k_euler", Sampler::Euler},    {"Heun", Sampler::Heun},
        {"DPM++ 2M", Sampler::Dpmpp2m}, {"dpmpp_2m", Sampler::Dpmpp2m}, {"dpmpp-2m", Sampler::Dpmpp2m}};
    for (const auto& [name, sampler] : known) {
        const auto found = read(std::string("Steps: 20, Sampler: ") + name);
        EXPECT_EQ(found.settings.sampler, sampler) << name;
        EXPECT_EQ(found.kept, Texts{}) << name;
    }
    for (const char* name :
         {"Euler a", "Euler a Karras", "DPM++ 2M SDE Karras", "Heun2", "UniPC", "Karras", "_karras"}) {
        const auto found = read(std::string("Steps: 20, Sampler: ") + name);
        EXPECT_EQ(found.taken, Texts{"steps"}) << name;
        EXPECT_EQ(found.kept, Texts{std::string("Sampler: ") + name});
    }
}

TEST(ParametersText, NoiseLevelsInTheNameOfTheSamplerAreKept) {
    const auto old = read("Steps: 20, Sampler: DPM++ 2M Karras");
    EXPECT_EQ(old.settings.sampler, Sampler::Dpmpp2m);
    EXPECT_EQ(old.taken, (Texts{"steps", "sampler"}));
    EXPECT_EQ(old.kept, Texts{"Schedule type: Karras"});
    const auto comfy = read("Steps: 20, Sampler: euler_sgm_uniform");
    EXPECT_EQ(comfy.settings.sampler, Sampler::Euler);
    EXPECT_EQ(comfy.kept, Texts{"Schedule type: sgm_uniform"});
    EXPECT_EQ(read("Steps: 20, Sampler: DPM++ 2M Karras, Schedule type: Karras").kept, Texts{"Schedule type: Karras"});
    EXPECT_EQ(read("Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras").kept, Texts{"Schedule type: Karras"});
}

TEST(ParametersText, BothGuidances) {
    const auto found = read("Steps: 20, Distilled CFG Scale: 3.5, CFG scale: 1, Size: 8x8");
    EXPECT_EQ(found.settings.guidance, 3.5);
    EXPECT_EQ(found.settings.text.trueGuidance, 1);
    EXPECT_EQ(found.taken, (Texts{"steps", "guidance", "true guidance", "size"}));
    // CFG is no other kind of guidance because the distilled one cannot be read.
    const auto odd = read("Steps: 20, Distilled CFG Scale: high, CFG scale: 2.5, Size: 8x8");
    EXPECT_EQ(odd.taken, (Texts{"steps", "true guidance", "size"}));
    EXPECT_EQ(odd.kept, Texts{"Distilled CFG Scale: high"});
    EXPECT_EQ(read("Steps: 20, CFG Scale: 2.5").settings.guidance, 2.5);
}

TEST(ParametersText, LongValuesAreCutBetweenCharacters) {
    std::string stars;
    for (int i = 0; i < 300; ++i) stars += "\u2605";
    const auto found = read(kLine + ", Note: " + stars + ", Short: " + stars.substr(0, 600) + "\n" + stars + stars);
    const std::string cut = stars.substr(0, 3 * 199) + "\u2026";
    EXPECT_EQ(found.kept, (Texts{"Note: " + cut, "Short: " + stars.substr(0, 600), cut}));
}

TEST(ParametersText, AllScriptsAndBytes) {
    const auto found = read("\u732b \U0001F408\nNegative prompt: d\u00e9j\u00e0\n" + kLine +
                            ", Mod\u00e8le: \u00e9t\u00e9, \u6a21\u578b: \u732b");
    EXPECT_EQ(found.settings.text.prompt, "\u732b \U0001F408");
    EXPECT_EQ(found.settings.text.negative, "d\u00e9j\u00e0");
    EXPECT_EQ(found.kept, (Texts{"Mod\u00e8le: \u00e9t\u00e9", "\u6a21\u578b: \u732b"}));
    EXPECT_EQ(read(kLine + ", Odd: \xff\xfe\"\xff, Next: \"\xff\"").kept,
              (Texts{"Odd: \xff\xfe\"\xff", "Next: \"\xff\""}));
    const std::string zero("a\0b", 3);
    EXPECT_EQ(read(zero + "\n" + kLine + ", Z: " + zero).settings.text.prompt, zero);
}

TEST(ParametersText, WhatOtherProgramsWrite) {
    const auto next = read(
        "a cat\nNegative prompt: blur\nSteps: 20, Size: 1024x1024, Seed: 3, CFG scale: 6, Pipeline: SDXL, Operations: "
        "txt2img, Sampler: Default, App: SD.Next, Version: 1a2b, Parser: full");
    EXPECT_EQ(next.taken, (Texts{"negative prompt", "prompt", "steps", "guidance", "seed", "size"}));
    EXPECT_EQ(next.kept, (Texts{"Pipeline: SDXL", "Operations: txt2img", "Sampler: Default", "App: SD.Next",
                                "Version: 1a2b", "Parser: full"}));
    const auto fooocus = read(
        "a cat, cinematic still\nNegative prompt: anime\nSteps: 30, Sampler: DPM++ 2M SDE Karras, Seed: 8, Size: "
        "896x1152, CFG scale: 4, Sharpness: 2, ADM Guidance: \"(1.5, 0.8, 0.3)\", Styles: \"['Fooocus V2', 'x']\", "
        "Version: Fooocus v2.3");
    EXPECT_EQ(fooocus.settings.size, (Grid{1152, 896}));
    EXPECT_EQ(fooocus.kept, (Texts{"Sampler: DPM++ 2M SDE Karras", "Sharpness: 2", "ADM Guidance: (1.5, 0.8, 0.3)",
                                   "Styles: ['Fooocus V2', 'x']", "Version: Fooocus v2.3"}));
    const auto forge = read(
        "a cat\nSteps: 20, Sampler: Euler, Schedule type: Simple, CFG scale: 1, Distilled CFG Scale: 3.5, Seed: 4, "
        "Size: "
        "896x1152, Model hash: 3c, Model: flux1-dev, Version: f2.0, Module 1: ae, Module 2: t5xxl");
    EXPECT_EQ(forge.settings.guidance, 3.5);
    EXPECT_EQ(forge.kept, (Texts{"Schedule type: Simple", "Model hash: 3c", "Model: flux1-dev", "Version: f2.0",
                                 "Module 1: ae", "Module 2: t5xxl"}));
}

TEST(ParametersText, NothingToRead) {
    for (const char* text : {"", "\n", "a cat", "Negative prompt: x", "Steps: 5", "{\"Steps\": 5, \"Seed\": 3}",
                             "Negative prompt: x, Steps: 20, Sampler: Euler, Seed: 3", ",,,:::", "\"", ": :\n:"})
        EXPECT_TRUE(refuses(text)) << text;
}

TEST(ParametersText, TheOwnRecipeWins) {
    const auto found = settingsOfTexts(
        "p.png", {{"ropescope", R"({"settings": {"seed": 5, "text": {"prompt": "a\nNegative prompt: b\nSteps: 5"}}})"},
                  {"parameters", "a\nNegative prompt: b\nSteps: 5\n" + kLine}});
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->complete);
    EXPECT_EQ(found->settings.text.prompt, "a\nNegative prompt: b\nSteps: 5");
    EXPECT_EQ(found->settings.text.negative, "");
    EXPECT_EQ(found->kept, Texts{});
}

TEST(ParametersText, TakesTimeInProportionToTheText) {
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
TEST(ParametersText, NothingOfOneFieldEndsInAnother) {
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

TEST(ParametersText, RandomBytesAreReadOrRefused) {
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
