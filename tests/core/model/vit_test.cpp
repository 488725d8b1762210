// SPDX-License-Identifier: Apache-2.0
// ViTs against outputs that timm recorded, and against closed forms.
#include "core/model/vit.h"

#include "core/model/vit_inference.h"
#include "core/probe/token_field.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

struct Loaded {
    ModelCard card;
    ViTShape shape;
    WeightTable weights;
};

Loaded loaded(const std::string& file, int heads = 0) {
    ModelRef ref;
    ref.path = goldenPath(file);
    ref.heads = heads;
    const TensorTable table = TensorTable::open(ref.path).value();
    const auto card = recognise(table, ref);
    if (!card) throw std::runtime_error(card.error().message());
    const auto complete = checkComplete(table, *card);
    if (!complete) throw std::runtime_error(complete.error().message());
    const auto shape = viTShape(*card);
    if (!shape) throw std::runtime_error(shape.error().message());
    auto weights = loadViTWeights(table, *shape);
    if (!weights) throw std::runtime_error(weights.error().message());
    return {*card, *shape, *weights};
}

struct Recorded {
    const char* name;
    const char* encoding;
    const char* suffix = ".safetensors";
    int heads = 0;
};

// Squares and 3x5 grids, both conventions, class token turned and passed by, names of timm and of rope-vit.
const Recorded kRecorded[] = {
    {"vit_tiny_patch16_224", "absolute"},
    {"vit_tiny_patch16_rope_224", "axial"},
    {"vit_tiny_patch16_rope_ape_224", "axial"},
    {"vit_tiny_patch16_rope_mixed_224", "mixed"},
    {"vit_wide_plain", "absolute"},
    {"vit_wide_mixed_ape", "mixed"},
    {"vit_harope_svd_inverse_all", "harope"},
    {"vit_harope_svd_same_patches", "harope"},
    {"vit_harope_full_inverse_patches", "harope"},
    {"vit_harope_cayley_same_all", "harope"},
    {"rope_vit_mixed_tiny", "mixed", ".pt", 2},
};

TEST(ViT, EqualsTheRecordedOutputs) {
    for (const Recorded& r : kRecorded) {
        SCOPED_TRACE(r.name);
        const Loaded model = loaded(std::string(r.name) + r.suffix, r.heads);
        EXPECT_EQ(model.card.encoding, r.encoding);
        const std::string expected = goldenPath(std::string(r.name) + ".expected.safetensors");
        const at::Tensor x = goldenTensor(expected, "x").to(at::kFloat), out = goldenTensor(expected, "out");
        expectClose(vitForward(model.weights, model.shape, x), out);
        const ViTInference fast(model.weights, model.shape, at::kCPU, at::kFloat);
        expectClose(fast.forward(x), out);
        // The maps are far from the identity: without them the logits are others.
        if (!model.shape.encoding->hasMaps()) continue;
        ViTTaps plain;
        plain.maps = [&](int, HeadMaps& maps) {
            const at::Tensor one = at::eye(model.shape.headDim, at::kDouble);
            maps.query = maps.key = one.unsqueeze(0);
        };
        EXPECT_GT((vitForward(model.weights, model.shape, x, plain) - out).abs().max().item<double>(), 1e-2);
    }
}

TEST(ViT, ANewModelOfEveryEncodingLearns) {
    for (const Encoding& encoding : encodings()) {
        SCOPED_TRACE(std::string(encoding.name));
        ViTShape shape;
        shape.layers = 2, shape.heads = 2, shape.headDim = 8, shape.patch = 4, shape.inChannels = 1, shape.classes = 3;
        shape.encoding = &encoding;
        shape.convention = encoding.conventions ? Convention::Inverse : Convention::None;
        shape.table = encoding.added == PositionTable::Added ? ViTTable::WithClass : ViTTable::None;
        shape.tableGrid = {2, 3};
        shape.layerScale = encoding.name == "axial";
        WeightTable weights = initialViTWeights(shape, {2, 3}, 5);
        for (auto& [name, tensor] : weights) tensor.requires_grad_(true);
        at::Tensor out = vitForward(weights, shape, at::randn({2, 1, 8, 12}));
        ASSERT_EQ(out.sizes(), (at::IntArrayRef{2, 3}));
        out.square().sum().backward();
        for (const auto& [name, tensor] : weights) EXPECT_TRUE(tensor.grad().defined()) << name;
    }
}

