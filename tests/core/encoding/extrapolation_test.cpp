// SPDX-License-Identifier: Apache-2.0
#include "core/encoding/extrapolation.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "core/data/enum_names.h"

namespace ropescope {
namespace {

using E = Extrapolation;

constexpr E kMethods[] = {E::Interpolation, E::NtkAware, E::Yarn, E::NtkByParts, E::TimeAware};

EncodingSpec specOf(const char* name, int headDim, double theta = 10000) {
    EncodingSpec spec{findEncoding(name).value(), 2, headDim, theta, Convention::Inverse};
    if (spec.encoding->hasMaps()) spec.matrix = spec.encoding->map->kinds.front();
    return spec;
}

LayerPositions positionsOf(const EncodingSpec& spec) {
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(3);
    return layerPositions(initialPositions("blocks.0.attn.", spec, generator), "blocks.0.attn.", spec, 0);
}

Stretch stretchTo(const EncodingSpec& spec, E method, Grid trained, Grid target, double time = 1, bool coupled = true) {
    return stretchOf({method, {}, coupled, time}, trained, target, spec.encoding->axes);
}

at::Tensor stretched(const EncodingSpec& spec, const Stretch& stretch) {
    LayerPositions positions = positionsOf(spec);
    stretchPositions(positions, spec, stretch);
    return positions.frequency;
}

void expectNear(const at::Tensor& found, const at::Tensor& expected, double tolerance = 1e-12) {
    ASSERT_EQ(found.sizes(), expected.sizes());
    EXPECT_LE((found - expected).abs().max().item<double>(), tolerance);
}

TEST(Extrapolation, TheTrainedGridAndSmallerOnesChangeNothing) {
    for (const char* name : {"axial", "rope1d", "video", "harope", "mixed", "string"})
        for (const E method : kMethods)
            for (const Grid target : {Grid{16, 16}, Grid{8, 16}}) {
                SCOPED_TRACE(std::string(name) + " " + std::string(enumName(method)));
                const EncodingSpec spec = specOf(name, 32);
                LayerPositions positions = positionsOf(spec);
                const at::Tensor before = positions.frequency.clone();
                stretchPositions(positions, spec, stretchTo(spec, method, {16, 16}, target));
                EXPECT_TRUE(at::equal(positions.frequency, before));
                EXPECT_FALSE(positions.factor.defined());
            }
}

// The formulas themselves at s -> 1, not the shortcut for s = 1.
TEST(Extrapolation, EveryFormulaTendsToTheIdentity) {
    const EncodingSpec spec = specOf("axial", 64);
    for (const E method : kMethods) {
        Stretch stretch = stretchTo(spec, method, {16, 16}, {32, 32});
        stretch.scale = {1 + 1e-9, 1 + 1e-9};
        LayerPositions positions = positionsOf(spec);
        stretchPositions(positions, spec, stretch);
        expectNear(positions.frequency, positionsOf(spec).frequency, 1e-8);
        if (positions.factor.defined()) expectNear(positions.factor, at::ones({32}, at::kDouble), 1e-8);
    }
}

TEST(Extrapolation, InterpolationDividesEveryEncodingAlsoLearnedOnes) {
    for (const char* name : {"axial", "rope1d", "video", "harope", "rethinking", "mixed", "string"}) {
        const EncodingSpec spec = specOf(name, 32);
        const double s = spec.encoding->axes == 1 ? 4 : 2;  // one axis counts tokens
        expectNear(stretched(spec, stretchTo(spec, E::Interpolation, {8, 8}, {16, 16})),
                   positionsOf(spec).frequency / s);
    }
}

TEST(Extrapolation, AxesShareTheLargerScaleOrHaveTheirOwn) {
    const EncodingSpec spec = specOf("mixed", 16);
    const at::Tensor f = positionsOf(spec).frequency;
    expectNear(stretched(spec, stretchTo(spec, E::Interpolation, {8, 8}, {16, 24})), f / 3);
    const at::Tensor own = stretched(spec, stretchTo(spec, E::Interpolation, {8, 8}, {16, 24}, 1, false));
    expectNear(own.select(-1, 0), f.select(-1, 0) / 2);
    expectNear(own.select(-1, 1), f.select(-1, 1) / 3);
}

TEST(Extrapolation, NtkKeepsTheFastestAndInterpolatesTheSlowest) {
    for (const char* name : {"axial", "rope1d"}) {
        const EncodingSpec spec = specOf(name, 64);
        const at::Tensor before = positionsOf(spec).frequency[0].amax(1);
        const Stretch stretch = stretchTo(spec, E::NtkAware, {16, 16}, {32, 32});
        const at::Tensor after = stretched(spec, stretch)[0].amax(1);
        const std::int64_t rungs = 32 / spec.encoding->axes;
        EXPECT_DOUBLE_EQ(after[0].item<double>(), 1);
        EXPECT_NEAR(after[rungs - 1].item<double>(), before[rungs - 1].item<double>() / stretch.scale[0], 1e-15);
        // The base itself: b s^(D_a/(D_a-2)).
        const double width = 2.0 * rungs, base = 10000 * std::pow(stretch.scale[0], width / (width - 2));
        for (std::int64_t i = 0; i < rungs; ++i)
            EXPECT_NEAR(after[i].item<double>(), std::pow(base, -2.0 * i / width), 1e-14);
    }
}

TEST(Extrapolation, YarnLeavesFastPlanesAndInterpolatesSlowOnes) {
    const EncodingSpec spec = specOf("rope1d", 64);
    const Stretch stretch = stretchTo(spec, E::Yarn, {64, 64}, {128, 128});  // L = 4096, s = 4
    LayerPositions positions = positionsOf(spec);
    const at::Tensor before = positions.frequency.flatten();
    stretchPositions(positions, spec, stretch);
    int fast = 0, slow = 0, between = 0;
    for (std::int64_t p = 0; p < 32; ++p) {
        const double w = before[p].item<double>(), now = positions.frequency.flatten()[p].item<double>();
        const double turns = 4096 * w / (2 * std::numbers::pi);
        if (turns >= 32) {
            ++fast;
            EXPECT_DOUBLE_EQ(now, w);
        } else if (turns <= 1) {
            ++slow;
            EXPECT_DOUBLE_EQ(now, w / 4);
        } else {
            ++between;
            EXPECT_TRUE(now < w && now > w / 4);
        }
    }
    EXPECT_GT(fast, 5);
    EXPECT_GT(slow, 5);
    EXPECT_GT(between, 5);
    expectNear(positions.factor, at::full({32}, 0.1 * std::log(4.0) + 1, at::kDouble));
    // The factor is on cosines and sines.
    const RotaryTable table = rotaryTable(positions, {2, 2});
    EXPECT_NEAR(table.cos[0][0].item<double>(), 0.1 * std::log(4.0) + 1, 1e-6);
}

// D_a = 56, L = 64, s = 2: what DyPE's code makes of FLUX at full noise, the low 20 of 28 planes are halved.
TEST(Extrapolation, NtkByPartsHalvesTheSlowPlanesOfFlux) {
    const EncodingSpec spec = specOf("axial", 112);
    const at::Tensor before = positionsOf(spec).frequency[0].select(1, 0).narrow(0, 0, 28);
    const at::Tensor after =
        stretched(spec, stretchTo(spec, E::NtkByParts, {64, 64}, {128, 128}))[0].select(1, 0).narrow(0, 0, 28);
    expectNear(after.narrow(0, 8, 20), before.narrow(0, 8, 20) / 2);
    EXPECT_GT(after[7].item<double>(), before[7].item<double>() / 2 + 1e-6);
    EXPECT_DOUBLE_EQ(after[0].item<double>(), 1);
}

TEST(Extrapolation, TimeAwareGoesFromInterpolationToNtk) {
    const EncodingSpec spec = specOf("axial", 64);
    const at::Tensor noise = stretched(spec, stretchTo(spec, E::TimeAware, {16, 16}, {32, 32}, 0));
    const at::Tensor image = stretched(spec, stretchTo(spec, E::TimeAware, {16, 16}, {32, 32}, 1));
    at::Tensor expected = positionsOf(spec).frequency / 2;
    // The fastest plane of each axis is 1 to every base.
    expected[0][0][0] = 1, expected[0][16][1] = 1;
    expectNear(noise, expected);
    // Base b s^(D/(D+1)) against NTK's b s^(D_a/(D_a-2)): near, and never faster.
    const at::Tensor ntk = stretched(spec, stretchTo(spec, E::NtkAware, {16, 16}, {32, 32}));
    EXPECT_LE((image.amax(-1) / ntk.amax(-1) - 1).abs().max().item<double>(), 0.06);
    const at::Tensor half = stretched(spec, stretchTo(spec, E::TimeAware, {16, 16}, {32, 32}, 0.2));
    EXPECT_TRUE((half >= noise).all().item<bool>() && (half <= image).all().item<bool>());
    EXPECT_EQ(imageShare(1000), 0);
    EXPECT_EQ(imageShare(0), 1);
}

TEST(Extrapolation, MethodsWithoutALadderAreRefusedByName) {
    for (const char* name : {"mixed", "string"}) {
        EXPECT_TRUE(checkExtrapolation(specOf(name, 32), E::Interpolation));
        const auto refused = checkExtrapolation(specOf(name, 32), E::NtkAware);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().exitCode(), 2);
        EXPECT_NE(refused.error().message().find("frequencies are learned"), std::string::npos);
    }
    EXPECT_TRUE(checkExtrapolation(specOf("absolute", 32), E::Interpolation));
    EXPECT_FALSE(checkExtrapolation(specOf("absolute", 32), E::Yarn));
    EXPECT_FALSE(checkExtrapolation(specOf("none", 32), E::Interpolation));
    for (const char* name : {"axial", "rope1d", "video", "rethinking", "harope"})
        for (const E method : kMethods) EXPECT_TRUE(checkExtrapolation(specOf(name, 32), method)) << name;
}

TEST(Extrapolation, MapsKnowNoPositions) {
    const EncodingSpec spec = specOf("harope", 32);
    LayerPositions positions = positionsOf(spec);
    const HeadMaps before = positions.maps;
    stretchPositions(positions, spec, stretchTo(spec, E::Yarn, {8, 8}, {16, 16}));
    EXPECT_TRUE(positions.maps.query.is_same(before.query) && positions.maps.key.is_same(before.key));
}

TEST(Extrapolation, TablesAreResizedAndLeadingTokensKept) {
    // A plane over the grid stays that plane away from the border: cubic interpolation is exact for it.
    at::Tensor table = at::empty({1, 1 + 8 * 8, 1}, at::kFloat);
    table[0][0][0] = 7;
    for (int n = 0; n < 64; ++n) table[0][1 + n][0] = 2.0 * (n / 8) + 3.0 * (n % 8);
    const at::Tensor large = resizePositions(table, {8, 8}, {16, 16}, 1);
    EXPECT_EQ(large.sizes(), at::IntArrayRef({1, 257, 1}));
    EXPECT_EQ(large[0][0][0].item<float>(), 7);
    for (int r = 6; r < 10; ++r)
        for (int c = 6; c < 10; ++c)
            EXPECT_NEAR(large[0][1 + 16 * r + c][0].item<float>(), 2 * (r / 2.0 - 0.25) + 3 * (c / 2.0 - 0.25), 1e-4);
    EXPECT_TRUE(resizePositions(table, {8, 8}, {8, 8}, 1).is_same(table));
}

// FLUX: axes of different width, the first of which stands still.
TEST(Extrapolation, AnAxisOfAnyWidthIsALadderOfItsOwn) {
    const EncodingSpec spec = specOf("axial", 32);
    const int widths[] = {20, 8};  // 4 features of the still axis before them
    const auto ladder = [&](const Stretch& stretch, int axis) {
        return stretchedLadder(widths[axis], spec.theta, spec.headDim, stretch, axis);
    };
    for (const E method : kMethods) {
        SCOPED_TRACE(std::string(enumName(method)));
        const Stretch stretch = stretchTo(spec, method, {16, 16}, {48, 32}, 0.3, false);
        LayerPositions positions;
        at::Tensor frequency = at::zeros({1, 16, 2}, at::kDouble);
        frequency[0].select(1, 0).narrow(0, 2, 10).copy_(ladder({}, 0).frequency);
        frequency[0].select(1, 1).narrow(0, 12, 4).copy_(ladder({}, 1).frequency);
        positions.frequency = frequency;
        stretchPositions(positions, spec, stretch);
        expectNear(positions.frequency[0].select(1, 0).narrow(0, 2, 10), ladder(stretch, 0).frequency);
        expectNear(positions.frequency[0].select(1, 1).narrow(0, 12, 4), ladder(stretch, 1).frequency);
        EXPECT_NEAR(ladder(stretch, 1).factor, method == E::Yarn ? 0.1 * std::log(2.0) + 1 : 1, 1e-12);
    }
    // NTK is another base of the axis' own ladder.
    const Stretch ntk = stretchTo(spec, E::NtkAware, {16, 16}, {32, 32});
    const at::Tensor base = stretchedLadder(20, 10000 * std::pow(2.0, 20.0 / 18), 32, {}, 0).frequency;
    expectNear(ladder(ntk, 0).frequency, base);
}

}  // namespace
}  // namespace ropescope
