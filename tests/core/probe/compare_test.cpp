// SPDX-License-Identifier: Apache-2.0
#include "core/probe/compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/data/kernel_series.h"
#include "core/probe/frequencies.h"
#include "tests/core/probe/example_heads.h"

namespace ropescope {
namespace {

TEST(Compare, PairWeightsCountPairs) {
    const std::vector<double> w = pairWeights({3, 4});
    ASSERT_EQ(w.size(), 35u);
    EXPECT_NEAR(std::accumulate(w.begin(), w.end(), 0.0), 1, 1e-14);
    EXPECT_DOUBLE_EQ(w[17], 12 / 144.0);  // offset zero
    EXPECT_DOUBLE_EQ(w[0], 1 / 144.0);    // the corner is one pair
}

TEST(Compare, EqualRowsCorrelateOppositeOnesOppositelyAndConstantsNot) {
    const std::vector<double> weights = {0.5, 0.25, 0.25};
    const std::vector<double> m = correlations({{1, 2, 4}, {3, 5, 9}, {-1, -2, -4}, {7, 7, 7}, {}}, weights);
    EXPECT_NEAR(m[0], 1, 1e-14);
    EXPECT_NEAR(m[1], 1, 1e-14);
    EXPECT_NEAR(m[2], -1, 1e-14);
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(std::isnan(m[3 * 5 + i]) && std::isnan(m[i * 5 + 4]));
    // By hand: {0,1,0} against {0,0,1}; means 1/4, covariance -1/16, variances 3/16.
    EXPECT_NEAR(correlations({{0, 1, 0}, {0, 0, 1}}, weights)[1], -1 / 3.0, 1e-14);
}

TEST(Compare, AMirroredOddKernelIsTheOpposite) {
    constexpr Grid grid{5, 6};
    const KernelSeries odd{{0, 0}, {1, 0.5}, {0.4, 0, 0, 0.3}, 2, 1};
    KernelSeries mirrored = odd;
    for (double& w : mirrored.frequency) w = -w;
    const std::vector<double> m =
        correlations({evaluateKernel(odd, grid), evaluateKernel(mirrored, grid)}, pairWeights(grid));
    EXPECT_NEAR(m[1], -1, 1e-12);
}

TEST(Compare, ACutKeepsTheMiddle) {
    std::vector<double> values(15);  // grid 2x3: 3x5 offsets
    std::iota(values.begin(), values.end(), 0.0);
    EXPECT_EQ(cutOffsets(values, {2, 3}, {1, 2}), (std::vector<double>{6, 7, 8}));
    EXPECT_EQ(cutOffsets(values, {2, 3}, {2, 3}), values);
    EXPECT_THROW((void)cutOffsets(values, {2, 3}, {3, 3}), std::invalid_argument);
}

TEST(Compare, FrequencyDistanceIsTheShiftInLogarithms) {
    const auto at1 = [](double omega) { return EnergySpectrum{{{omega, 0, 0, 0}, 2}, {2, 9}}; };  // the other is still
    const std::vector<double> m = frequencyDistances({at1(1), at1(std::exp(2.0)), at1(-1), {{{0.0, 0.0}, 2}, {1}}});
    EXPECT_NEAR(m[1], 2, 1e-14);
    EXPECT_NEAR(m[4], 2, 1e-14);
    EXPECT_EQ(m[0], 0);
    EXPECT_EQ(m[2], 0) << "the direction of turning has no speed of its own";
    EXPECT_TRUE(std::isnan(m[3]) && std::isnan(m[15]));
    // On common planes it is the distance of the Frequencies view.
    const RotaryPlanes planes{axialPlaneFrequencies(16, 100), 2};
    const std::vector<double> a = {1, 2, 3, 4, 5, 6, 7, 8}, b = {4, 1, 0.5, 3, 2, 2, 9, 1};
    EXPECT_NEAR(frequencyDistances({{planes, a}, {planes, b}})[1], logFrequencyDistance(planes, a, b), 1e-13);
}

double distance(const std::vector<double>& p, int i, int j) {
    return std::hypot(p[2 * i] - p[2 * j], p[2 * i + 1] - p[2 * j + 1]);
}

TEST(ClassicalScaling, RecoversPointsOnALine) {
    const std::vector<double> x = {0, 1, 3, 7};
    std::vector<double> d;
    for (double a : x)
        for (double b : x) d.push_back(std::abs(a - b));
    const Embedding e = classicalScaling(d, 4);
    for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j) EXPECT_NEAR(distance(e.positions, i, j), std::abs(x[i] - x[j]), 1e-12);
    EXPECT_NEAR(e.share[0], 1, 1e-12);
    EXPECT_NEAR(e.share[1], 0, 1e-12);
}

TEST(ClassicalScaling, RecoversAPlaneLeavesOutWhatHasNoDistanceAndOwnsUpToWhatNoSpaceHas) {
    const std::vector<std::pair<double, double>> x = {{0, 0}, {4, 0}, {0, 3}, {5, 5}};
    std::vector<double> d(25, std::nan(""));
    for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j) d[i * 5 + j] = std::hypot(x[i].first - x[j].first, x[i].second - x[j].second);
    const Embedding e = classicalScaling(d, 5);
    for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j) EXPECT_NEAR(distance(e.positions, i, j), d[i * 5 + j], 1e-12);
    EXPECT_NEAR(e.share[0] + e.share[1], 1, 1e-12);
    EXPECT_TRUE(std::isnan(e.positions[8]) && std::isnan(e.positions[9]));
    // Four corners at distance 1 of a centre, 2 of each other, cannot all be: no triangle inequality is broken, yet
    // no space has them.
    const Embedding star = classicalScaling({0, 1, 1, 1, 1, 0, 2, 2, 1, 2, 0, 2, 1, 2, 2, 0}, 4);
    EXPECT_LT(star.share[0] + star.share[1], 0.95);
    const Embedding same = classicalScaling(std::vector<double>(9, 0.0), 3);
    EXPECT_EQ(same.positions, std::vector<double>(6, 0.0));
    EXPECT_TRUE(std::isnan(same.share[0]));
}

TEST(Compare, MeanOverTurningLeavesOutStillAndUndefinedPlanes) {
    const RotaryPlanes planes{{1, 0, 0, 0, 0, 1, 1, 1}, 2};
    EXPECT_DOUBLE_EQ(meanOverTurning({0.5, 0.1, 0.7, std::nan("")}, planes), 0.6);
    EXPECT_TRUE(std::isnan(meanOverTurning({1}, {{0.0, 0.0}, 2})));
}

}  // namespace
}  // namespace ropescope
