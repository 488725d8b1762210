// SPDX-License-Identifier: Apache-2.0
#include "core/encoding/encoding.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <cmath>

namespace ropescope {
namespace {

at::Tensor row(std::initializer_list<double> values) {
    return at::tensor(std::vector<double>(values), at::kDouble);
}

void expectNear(const at::Tensor& found, const at::Tensor& expected, double tolerance) {
    ASSERT_EQ(found.sizes(), expected.sizes());
    EXPECT_LE((found.to(at::kDouble) - expected.to(at::kDouble)).abs().max().item<double>(), tolerance);
}

// The published example of the released code: one head, D = 4.
HaropeFactors publishedFactors() {
    at::Tensor u = at::empty({1, 4, 4}, at::kDouble), v = at::empty({1, 4, 4}, at::kDouble);
    for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j) {
            u[0][i][j] = 0.1 * (4 * i + j);
            v[0][i][j] = -0.05 * (4 * i + j) + 0.02 * j * j;
        }
    return haropeFactors(u, v, row({0.1, 0.2, 0.3, 0.4}).unsqueeze(0));
}

TEST(Harope, EqualsThePublishedMatrix) {
    const HaropeFactors f = publishedFactors();
    expectNear(f.s[0], row({.7443977, .7981399, .8543563, .9130163}), 1e-7);
    const HeadMaps maps = haropeMaps(f, Convention::Inverse);
    expectNear(maps.query[0].flatten(),
               row({.4269033, -.3477459, -.3779960, -.4087827, -.0515399, .6441220, -.2722979, -.4072416, .2476257,
                    .0683332, .7107121, -.3894920, .5851951, .3238106, .0116165, .5601199}),
               2e-7);  // printed from float32
    const at::Tensor q = row({1, 2, 3, 4}), k = row({.5, -1, 2, 1});
    expectNear(at::mv(maps.key[0], k), row({-.7398401, -2.3874469, 1.496882, .5504575}), 1e-6);
    EXPECT_NEAR(at::dot(at::mv(maps.query[0], q), at::mv(maps.key[0], k)).item<double>(), 8.5, 1e-9);
}

TEST(Harope, RotatesToThePublishedVectors) {
    const HeadMaps maps = haropeMaps(publishedFactors(), Convention::Inverse);
    const RotaryTable table = axialRotary({2, 3}, 4, 10000);
    const auto at = [&](const at::Tensor& x, int token) {
        return rotate(x.reshape({1, 4}).expand({6, 4}).contiguous(), table)[token];
    };
    const int token = 1 * 3 + 2;  // position (1, 2)
    expectNear(at(at::mv(maps.query[0], row({1, 2, 3, 4})), token), row({-.6238105, -3.2094524, -3.5888076, -.5883779}),
               1e-6);
    expectNear(at(at::mv(maps.key[0], row({.5, -1, 2, 1})), token), row({1.6092298, -1.912497, -1.1234522, 1.1320398}),
               1e-6);
}

TEST(Harope, SameMapPutsOneMatrixOnBothSidesAndConventionsMustBeSaid) {
    const HeadMaps maps = haropeMaps(publishedFactors(), Convention::Same);
    EXPECT_TRUE(at::equal(maps.query, maps.key));
    EXPECT_TRUE(at::equal(maps.query, haropeMaps(publishedFactors(), Convention::Inverse).query));
    EXPECT_THROW((void)haropeMaps(publishedFactors(), Convention::Unknown), std::invalid_argument);
}

TEST(Harope, InverseMapLeavesTheContentProductAlone) {
    const HeadMaps maps = haropeMaps(publishedFactors(), Convention::Inverse);
    expectNear(at::matmul(maps.query.mT(), maps.key)[0], at::eye(4, at::kDouble), 1e-12);
}

TEST(Harope, AcceptsSharedMapsInBothShapesAndRefusesHalfTypes) {
    const at::Tensor a = at::zeros({4, 4}, at::kDouble), sigma = at::zeros({4}, at::kDouble);
    EXPECT_EQ(haropeFactors(a, a, sigma).u.sizes(), at::IntArrayRef({1, 4, 4}));
    EXPECT_EQ(haropeFactors(a.unsqueeze(0), a.unsqueeze(0), sigma.unsqueeze(0)).s.sizes(), at::IntArrayRef({1, 4}));
    EXPECT_THROW((void)haropeFactors(a.to(at::kHalf), a, sigma), std::invalid_argument);
}

TEST(Harope, StartsAsTheIdentity) {
    EncodingSpec spec{findEncoding("harope").value(), 2, 8, 100, Convention::Same, MatrixKind::Svd};
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(1);
    const HeadMaps maps = layerPositions(initialPositions("x.", spec, generator), "x.", spec, 0).maps;
    expectNear(maps.query, at::eye(8, at::kDouble).expand({2, 8, 8}), 2e-6);
}

TEST(Rotary, FrequenciesAndAnglesFollowTheReleasedCode) {
    const RotaryTable table = axialRotary({2, 2}, 64, 10000);
    const at::Tensor cos = table.cos[3], sin = table.sin[3];  // token (1, 1)
    for (const int half : {0, 16}) {
        EXPECT_NEAR(cos[half].item<double>(), 0.5403023, 1e-6);
        EXPECT_NEAR(cos[half + 1].item<double>(), 0.8460091, 1e-6);
        EXPECT_NEAR(cos[half + 2].item<double>(), 0.9504153, 1e-6);
        EXPECT_NEAR(sin[half + 1].item<double>(), 0.5331684, 1e-6);
    }
    EXPECT_NEAR(axialFrequencies(64, 10000)[1], 0.5623413, 1e-7);
    const std::vector<double> planes = axialPlaneFrequencies(8, 100);
    EXPECT_EQ(planes, (std::vector<double>{1, 0, 0.1, 0, 0, 1, 0, 0.1}));
    EXPECT_THROW((void)axialFrequencies(6, 100), std::invalid_argument);
}

TEST(Rotary, LaddersFollowTheirPapers) {
    EncodingSpec spec{findEncoding("rope1d").value(), 2, 8, 10000};
    expectNear(layerPositions({}, "x.", spec, 0).frequency[0].flatten(), row({1, 0.1, 0.01, 0.001}), 1e-12);
    // The flattened index: token (1, 2) of three columns is 5.
    const RotaryTable flat = rotaryTable(layerPositions({}, "x.", spec, 0).frequency, {2, 3});
    EXPECT_NEAR(flat.cos[5][0].item<double>(), std::cos(5.0), 1e-7);
    spec.encoding = findEncoding("axial").value(), spec.theta = 100, spec.order = AxisOrder::ColumnFirst;
    // Angles of the token (1, 2) under timm's 'xy' order: 2, 0.2, 1, 0.1.
    const RotaryTable xy = rotaryTable(layerPositions({}, "x.", spec, 0).frequency, {3, 5});
    expectNear(xy.cos[7], row({2, 0.2, 1, 0.1}).cos(), 1e-7);
    // One image under VideoRoPE: 12 spatial planes of 16, row and column by turns, one ladder; the others are still.
    EncodingSpec video{findEncoding("video").value(), 1, 32, 10000};
    const at::Tensor v = layerPositions({}, "x.", video, 0).frequency[0];
    EXPECT_NEAR(v[2][0].item<double>(), std::pow(10000.0, -4.0 / 32), 1e-12);
    EXPECT_NEAR(v[3][1].item<double>(), std::pow(10000.0, -6.0 / 32), 1e-12);
    EXPECT_EQ(v[3][0].item<double>(), 0);
    EXPECT_EQ(at::count_nonzero(v).item<std::int64_t>(), 12);
}

TEST(Rotary, MixedFrequenciesHaveTheLengthsOfTheLadderAndOrthogonalHalves) {
    EncodingSpec spec{findEncoding("mixed").value(), 3, 16, 10};
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(2);
    const WeightTable w = initialPositions("blocks.0.attn.", spec, generator);
    EXPECT_EQ(w.at("blocks.0.attn.freqs").sizes(), at::IntArrayRef({2, 3, 8}));
    const at::Tensor f = layerPositions(w, "blocks.0.attn.", spec, 0).frequency;  // [3,8,2]
    const at::Tensor ladder = at::pow(10.0, at::arange(4, at::kDouble) * (-4.0 / 16));
    expectNear(f.norm(2, {-1}), at::cat({ladder, ladder}).expand({3, 8}), 1e-6);
    expectNear((f.narrow(1, 0, 4) * f.narrow(1, 4, 4)).sum(-1), at::zeros({3, 4}, at::kDouble), 1e-6);
    EXPECT_GT((f[0] - f[1]).abs().max().item<double>(), 0.1);  // every head its own direction
}

TEST(Positions, SinCosTableHasTheColumnFirst) {
    const at::Tensor table = sinCosPositions({4, 4}, 384)[0];
    expectNear(table[1].narrow(0, 0, 3), row({0.84147098, 0.78859304, 0.73482198}), 1e-7);
    expectNear(table[1].narrow(0, 96, 3), row({0.54030231, 0.61491545, 0.67826002}), 1e-7);
    EXPECT_EQ(table[1][192].item<float>(), 0.0f);
    EXPECT_EQ(table[1][288].item<float>(), 1.0f);
    expectNear(table[4].narrow(0, 192, 192), table[1].narrow(0, 0, 192), 0);
}

TEST(Encodings, UnknownNamesAreUsageErrors) {
    const auto found = findEncoding("rope9");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().exitCode(), 2);
    EXPECT_NE(found.error().message().find("harope"), std::string::npos);
}

