// SPDX-License-Identifier: Apache-2.0
#include "core/engine/measure/forward.h"

#include <ATen/CPUGeneratorImpl.h>

#include <filesystem>
#include <fstream>

#include "core/data/enum_names.h"
#include "core/data/safetensors.h"
#include "core/encoding/extrapolation.h"
#include "tests/core/engine/tiny_pipelines.h"
#include "tests/core/engine/weight_files.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

const std::string kExpected = goldenPath("harope_dit_tiny.expected.safetensors");

ForwardCommand command(Convention convention) {
    ForwardCommand c;
    c.model.path = goldenPath("harope_dit_tiny.pt");
    c.model.convention = convention;
    c.compute.device = "cpu";
    c.compute.threads = 1;
    c.in = kExpected;
    c.out =
        (std::filesystem::path(testing::TempDir()) /
         (std::string("ropescope_") + testing::UnitTest::GetInstance()->current_test_info()->name() + ".safetensors"))
            .string();
    c.attention = c.field = true;
    return c;
}

TEST(Forward, EqualsTheRecordedOutputAttentionAndFields) {
    for (const auto& [convention, version] : {std::pair{Convention::Same, "v1."}, {Convention::Inverse, "v2."}}) {
        SCOPED_TRACE(version);
        const ForwardCommand c = command(convention);
        const auto done = forwardToFile(c);
        ASSERT_TRUE(done) << done.error().message();
        const std::string prefix = version;
        expectClose(goldenTensor(c.out, "out"), goldenTensor(kExpected, prefix + "out"));
        for (int layer = 0; layer < 2; ++layer) {
            const std::string i = std::to_string(layer);
            expectClose(goldenTensor(c.out, "attention." + i), goldenTensor(kExpected, prefix + "attention")[layer],
                        1e-5);
            expectClose(goldenTensor(c.out, "field_sum." + i), goldenTensor(kExpected, prefix + "field_sum")[layer],
                        1e-5);
            expectClose(goldenTensor(c.out, "field_mean." + i), goldenTensor(kExpected, prefix + "field_mean")[layer],
                        1e-5);
        }
    }
}

TEST(Forward, WritesOnlyWhatIsAskedFor) {
    ForwardCommand c = command(Convention::Inverse);
    c.attention = false;
    ASSERT_TRUE(forwardToFile(c));
    const TensorTable table = TensorTable::open(c.out).value();
    EXPECT_EQ(table.tensors().size(), 5u);
    EXPECT_EQ(table.find("attention.0"), nullptr);
}

TEST(Forward, HalfPrecisionStaysNear) {
    ForwardCommand c = command(Convention::Inverse);
    c.compute.precision = Precision::Bf16;
    ASSERT_TRUE(forwardToFile(c));
    expectClose(goldenTensor(c.out, "out"), goldenTensor(kExpected, "v2.out"), 0.05);
}

/// diffusers computes the time's frequencies and one norm otherwise than the original (127, eps 1e-5).
TEST(Forward, EqualsDiffusersOnItsOwnFolder) {
    ForwardCommand c = command(Convention::Unknown);
    c.model.path = goldenPath("dit_diffusers_tiny");
    c.in = goldenPath("dit_diffusers_tiny.expected.safetensors");
    const auto done = forwardToFile(c);
    ASSERT_TRUE(done) << done.error().message();
    expectClose(goldenTensor(c.out, "out"), goldenTensor(c.in, "out"));
}

TEST(Forward, DiffusersBlocksTrainedApartAreRefused) {
    const std::string folder = goldenPath("dit_diffusers_tiny/transformer/");
    std::ifstream in(folder + "diffusion_pytorch_model.safetensors", std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    auto file = decodeSafetensors(std::as_bytes(std::span(bytes))).value();
    const std::string name = "transformer_blocks.1.norm1.emb.timestep_embedder.linear_2.bias";
    file.arrays.at(name).as<float>()[3] += 1;
    ForwardCommand c = command(Convention::Unknown);
    c.model.path = c.out + ".model.safetensors";
    c.model.config = folder + "config.json";
    c.in = goldenPath("dit_diffusers_tiny.expected.safetensors");
    ASSERT_TRUE(writeSafetensors(c.model.path, file.arrays));
    const auto done = forwardToFile(c);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, "TC-11");
    EXPECT_NE(done.error().message().find(name), std::string::npos) << done.error().message();
}

