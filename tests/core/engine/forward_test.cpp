// SPDX-License-Identifier: Apache-2.0
#include "core/engine/measure/forward.h"

#include <filesystem>
#include <fstream>

#include "core/data/safetensors.h"
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