/// The definition: feature p turns with feature p + D/2; here in its own words against the interleaved rotation.
TEST(RotaryLayout, HalfSplitPlanesTurnAsTheirDefinitionSays) {
    constexpr int d = 8;
    const Grid grid{2, 3};
    const at::Tensor q = at::randn({grid.tokens(), d}, at::kDouble), k = at::randn({grid.tokens(), d}, at::kDouble);
    const at::Tensor map = at::randn({d, d}, at::kDouble);  // between half-split features
    const std::vector<double> frequency = axialPlaneFrequencies(d, 10);
    const auto turned = [&](const at::Tensor& x) {
        at::Tensor y = at::matmul(x, map.mT()), out = y.clone();
        for (int n = 0; n < grid.tokens(); ++n)
            for (int p = 0; p < d / 2; ++p) {
                const double angle = frequency[2 * p] * (n / grid.cols) + frequency[2 * p + 1] * (n % grid.cols);
                const double a = y[n][p].item<double>(), b = y[n][p + d / 2].item<double>();
                out[n][p] = a * std::cos(angle) - b * std::sin(angle);
                out[n][p + d / 2] = b * std::cos(angle) + a * std::sin(angle);
            }
        return out;
    };
    const at::Tensor order = halfSplitOrder(d);
    EXPECT_TRUE(at::equal(order, at::tensor({0, 4, 1, 5, 2, 6, 3, 7}, at::kLong)));
    const auto interleaved = [&](const at::Tensor& x) {
        return rotate(at::matmul(x.index_select(-1, order), interleavedMap(map).mT()), axialRotary(grid, d, 10));
    };
    const at::Tensor expected = at::matmul(turned(q), turned(k).mT());
    const at::Tensor found = at::matmul(interleaved(q), interleaved(k).mT());
    // The table is float32.
    EXPECT_TRUE(at::allclose(found, expected, 1e-5, 1e-5));
}

}  // namespace
}  // namespace ropescope
