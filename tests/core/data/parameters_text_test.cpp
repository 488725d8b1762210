// SPDX-License-Identifier: Apache-2.0
// Where prompts, settings and other lines begin and end.
#include "tests/core/data/parameters_texts.h"

namespace ropescope {
namespace {

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

}  // namespace
}  // namespace ropescope