TEST(ViT, TheTokensWithoutAPlaceAreNotTurned) {
    ViTShape shape;
    shape.layers = 1, shape.heads = 2, shape.headDim = 8, shape.patch = 4, shape.inChannels = 1, shape.classes = 3;
    shape.encoding = findEncoding("axial").value();
    const WeightTable weights = initialViTWeights(shape, {2, 2}, 1);
    ViTTaps turned, still;
    at::Tensor turnedQuery, stillQuery;
    turned.queryKey = [&](int, at::Tensor& q, at::Tensor&) { turnedQuery = q; };
    still.queryKey = [&](int, at::Tensor& q, at::Tensor&) { stillQuery = q; };
    const at::Tensor x = at::randn({1, 1, 8, 8});
    (void)vitForward(weights, shape, x, turned);
    ViTShape none = shape;
    none.encoding = findEncoding("none").value();
    (void)vitForward(weights, none, x, still);
    // Token 0 is the class token, token 1 lies at the origin, token 4 one step from it in both directions.
    EXPECT_TRUE(at::equal(turnedQuery.select(2, 0), stillQuery.select(2, 0)));
    EXPECT_TRUE(at::allclose(turnedQuery.select(2, 1), stillQuery.select(2, 1)));
    EXPECT_GT((turnedQuery.select(2, 4) - stillQuery.select(2, 4)).abs().max().item<double>(), 1e-4);
}

TEST(ViT, ATableOfAnotherGridIsResampled) {
    const Loaded model = loaded("vit_tiny_patch16_224.safetensors");
    WeightTable constant = model.weights;
    // A table without differences stays the same on every grid: bicubic weights sum to one.
    constant["pos_embed"] = constant["pos_embed"].narrow(1, 0, 1).expand({1, 17, 48}).contiguous();
    const at::Tensor x = at::randn({1, 3, 48, 80});
    ViTShape exact = model.shape;
    exact.tableGrid = {3, 5};
    WeightTable sized = constant;
    sized["pos_embed"] = constant["pos_embed"].narrow(1, 0, 1).expand({1, 16, 48}).contiguous();
    EXPECT_LT((vitEmbed(constant, model.shape, x) - vitEmbed(sized, exact, x)).abs().max().item<double>(), 1e-5);
    EXPECT_EQ(vitForward(model.weights, model.shape, x).sizes(), (at::IntArrayRef{1, 11}));
}

TEST(ViT, FieldsKeepTheClassTokensShareApart) {
    const at::Tensor uniform = at::full({2, 3, 7, 7}, 1.0 / 7);
    const TokenField field = fieldOfTokens(uniform, {2, 3});
    for (int head = 0; head < 3; ++head) {
        EXPECT_NEAR(field.classShare[head].item<double>(), 1.0 / 7, 1e-6);
        EXPECT_NEAR(field.classToItself[head].item<double>(), 1.0 / 7, 1e-6);
        EXPECT_NEAR(field.patches.sum[head].sum().item<double>(), 6.0 / 7, 1e-6);
        EXPECT_NEAR(field.patches.entropy[head].item<double>(), std::log(7.0), 1e-5);
    }
    EXPECT_EQ(field.ofClass.sizes(), (at::IntArrayRef{3, 2, 3}));
    EXPECT_EQ(field.patches.sum.sizes(), (at::IntArrayRef{3, 3, 5}));
    // Registers too: three of the seven tokens lead a grid of four.
    const TokenField more = fieldOfTokens(uniform, {2, 2});
    EXPECT_NEAR(more.classShare[0].item<double>(), 3.0 / 7, 1e-6);
    EXPECT_NEAR(more.patches.sum[0].sum().item<double>(), 4.0 / 7, 1e-6);
    EXPECT_NEAR(more.patches.entropy[0].item<double>(), std::log(7.0), 1e-5);
    EXPECT_THROW((void)fieldOfTokens(uniform, {2, 4}), std::invalid_argument);
}

TEST(ViT, AsksWhetherMapsTurnTheClassToken) {
    ModelCard card = loaded("vit_harope_svd_inverse_all.safetensors").card;
    card.mapTokens = MapTokens::Unknown;
    const auto shape = viTShape(card);
    ASSERT_FALSE(shape);
    EXPECT_EQ(shape.error().exitCode(), 2);
    EXPECT_NE(shape.error().message().find("--map-tokens"), std::string::npos);
}

}  // namespace
}  // namespace ropescope
