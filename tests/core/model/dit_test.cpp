// SPDX-License-Identifier: Apache-2.0
#include "core/model/dit.h"

#include <ATen/core/grad_mode.h>

#include <cmath>

#include "tests/core/golden.h"

namespace ropescope {
namespace {

DitShape tinyShape(const char* encoding, Convention convention) {
    return {2, 3, 16, 2, 4, 8, 5, 10000, findEncoding(encoding).value(), convention};
}

WeightTable tinyWeights(const std::string& name, const DitShape& shape) {
    return loadDitWeights(TensorTable::open(goldenPath(name + ".pt")).value(), shape).value();
}

at::Tensor input(const std::string& expected, const char* name) {
    return goldenTensor(expected, name);
}

at::Tensor forward(const WeightTable& w, const DitShape& shape, const std::string& expected, const DitTaps& taps = {}) {
    const at::NoGradGuard noGrad;
    return ditForward(w, shape, input(expected, "x").to(at::kFloat), input(expected, "t"),
                      input(expected, "y").to(at::kLong), taps);
}

TEST(Dit, EqualsRecordedOutputsAndAttentionInBothConventions) {
    const std::string expected = goldenPath("harope_dit_tiny.expected.safetensors");
    for (const auto& [convention, version] :
         {std::pair{Convention::Same, "v1."}, std::pair{Convention::Inverse, "v2."}}) {
        SCOPED_TRACE(version);
        const DitShape shape = tinyShape("harope", convention);
        std::vector<at::Tensor> attention(shape.layers);
        DitTaps taps;
        taps.attention = [&](int layer, const at::Tensor& a) { attention[layer] = a; };
        const at::Tensor out = forward(tinyWeights("harope_dit_tiny", shape), shape, expected, taps);
        expectClose(out, goldenTensor(expected, std::string(version) + "out"));
        expectClose(at::stack(attention), goldenTensor(expected, std::string(version) + "attention"));
    }
}

TEST(Dit, EqualsTheRecordedOutputWithAbsolutePositions) {
    const std::string expected = goldenPath("dit_ape_tiny.expected.safetensors");
    const DitShape shape = tinyShape("absolute", Convention::None);
    expectClose(forward(tinyWeights("dit_ape_tiny", shape), shape, expected), goldenTensor(expected, "out"));
}

TEST(Dit, FoldedMapsGiveThePlainRopeModel) {
    const std::string expected = goldenPath("harope_dit_tiny.expected.safetensors");
    const DitShape shape = tinyShape("harope", Convention::Inverse);
    const WeightTable folded = foldMaps(tinyWeights("harope_dit_tiny", shape), shape);
    for (const auto& [name, tensor] : folded) EXPECT_EQ(name.find("learnable_rot"), std::string::npos);
    expectClose(forward(folded, tinyShape("axial", Convention::None), expected), goldenTensor(expected, "v2.out"));
}

// Every tensor is a sine of its place, so that the expected numbers need no file; they are those of the released code.
TEST(Dit, EqualsTheReleasedCodeOnWeightsOfAFormula) {
    const DitShape shape{2, 2, 16, 2, 4, 8, 3, 10000, findEncoding("harope").value(), Convention::Inverse};
    const WeightTable made = initialDitWeights(shape, {4, 4}, 0);
    std::vector<std::string> order = {
        "x_embedder.proj.weight",  "x_embedder.proj.bias",  "t_embedder.mlp.0.weight",          "t_embedder.mlp.0.bias",
        "t_embedder.mlp.2.weight", "t_embedder.mlp.2.bias", "y_embedder.embedding_table.weight"};
    for (const std::string block : {"blocks.0.", "blocks.1."})
        for (const char* part :
             {"attn.learnable_rot.A_u", "attn.learnable_rot.A_v", "attn.learnable_rot.sigma", "attn.qkv.weight",
              "attn.qkv.bias", "attn.proj.weight", "attn.proj.bias", "mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight",
              "mlp.fc2.bias", "adaLN_modulation.1.weight", "adaLN_modulation.1.bias"})
            order.push_back(block + part);
    for (const char* part : {"linear.weight", "linear.bias", "adaLN_modulation.1.weight", "adaLN_modulation.1.bias"})
        order.push_back(std::string("final_layer.") + part);
    ASSERT_EQ(order.size(), made.size());
    WeightTable w;
    for (std::size_t k = 0; k < order.size(); ++k) {
        const at::Tensor j = at::arange(made.at(order[k]).numel(), at::kDouble);
        const double amplitude = order[k].find(".attn.") != std::string::npos ? 0.5 : 0.1;
        w[order[k]] =
            ((j * 0.7 + 1.3 * static_cast<double>(k)).sin() * amplitude).to(at::kFloat).view_as(made.at(order[k]));
    }
    const at::Tensor x = (at::arange(512, at::kDouble) * 0.3).cos().to(at::kFloat).view({2, 4, 8, 8});
    const at::NoGradGuard noGrad;
    const at::Tensor out = ditForward(w, shape, x, at::tensor({37.0, 999.0}), at::tensor({1, 3}, at::kLong));
    const auto expectRow = [&](int b, int c, int r, std::vector<double> values) {
        for (int i = 0; i < 4; ++i) EXPECT_NEAR(out[b][c][r][i].item<double>(), values[i], 2e-4);
    };
    expectRow(0, 0, 0, {-.480259, .518565, -.414889, .451798});
    expectRow(0, 7, 3, {-.672234, .676236, -.627825, .638050});
    expectRow(1, 2, 1, {-.674652, .601106, -.654351, .575557});
    EXPECT_NEAR(out.abs().sum().item<double>(), 518.2029, 1e-2);
}

TEST(Dit, TapsReplaceMapsAndQueries) {
    const std::string expected = goldenPath("harope_dit_tiny.expected.safetensors");
    const DitShape shape = tinyShape("harope", Convention::Inverse);
    const WeightTable w = tinyWeights("harope_dit_tiny", shape);
    DitTaps identity;
    identity.maps = [](int, HeadMaps& maps) { maps.query = maps.key = at::eye(16).expand({3, 16, 16}); };
    WeightTable plain = w;
    for (const char* layer : {"blocks.0.", "blocks.1."})
        for (const char* f : {"A_u", "A_v", "sigma"}) plain.erase(std::string(layer) + "attn.learnable_rot." + f);
    expectClose(forward(w, shape, expected, identity), forward(plain, tinyShape("axial", Convention::None), expected));
    DitTaps silent;
    silent.queryKey = [](int, at::Tensor& q, at::Tensor&) { q = at::zeros_like(q); };
    silent.attention = [](int, const at::Tensor& a) {
        EXPECT_LE((a - 1.0 / static_cast<double>(a.size(-1))).abs().max().item<double>(), 1e-6);
    };
    (void)forward(w, shape, expected, silent);
}

TEST(Dit, MissingAndMisshapenTensorsAreNamed) {
    const TensorTable table = TensorTable::open(goldenPath("dit_ape_tiny.pt")).value();
    const auto missing = loadDitWeights(table, tinyShape("harope", Convention::Same));
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().message().find("learnable_rot"), std::string::npos);
    DitShape wrong = tinyShape("absolute", Convention::None);
    wrong.classes = 9;
    const auto misshapen = loadDitWeights(table, wrong);
    ASSERT_FALSE(misshapen);
    EXPECT_NE(misshapen.error().message().find("y_embedder"), std::string::npos);
}

}  // namespace
}  // namespace ropescope