TEST(Forward, ViTWritesLogitsAttentionAndFieldsOfThePatches) {
    ForwardCommand c = command(Convention::Unknown);
    c.model.path = goldenPath("vit_tiny_patch16_rope_ape_224.safetensors");
    c.in = goldenPath("vit_tiny_patch16_rope_ape_224.expected.safetensors");
    const auto done = forwardToFile(c);
    ASSERT_TRUE(done) << done.error().message();
    expectClose(goldenTensor(c.out, "out"), goldenTensor(c.in, "out"));
    const at::Tensor attention = goldenTensor(c.out, "attention.1"), field = goldenTensor(c.out, "field_sum.1");
    const at::Tensor share = goldenTensor(c.out, "class_share.1");
    EXPECT_EQ(attention.size(3), 17);
    EXPECT_EQ(field.sizes(), (at::IntArrayRef{3, 7, 7}));
    EXPECT_LT((field.sum(at::IntArrayRef{1, 2}) + share - 1).abs().max().item<double>(), 1e-5);
    EXPECT_LT((attention.narrow(2, 1, 16).select(3, 0).mean(at::IntArrayRef{0, 2}) - share).abs().max().item<double>(),
              1e-6);
}

TEST(Forward, FluxAndSd3WriteTheJointAttentionAndTheImagesFields) {
    for (const auto& [name, layers, grid] :
         {std::tuple{"flux_tiny_harope_inverse", 3, Grid{3, 4}}, {"sd35_tiny_harope_inverse", 2, Grid{3, 5}}}) {
        SCOPED_TRACE(name);
        ForwardCommand c = command(Convention::Unknown);
        c.model.path = goldenPath(std::string(name) + ".safetensors");
        c.in = goldenPath(std::string(name) + ".expected.safetensors");
        std::vector<std::string> notes;
        c.note = [&](const std::string& note) { notes.push_back(note); };
        const auto done = forwardToFile(c);
        ASSERT_TRUE(done) << done.error().message();
        expectClose(goldenTensor(c.out, "out"), goldenTensor(c.in, "out"));
        ASSERT_EQ(notes.size(), 1u);
        EXPECT_NE(notes[0].find("kept in memory"), std::string::npos) << notes[0];
        for (int layer = 0; layer < layers; ++layer) {
            const std::string i = std::to_string(layer);
            const at::Tensor attention = goldenTensor(c.out, "attention." + i),
                             field = goldenTensor(c.out, "field_sum." + i);
            EXPECT_EQ(attention.size(3), 5 + grid.tokens());
            EXPECT_EQ(field.sizes(), (at::IntArrayRef{2, 2 * grid.rows - 1, 2 * grid.cols - 1}));
            const at::Tensor words = goldenTensor(c.out, "text_share." + i);
            EXPECT_LT((field.sum(at::IntArrayRef{1, 2}) + words - 1).abs().max().item<double>(), 1e-5);
        }
        c.memory = 1'000'001'000;  // no room beside LibTorch
        const auto small = forwardToFile(c);
        ASSERT_FALSE(small);
        EXPECT_EQ(small.error().exitCode(), 3);
        EXPECT_NE(small.error().message().find("two blocks"), std::string::npos) << small.error().message();
    }
}

/// A recorded input with one of its tensors replaced, in a file of its own.
std::string changedInput(const std::string& name, const std::string& tensor, const at::Tensor& value) {
    Tensors all = readWeights(goldenPath(name + ".expected.safetensors"));
    all.erase("out");
    all[tensor] = value;
    std::string file = (std::filesystem::path(testing::TempDir()) /
                        (std::string("ropescope_") + testing::UnitTest::GetInstance()->current_test_info()->name() +
                         "_in.safetensors"))
                           .string();
    writeWeights(file, all);
    return file;
}

