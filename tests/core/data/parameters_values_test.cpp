// SPDX-License-Identifier: Apache-2.0
// The settings of one line, name by name.
#include "tests/core/data/parameters_texts.h"

namespace ropescope {
namespace {

TEST(ParametersValues, HashesAreOneValue) {
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

TEST(ParametersValues, ListsAndObjectsAreOneValue) {
    const auto found = read(
        "a cat\nSteps: 20, Sampler: Euler, Civitai resources: [{\"type\":\"lora\",\"weight\":0.7,\"name\":\"a ], b\"},"
        "{\"Seed\": 5}], Hashes: {\"model\": \"ab\", \"Size\": 3}, Seed: 1");
    EXPECT_EQ(found.settings.seed, 1u);
    EXPECT_EQ(found.kept,
              (Texts{"Civitai resources: [{\"type\":\"lora\",\"weight\":0.7,\"name\":\"a ], b\"},{\"Seed\": 5}]",
                     "Hashes: {\"model\": \"ab\", \"Size\": 3}"}));
}

TEST(ParametersValues, BracketsAndQuotesThatDoNotCloseEndAtTheComma) {
    const auto found =
        read("Model: [x, Steps: 20, VAE: {, Seed: 1, Name: \"a, b\" c, Text: y]}, Size: 8x16, Last: \"z");
    EXPECT_EQ(found.taken, (Texts{"steps", "seed", "size"}));
    EXPECT_EQ(found.kept, (Texts{"Model: [x", "VAE: {", "Name: \"a, b\" c", "Text: y]}", "Last: \"z"}));
    const auto open = read("Steps: 20, Sampler: Euler, Model: \"x, Seed: 1");
    EXPECT_EQ(open.settings.seed, 1u);
    EXPECT_EQ(open.kept, Texts{"Model: \"x"});
}

TEST(ParametersValues, QuotedValuesAreJsonTexts) {
    const auto found = read(
        R"(Steps: "20", Sampler: "DPM++ 2M", Seed: 1, Model: "a, \"b\": c\\", Note: "one\ntwo", Odd: "\q", "k": 1)");
    EXPECT_EQ(found.settings.steps, 20);
    EXPECT_EQ(found.settings.sampler, Sampler::Dpmpp2m);
    EXPECT_EQ(found.kept, (Texts{"Model: a, \"b\": c\\", "Note: one\ntwo", "Odd: \"\\q\"", "\"k\": 1"}));
}

TEST(ParametersValues, ColonsWordsAloneAndEmptyValues) {
    const auto found = read("Steps: 20, Seed:1, Path: C:\\a: b , Restore faces, Model hash: , , Size: 8x8,");
    EXPECT_EQ(found.taken, (Texts{"steps", "seed", "size"}));
    EXPECT_EQ(found.kept, (Texts{"Path: C:\\a: b", "Restore faces", "Model hash"}));
}

TEST(ParametersValues, ValuesThatCannotBeUsedAreKept) {
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

TEST(ParametersValues, ANameTwiceGivesTheFirstThatCanBeUsed) {
    const auto found = read("Steps: 0, Steps: 20, Seed: 1, Seed: 2, Size: 8x8, Seed: 2, Steps: 30");
    EXPECT_EQ(found.settings.steps, 20);
    EXPECT_EQ(found.settings.seed, 1u);
    EXPECT_EQ(found.kept, (Texts{"Steps: 0", "Seed: 2", "Steps: 30"}));
}

TEST(ParametersValues, SamplersByTheirNamesElsewhere) {
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

TEST(ParametersValues, NoiseLevelsInTheNameOfTheSamplerAreKept) {
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

TEST(ParametersValues, BothGuidances) {
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

TEST(ParametersValues, LongValuesAreCutBetweenCharacters) {
    std::string stars;
    for (int i = 0; i < 300; ++i) stars += "\u2605";
    const auto found = read(kLine + ", Note: " + stars + ", Short: " + stars.substr(0, 600) + "\n" + stars + stars);
    const std::string cut = stars.substr(0, 3 * 199) + "\u2026";
    EXPECT_EQ(found.kept, (Texts{"Note: " + cut, "Short: " + stars.substr(0, 600), cut}));
}

}  // namespace
}  // namespace ropescope
