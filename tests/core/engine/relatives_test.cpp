// SPDX-License-Identifier: Apache-2.0
// Relatives of the DiT and the ViT against independent PyTorch models (tests/reference/relatives_reference.py).
#include <gtest/gtest.h>

#include <filesystem>

#include "core/engine/measure/forward.h"
#include "core/engine/network/loaded_model.h"
#include "core/engine/run/generate.h"
#include "core/model/vit_inference.h"
#include "tests/core/engine/weight_files.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;

std::string relative(const std::string& name) {
    return goldenPath("relatives/" + name);
}

std::string expectedPath(const std::string& name) {
    return relative(name + ".expected.safetensors");
}

ModelRef modelRef(const std::string& name) {
    ModelRef ref;
    ref.path = relative(name + ".safetensors");
    return ref;
}

/// Networks whose answer to x is recorded, by name.
std::vector<std::string> recorded(const std::string& prefix) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(goldenPath("relatives"))) {
        const std::string file = entry.path().filename().string();
        constexpr std::string_view ending = ".expected.safetensors";
        if (file.starts_with(prefix) && file.ends_with(ending))
            names.push_back(file.substr(0, file.size() - ending.size()));
    }
    std::sort(names.begin(), names.end());
    return names;
}

class Relatives : public InFolder {
protected:
    Result<void> forward(const std::string& name, Convention convention = Convention::Unknown) {
        ForwardCommand c;
        c.model = modelRef(name);
        c.model.convention = convention;
        c.compute.device = "cpu", c.compute.threads = 1;
        c.in = expectedPath(name);
        c.out = path("out.safetensors");
        return forwardToFile(c);
    }
    at::Tensor latents(const std::string& name, const std::string& time, int steps, Sampler sampler = Sampler::Auto,
                       double guidance = 1) {
        GenerateRequest r;
        r.model = modelRef(name);
        r.model.time = time;
        r.compute.device = "cpu", r.compute.threads = 1;
        r.labels = {static_cast<int>(goldenTensor(expectedPath(name), "label")[0].item<double>())};
        r.steps = steps, r.sampler = sampler, r.guidance = guidance;
        r.guidanceChannels = GuidanceChannels::All;
        r.noiseFile = expectedPath(name);
        const auto result = generate(r, {});
        if (!result) throw std::runtime_error(result.error().message());
        return at::from_blob(const_cast<std::byte*>(result->latents.bytes.data()), result->latents.shape, at::kFloat)
            .clone();
    }
};

TEST_F(Relatives, NetworksEqualTheReference) {
    int compared = 0;
    for (const std::string& name : recorded("")) {
        if (name == "dit_ape_rope" || name == "vit_eva_rope") continue;
        SCOPED_TRACE(name);
        const auto done = forward(name);
        ASSERT_TRUE(done) << done.error().message();
        expectClose(goldenTensor(path("out.safetensors"), "out"), goldenTensor(expectedPath(name), "out"));
        ++compared;
    }
    EXPECT_GE(compared, 25);
}

/// Absolute positions and HARoPE maps at once, in both conventions.
TEST_F(Relatives, TwoEncodingsAtOnce) {
    for (const auto& [convention, out] :
         {std::pair{Convention::Same, "out_same"}, std::pair{Convention::Inverse, "out_inverse"}}) {
        const auto done = forward("dit_ape_rope", convention);
        ASSERT_TRUE(done) << done.error().message();
        expectClose(goldenTensor(path("out.safetensors"), "out"), goldenTensor(expectedPath("dit_ape_rope"), out));
    }
    const auto silent = forward("dit_ape_rope");
    ASSERT_FALSE(silent);
    EXPECT_NE(silent.error().message().find("--convention"), std::string::npos);
}

/// EVA keeps biases of queries and values apart: not understood, and said.
TEST_F(Relatives, WhatIsNotUnderstoodIsNamed) {
    const auto refused = forward("vit_eva_rope");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "TC-10");
    EXPECT_NE(refused.error().message().find("q_bias"), std::string::npos) << refused.error().message();
}

/// What classifies and calibrates in the engine computes the same as the plain forward pass.
TEST_F(Relatives, ViTsClassifyAsTheyCompute) {
    int compared = 0;
    for (const std::string& name : recorded("vit_")) {
        if (name == "vit_eva_rope") continue;
        SCOPED_TRACE(name);
        const auto model = loadModel(modelRef(name), at::kCPU, Precision::Fp32);
        ASSERT_TRUE(model) << model.error().message();
        const at::Tensor x = goldenTensor(expectedPath(name), "x").to(at::kFloat);
        expectClose((*model)->vit->forward(x), goldenTensor(expectedPath(name), "out"));
        ++compared;
    }
    EXPECT_GE(compared, 20);
}

/// Ten Euler steps of every path and prediction of SiT, from the same noise. Scores and noise predictions begin where
/// the picture's share is 1e-3, so their latents reach thousands: the bound is relative.
TEST_F(Relatives, SiTsPathsAndPredictions) {
    const std::pair<const char*, const char*> paths[] = {{"linear", "linear"}, {"gvp", "gvp"}, {"vp", "vp"}};
    for (const auto& [ours, theirs] : paths)
        for (const char* prediction : {"velocity", "score", "noise"}) {
            SCOPED_TRACE(std::string(theirs) + "." + prediction);
            const std::string time = std::string("sit:") + ours + ":" + prediction;
            expectClose(latents("sit", time, 10),
                        goldenTensor(expectedPath("sit"), std::string("euler10.") + theirs + "." + prediction));
        }
    expectClose(latents("sit", "sit", 10, Sampler::Heun), goldenTensor(expectedPath("sit"), "heun10.linear.velocity"));
    expectClose(latents("sit", "sit", 10, Sampler::Auto, 2),
                goldenTensor(expectedPath("sit"), "cfg10.linear.velocity"));
    expectClose(latents("sit", "", 10), goldenTensor(expectedPath("sit"), "euler10.linear.velocity"));  // its own word
}

TEST_F(Relatives, RepaLightningAndOddOnes) {
    expectClose(latents("repa", "", 10), goldenTensor(expectedPath("repa"), "euler10.linear"));
    expectClose(latents("repa", "repa:cosine", 10), goldenTensor(expectedPath("repa"), "euler10.cosine"));
    expectClose(latents("repa", "", 10, Sampler::Heun), goldenTensor(expectedPath("repa"), "heun10.linear"));
    expectClose(latents("lightning", "sit", 10), goldenTensor(expectedPath("lightning"), "euler10"));
    expectClose(latents("dit_odd", "", 10, Sampler::Ddim), goldenTensor(expectedPath("dit_odd"), "ddim10"));
}

/// A relative that says nothing of its time is not drawn with a guess.
TEST_F(Relatives, UnsaidTimeIsAsked) {
    EXPECT_THROW(
        {
            try {
                (void)latents("lightning", "", 10);
            } catch (const std::runtime_error& error) {
                EXPECT_NE(std::string(error.what()).find("--time"), std::string::npos) << error.what();
                throw;
            }
        },
        std::runtime_error);
}

TEST_F(Relatives, NoRowForNoClassMeansNoGuidance) {
    try {
        (void)latents("dit_odd", "", 10, Sampler::Ddim, 2);
        FAIL() << "guidance without a row for it";
    } catch (const std::runtime_error& error) {
        EXPECT_NE(std::string(error.what()).find("--guidance"), std::string::npos) << error.what();
    }
}

}  // namespace
}  // namespace ropescope
