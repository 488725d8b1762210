// SPDX-License-Identifier: Apache-2.0
// FLUX and SD3 from given embeddings, against the pictures of diffusers' pipelines.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stop_token>

#include "core/data/picture_settings.h"
#include "core/engine/network/painter.h"
#include "core/engine/run/decoder.h"
#include "core/engine/run/generate.h"
#include "core/sampling/flow_schedule.h"
#include "tests/core/engine/tiny_pipelines.h"
#include "tests/core/engine/weight_files.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

const std::string kExpected = goldenPath("pipelines.expected.safetensors");

TEST(Draw, Sd3EqualsDiffusersByEulerAndHeun) {
    for (const Sampler sampler : {Sampler::Euler, Sampler::Heun}) {
        GenerateRequest c = sd3();
        c.sampler = sampler;
        const GenerateResult result = drawn(c);
        expectClose(tensorOf(result.latents),
                    goldenTensor(kExpected, sampler == Sampler::Euler ? "sd3_euler" : "sd3_heun"));
        if (sampler == Sampler::Heun) continue;
        const Array& pixels = result.images[0].pixels;
        ASSERT_EQ(pixels.shape, (std::vector<std::int64_t>{24, 32, 3}));
        const at::Tensor found =
            at::from_blob(const_cast<std::byte*>(pixels.bytes.data()), pixels.shape, at::kByte).permute({2, 0, 1});
        const at::Tensor reference = goldenTensor(kExpected, "sd3_euler_picture")[0];
        EXPECT_LE((found.to(at::kDouble) - reference).abs().max().item<double>(), 2);
    }
}

TEST(Draw, StepsGoThroughTheAutoencoderOnRequest) {
    const GenerateRequest c = sd3();
    const GenerateResult result = drawn(c);
    // Euler ends at the clean estimate of its last step: that step decoded is the picture.
    const auto last = decodeStep({c, c.steps - 1, c.vae}, {});
    ASSERT_TRUE(last) << last.error().message();
    EXPECT_EQ(last->pixels, result.images[0].pixels);
    const auto first = decodeStep({c, 0, c.vae}, {});
    ASSERT_TRUE(first);
    EXPECT_EQ(first->pixels.shape, last->pixels.shape);
    EXPECT_NE(first->pixels, last->pixels);
    EXPECT_NE(decodeStep({c, c.steps, c.vae}, {}).error().message().find("not kept"), std::string::npos);
    GenerateRequest other = c;
    other.steps = 6;
    EXPECT_NE(decodeStep({other, 0, c.vae}, {}).error().message().find("not kept"), std::string::npos);
    EXPECT_NE(decodeStep({c, 0, ""}, {}).error().message().find("no autoencoder"), std::string::npos);
    EXPECT_EQ(decodeStep({c, 0, goldenPath("flux_tiny.safetensors")}, {}).error().kind, ErrorKind::Usage);
}

TEST(Draw, FluxEqualsDiffusersUnderBothNames) {
    for (const char* name : {"flux_tiny", "flux_tiny_native"}) {
        GenerateRequest c = flux();
        c.model.path = goldenPath(std::string(name) + ".safetensors");
        expectClose(tensorOf(drawn(c).latents), goldenTensor(kExpected, "flux_euler"));
        c.text.trueGuidance = 3;
        const GenerateResult against = drawn(c);
        expectClose(tensorOf(against.latents), goldenTensor(kExpected, "flux_true"));
        EXPECT_NE(against.images[0].recipe.find("--true-guidance 3"), std::string::npos);
    }
}

TEST(Draw, LevelsAreThoseOfThePublishedSchedules) {
    const auto near = [](const std::vector<FlowStep>& steps, std::vector<std::pair<int, double>> expected) {
        for (const auto& [i, value] : expected) EXPECT_NEAR(steps[i].time, value, 1e-6) << i;
        EXPECT_EQ(steps.back().next, 0);
    };
    near(shiftedFlowSteps(28, fluxShift(4096), FlowSpacing::Even),
         {{0, 1}, {1, 0.988409}, {2, 0.976222}, {3, 0.963394}, {26, 0.195455}, {27, 0.104721}});
    near(shiftedFlowSteps(28, 3, FlowSpacing::TrainedEnds),
         {{0, 1}, {1, 0.987381}, {2, 0.974108}, {25, 0.199827}, {26, 0.110906}, {27, 0.008929}});
    near(shiftedFlowSteps(4, 1, FlowSpacing::Even), {{0, 1}, {1, 0.75}, {2, 0.5}, {3, 0.25}});
    EXPECT_FALSE(planFlow(Sampler::Ddim, shiftedFlowSteps(2, 1, FlowSpacing::Even)));
    EXPECT_THROW((void)shiftedFlowSteps(2, 0, FlowSpacing::Even), std::invalid_argument);
}