TEST(Forward, InterpolationOfFluxCountsItsTokensMoreClosely) {
    for (const bool coupled : {false, true}) {
        const std::string name = "flux_tiny_harope_inverse";
        ForwardCommand c = command(Convention::Unknown);
        c.model.path = goldenPath(name + ".safetensors");
        c.in = goldenPath(name + ".expected.safetensors");
        c.extrapolate = {Extrapolation::Interpolation, {1, 2}, coupled};
        const auto done = forwardToFile(c);
        ASSERT_TRUE(done) << done.error().message();
        const at::Tensor stretched = goldenTensor(c.out, "out");
        at::Tensor ids = goldenTensor(c.in, "img_ids");
        ids.select(1, 1).div_(3), ids.select(1, 2).div_(coupled ? 3 : 2);
        const std::string recorded = c.in;
        c.in = changedInput(name, "img_ids", ids), c.extrapolate = {}, c.field = false;
        ASSERT_TRUE(forwardToFile(c));
        expectClose(goldenTensor(c.out, "out"), stretched, 1e-5);
        EXPECT_GT((stretched - goldenTensor(recorded, "out")).abs().max().item<double>(), 1e-4);
    }
}

TEST(Forward, EveryMethodStretchesFluxAndSd3WithMapsAlone) {
    for (const char* name : {"flux_tiny_harope_inverse", "sd35_tiny_harope_inverse"}) {
        ForwardCommand c = command(Convention::Unknown);
        c.model.path = goldenPath(std::string(name) + ".safetensors");
        c.in = goldenPath(std::string(name) + ".expected.safetensors");
        for (const Extrapolation method : {Extrapolation::Interpolation, Extrapolation::NtkAware, Extrapolation::Yarn,
                                           Extrapolation::NtkByParts, Extrapolation::TimeAware}) {
            SCOPED_TRACE(name + std::string(" ") + std::string(enumName(method)));
            c.extrapolate = {method, {2, 2}};
            const at::Tensor time = goldenTensor(c.in, "timestep");
            const std::string recorded = c.in;
            if (method == Extrapolation::TimeAware) {
                EXPECT_FALSE(forwardToFile(c)) << "two times";
                c.in = changedInput(name, "timestep", time[0].expand({2}).clone());
            }
            const auto done = forwardToFile(c);
            ASSERT_TRUE(done) << done.error().message();
            EXPECT_GT((goldenTensor(c.out, "out")[0] - goldenTensor(recorded, "out")[0]).abs().max().item<double>(),
                      1e-5);
            c.in = recorded;
        }
        c.extrapolate = {Extrapolation::Yarn, {8, 8}};  // no larger than the trained grid
        ASSERT_TRUE(forwardToFile(c));
        expectClose(goldenTensor(c.out, "out"), goldenTensor(c.in, "out"));
    }
    ForwardCommand c = command(Convention::Unknown);
    c.model.path = goldenPath("sd35_tiny.safetensors");
    c.in = goldenPath("sd35_tiny.expected.safetensors");
    c.extrapolate.method = Extrapolation::NtkAware;
    EXPECT_EQ(forwardToFile(c).error().exitCode(), 2) << "absolute positions have no ladder";
}

