// SPDX-License-Identifier: Apache-2.0
#include "core/data/picture_settings.h"

#include <gtest/gtest.h>

#include "core/data/codec.h"

namespace ropescope {
namespace {

GenerateRequest someSettings() {
    GenerateRequest r;
    r.model.path = "/models/flux \"x\"";
    r.model.loras = {{"/lora.safetensors", -0.25}};
    r.model.adapter = "/maps.safetensors";
    r.seed = ~std::uint64_t{0} - 1;  // more than a double holds
    r.steps = 7;
    r.guidance = 3.25;
    r.sampler = Sampler::Dpmpp2m;
    r.size = {512, 768};
    r.text = {"a cat,\n\"two\" dogs", "blue", "/encoders", "", 2.5, 6'000'000'000};
    r.compute.precision = Precision::Bf16;
    return r;
}

TEST(PictureSettings, SettingsComeBackFromTheRecipe) {
    const GenerateRequest own = someSettings();
    const auto back = settingsFromJson(settingsJson(own));
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(settingsJson(*back), settingsJson(own));
    EXPECT_EQ(back->seed, own.seed);
    const auto found = settingsOfTexts(
        "p.png", {{"ropescope", "{\"settings\":" + settingsJson(own) + "}"}, {"parameters", "Steps: 3"}});
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_TRUE(found->complete);
    EXPECT_EQ(settingsJson(found->settings), settingsJson(own));
    EXPECT_EQ(found->path, "p.png");
}

TEST(PictureSettings, OtherVersionsAreReadAndWrongTypesRefused) {
    const auto older = settingsFromJson(R"({"seed": 5, "from_the_future": [1, {"a": 2}]})");
    ASSERT_TRUE(older) << older.error().message();
    EXPECT_EQ(older->seed, 5u);
    EXPECT_EQ(older->steps, GenerateRequest{}.steps);
    for (const char* wrong : {R"({"seed": "5"})", R"({"seed": -1})", R"({"text": 3})", R"({"sampler": "magic"})", "[1]",
                              "{", "", R"({"seed": 1, "seed": 2})"}) {
        const auto refused = settingsFromJson(wrong);
        ASSERT_FALSE(refused) << wrong;
        EXPECT_EQ(refused.error().code, "settings");
    }
}

TEST(PictureSettings, ParametersOfWebInterfaces) {
    const auto found = settingsOfTexts(
        "p.png",
        {{"parameters",
          "a cat, Steps: nine\nsecond line\nNegative prompt: blue\nred\nSteps: 20, Sampler: DPM++ 2M, CFG scale: "
          "7.5, Seed: 18446744073709551615, Size: 512x768, Model: \"a, \\\"b\\\": c\", Version: v1"}});
    ASSERT_TRUE(found) << found.error().message();
    const GenerateRequest& s = found->settings;
    EXPECT_EQ(s.text.prompt, "a cat, Steps: nine\nsecond line");
    EXPECT_EQ(s.text.negative, "blue\nred");
    EXPECT_EQ(s.steps, 20);
    EXPECT_EQ(s.sampler, Sampler::Dpmpp2m);
    EXPECT_EQ(s.guidance, 7.5);
    EXPECT_EQ(s.seed, ~std::uint64_t{0});
    EXPECT_EQ(s.size, (Grid{768, 512}));  // width first there
    EXPECT_FALSE(found->complete);
    EXPECT_EQ(found->taken,
              (std::vector<std::string>{"negative prompt", "prompt", "steps", "guidance", "seed", "size", "sampler"}));
    const auto flux =
        settingsOfTexts("p.png", {{"parameters", "Steps: 20, CFG scale: 1.5, Distilled CFG Scale: 3.5, Seed: 1"}});
    ASSERT_TRUE(flux);
    EXPECT_EQ(flux->settings.guidance, 3.5);
    EXPECT_EQ(flux->settings.text.trueGuidance, 1.5);
    EXPECT_EQ(flux->taken, (std::vector<std::string>{"steps", "guidance", "true guidance", "seed"}));
    const auto bare = settingsOfTexts("p.png", {{"parameters", "Steps: x, Sampler: Unheard, Class: 4, Seed"}});
    ASSERT_TRUE(bare);
    EXPECT_EQ(bare->taken, std::vector<std::string>{"class"});
    EXPECT_EQ(bare->settings.labels, std::vector<int>{4});
}

TEST(PictureSettings, SaysWhatIsMissing) {
    EXPECT_EQ(settingsOfTexts("p.png", {}).error().code, "no-recipe");
    EXPECT_EQ(settingsOfTexts("p.png", {{"ropescope", "{}"}}).error().code, "no-recipe");
    EXPECT_EQ(settingsOfTexts("p.png", {{"parameters", "only words"}}).error().code, "settings");
    EXPECT_EQ(settingsOfTexts("p.png", {{"ropescope", R"({"settings": {"steps": "many"}})"}}).error().code, "settings");
}

}  // namespace
}  // namespace ropescope