TEST(Draw, TheSeedsNoiseAndTheRecipe) {
    GenerateRequest c = flux();
    c.noiseFile.clear();
    c.size = {48, 64};
    c.seed = 7;
    c.text.shift = 2.0;
    c.model.loras = {{goldenPath("lora_tiny_kohya.safetensors"), 0.5}};
    const GenerateResult result = drawn(c);
    EXPECT_EQ(result.latents.shape, (std::vector<std::int64_t>{1, 2, 6, 8}));
    EXPECT_EQ(drawn(c).latents, result.latents);
    const auto recipe = nlohmann::json::parse(result.images[0].recipe);
    EXPECT_EQ(recipe["seed"], 7);
    EXPECT_EQ(recipe["shift"], 2.0);
    EXPECT_EQ(recipe["loras"][0]["strength"], 0.5);
    EXPECT_EQ(recipe["size"], "48x64");
    const std::string line = recipe["command"];
    for (const char* part :
         {" --seed 7 ", " --shift 2 ", " --size 48x64 ", "lora_tiny_kohya.safetensors:0.5", " --embeddings "})
        EXPECT_NE(line.find(part), std::string::npos) << line;
    // What the picture carries makes it again.
    const auto carried = settingsOfTexts("p.png", {{"ropescope", result.images[0].recipe}});
    ASSERT_TRUE(carried) << carried.error().message();
    EXPECT_TRUE(carried->complete);
    EXPECT_EQ(drawn(carried->settings).latents, result.latents);
    c.model.loras.clear();
    EXPECT_NE(drawn(c).latents, result.latents);
}

TEST(Draw, PicturesOfABatchAreThoseOfTheirSeeds) {
    GenerateRequest c = flux();
    c.noiseFile.clear();
    c.size = {32, 48};
    c.seed = 3;
    c.batch = 2;
    c.sampler = Sampler::Dpmpp2m;
    const GenerateResult both = drawn(c);
    ASSERT_EQ(both.images.size(), 2u);
    EXPECT_EQ(both.images[1].seed, 4u);
    const auto second = settingsOfTexts("p.png", {{"ropescope", both.images[1].recipe}});
    ASSERT_TRUE(second);
    EXPECT_EQ(second->settings.batch, 1);
    // A batch of two and one picture may add up in another order.
    expectClose(tensorOf(drawn(second->settings).latents)[0], tensorOf(both.latents)[1].to(at::kDouble), 1e-5);
}

TEST(Draw, RefusesBeforeTheFirstStep) {
    {  // guidance without its other side
        GenerateRequest c = sd3();
        Tensors alone;
        for (const char* name : {"encoder_hidden_states", "pooled_projections"})
            alone[name] = goldenTensor(goldenPath("pipelines.safetensors"), name);
        const std::string file =
            std::filesystem::temp_directory_path() / ("ropescope_alone_" + std::to_string(::getpid()) + ".safetensors");
        writeWeights(file, alone);
        c.text.embeddings = file;
        const auto refused = generate(c, {});
        ASSERT_FALSE(refused);
        EXPECT_NE(refused.error().message().find("negative_encoder_hidden_states"), std::string::npos)
            << refused.error().message();
        c.guidance = 1;
        EXPECT_TRUE(generate(c, {}));
        std::filesystem::remove(file);
    }
    const auto refused = [](const GenerateRequest& c, const std::string& words) {
        int steps = 0;
        JobContext context;
        context.onProgress = [&](const GenerateProgress&) { ++steps; };
        const auto result = generate(c, context);
        ASSERT_FALSE(result);
        EXPECT_NE(result.error().message().find(words), std::string::npos) << result.error().message();
        EXPECT_EQ(steps, 0);
    };
    GenerateRequest c = flux();
    c.noiseFile.clear();
    c.size = {50, 64};
    refused(c, "multiples of 16");
    c = sd3();
    c.noiseFile.clear();
    refused(c, "at most 128 a side");  // a table of 8 x 8 patches of 2 latents
    c = sd3();
    c.vae = goldenPath("vae16_tiny.safetensors");
    refused(c, "16 channels");
    c = sd3();
    c.text.embeddings = goldenPath("flux_tiny.expected.safetensors");  // a batch of two
    refused(c, "encoder_hidden_states: wrong shape");
    c = sd3();
    c.model.path = goldenPath("dit_ape_tiny.pt");
    c.model.heads = 3;
    const auto none = openPainter(c.model, c.compute, 0, at::kCPU, {});
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().message().find("takes no text"), std::string::npos) << none.error().message();
    c = flux();
    c.sampler = Sampler::Ddpm;
    refused(c, "euler, heun");
    c = flux();
    c.text.memory = 1'000'000'001;
    refused(c, "two blocks");
    std::stop_source source;
    source.request_stop();
    JobContext context;
    context.stop = source.get_token();
    EXPECT_EQ(generate(flux(), context).error().exitCode(), 130);
}

}  // namespace
}  // namespace ropescope