TEST(Forward, InterpolationResizesTheTableOfSd3BeyondItsEnd) {
    const std::string name = "sd35_tiny_native";
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(4);
    ForwardCommand c = command(Convention::Unknown);
    c.model.path = goldenPath(name + ".safetensors"), c.model.config = goldenPath(name + ".config.json");
    c.in = changedInput(name, "hidden_states", at::randn({2, 4, 20, 24}, generator, at::kDouble));
    const auto refused = forwardToFile(c);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("--extrapolation interpolation"), std::string::npos)
        << refused.error().message();
    c.extrapolate = {Extrapolation::Interpolation, {4, 6}};
    const auto done = forwardToFile(c);
    ASSERT_TRUE(done) << done.error().message();
    const at::Tensor stretched = goldenTensor(c.out, "out");
    // The same by hand: the middle 4x6 of the 8x8 places, resized, as the table of another model.
    Tensors weights = readWeights(c.model.path);
    const at::Tensor table = weights.at("pos_embed").view({8, 8, 16}).narrow(0, 2, 4).narrow(1, 1, 6);
    const at::Tensor resized = resizePositions(table.reshape({1, 24, 16}), {4, 6}, {10, 12}).view({10, 12, 16});
    at::Tensor square = at::zeros({12, 12, 16}, at::kDouble);
    square.narrow(0, 1, 10).copy_(resized);
    weights["pos_embed"] = square.view({1, 144, 16});
    c.model.path = c.out + ".model.safetensors";
    writeWeights(c.model.path, weights);
    c.extrapolate = {};
    const auto by = forwardToFile(c);
    ASSERT_TRUE(by) << by.error().message();
    expectClose(goldenTensor(c.out, "out"), stretched, 1e-5);
}

TEST(Forward, RunsOfFluxAndSd3TakeExtrapolations) {
    GenerateRequest run = flux();
    const at::Tensor plain = tensorOf(drawn(run).latents);
    run.extrapolate = {Extrapolation::TimeAware, {1, 2}};
    EXPECT_GT((tensorOf(drawn(run).latents) - plain).abs().max().item<float>(), 1e-4);
    run.extrapolate = {Extrapolation::NtkAware, {}};  // trained on 64x64 tokens
    EXPECT_LE((tensorOf(drawn(run).latents) - plain).abs().max().item<float>(), 1e-6);
    run = sd3();
    run.noiseFile.clear(), run.size = {160, 192}, run.vae.clear(), run.steps = 1;
    const auto large = generate(run, {});
    ASSERT_FALSE(large);
    EXPECT_NE(large.error().message().find("--extrapolation interpolation"), std::string::npos);
    run.extrapolate.method = Extrapolation::Interpolation;
    EXPECT_EQ(drawn(run).latents.shape, (std::vector<std::int64_t>{1, 4, 20, 24}));
    run.extrapolate.trained = {9, 9};
    EXPECT_EQ(generate(run, {}).error().exitCode(), 2) << "the table has 8x8 places";
    run.extrapolate = {Extrapolation::Yarn, {}};
    EXPECT_EQ(generate(run, {}).error().exitCode(), 2) << "absolute positions have no ladder";
}

TEST(Forward, AnAutoencoderDecodesAndEncodes) {
    ForwardCommand c = command(Convention::Unknown);
    c.model.path = goldenPath("vae16_tiny.safetensors");
    c.in = goldenPath("vae16_tiny.expected.safetensors");
    const auto done = forwardToFile(c);
    ASSERT_TRUE(done) << done.error().message();
    for (const char* name : {"out", "out_mean", "out_logvar"})
        expectClose(goldenTensor(c.out, name), goldenTensor(c.in, name));
}

TEST(Forward, RefusesInputsOfOtherShapesByName) {
    ForwardCommand c = command(Convention::Unknown);
    c.model.path = goldenPath("flux_tiny.safetensors");
    c.in = goldenPath("sd3_tiny.expected.safetensors");
    const auto done = forwardToFile(c);
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().message().find("hidden_states: wrong shape (found [2,4,6,10], expected [n,n,8])"),
              std::string::npos)
        << done.error().message();
}

TEST(Forward, RefusesInputsThatDoNotFit) {
    ForwardCommand c = command(Convention::Inverse);
    c.in = goldenPath("harope_dit_tiny.pt");  // holds no x
    const auto done = forwardToFile(c);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().exitCode(), 1);
    EXPECT_NE(done.error().message().find("> x: the input is missing"), std::string::npos) << done.error().message();
}

}  // namespace
}  // namespace ropescope
