// SPDX-License-Identifier: Apache-2.0
#include "core/data/kernel_series.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <stdexcept>

namespace ropescope {
namespace {

std::vector<double> draw(std::size_t n, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    std::vector<double> v(n);
    for (double& x : v) x = normal(random);
    return v;
}

KernelSeries randomSeries(int planes, bool axial) {
    KernelSeries s{draw(planes, 1), draw(planes, 2), draw(2 * planes, 3), 2, 1.7};
    if (axial)
        for (int p = 0; p < planes; ++p) s.frequency[2 * p + (p < planes / 2 ? 1 : 0)] = 0;
    return s;
}

SensitivityForm randomForm(int planes, bool axial) {
    SensitivityForm f;
    f.frequency = randomSeries(planes, axial).frequency;
    f.divisor = 2.5;
    const std::vector<double> root = draw(4 * planes * planes, 4);
    const int n = 2 * planes;
    f.quadratic.assign(n * n, 0);
    for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j)
            for (int k = 0; k < n; ++k) f.quadratic[i * n + j] += root[i * n + k] * root[j * n + k];
    return f;
}

// The definitions, offset by offset.
double plainKernel(const KernelSeries& s, double dr, double dc) {
    double sum = 0;
    for (std::size_t p = 0; p < s.a.size(); ++p) {
        const double phi = s.frequency[2 * p] * dr + s.frequency[2 * p + 1] * dc;
        sum += s.a[p] * std::cos(phi) + s.b[p] * std::sin(phi);
    }
    return sum / s.scale;
}

double plainSensitivity(const SensitivityForm& f, double dr, double dc) {
    const std::size_t planes = f.frequency.size() / 2, n = 2 * planes;
    std::vector<double> u(n);
    for (std::size_t p = 0; p < planes; ++p) {
        const double phi = f.frequency[2 * p] * dr + f.frequency[2 * p + 1] * dc;
        u[p] = std::cos(phi) - 1, u[planes + p] = std::sin(phi);
    }
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) sum += u[i] * u[j] * f.quadratic[i * n + j];
    return std::sqrt(std::max(0.0, sum)) / f.divisor;
}

template <class Plain>
void expectGrid(const std::vector<double>& got, Grid grid, Plain plain) {
    ASSERT_EQ(got.size(), std::size_t((2 * grid.rows - 1) * (2 * grid.cols - 1)));
    std::size_t i = 0;
    for (int r = 1 - grid.rows; r < grid.rows; ++r)
        for (int c = 1 - grid.cols; c < grid.cols; ++c, ++i)
            ASSERT_NEAR(got[i], plain(r, c), 1e-11) << "offset " << r << ", " << c;
}

TEST(KernelSeries, OnePlaneIsACosineAlongItsAxis) {
    const KernelSeries s{{1.0}, {0.0}, {0.0, 0.5}, 2, 1.0};
    const std::vector<double> k = evaluateKernel(s, {1, 3});
    ASSERT_EQ(k.size(), 5u);
    for (int c = -2; c <= 2; ++c) EXPECT_DOUBLE_EQ(k[c + 2], std::cos(0.5 * c));
}

TEST(KernelSeries, AxialAndMixedEqualTheDefinitionOnUnevenGrids) {
    for (bool axial : {true, false}) {
        const KernelSeries s = randomSeries(6, axial);
        for (Grid g : {Grid{3, 5}, Grid{4, 1}, Grid{1, 1}})
            expectGrid(evaluateKernel(s, g), g, [&](double r, double c) { return plainKernel(s, r, c); });
    }
}

TEST(KernelSeries, StillPlanesAreAConstant) {
    const KernelSeries s{{2.0}, {5.0}, {0.0, 0.0}, 2, 4.0};
    for (double v : evaluateKernel(s, {2, 2})) EXPECT_DOUBLE_EQ(v, 0.5);
}

TEST(KernelSeries, OneAxisCountsTokensRowByRow) {
    const KernelSeries s{{1.0}, {0.5}, {0.1}, 1, 1.0};
    const Grid g{3, 4};
    expectGrid(evaluateKernel(s, g), g,
               [](double r, double c) { return std::cos(0.1 * (4 * r + c)) + 0.5 * std::sin(0.1 * (4 * r + c)); });
}

TEST(KernelSeries, NoRotaryMapIsFlatAndWrongSizesThrow) {
    EXPECT_EQ(evaluateKernel({}, {2, 3}), std::vector<double>(15, 0.0));
    EXPECT_EQ(evaluateSensitivity({}, {2, 3}), std::vector<double>(15, 0.0));
    EXPECT_THROW((void)evaluateKernel({{1.0}, {1.0, 2.0}, {1.0, 0.0}, 2, 1.0}, {2, 2}), std::invalid_argument);
    EXPECT_THROW((void)evaluateKernel({{1.0}, {1.0}, {1.0, 0.0}, 2, 1.0}, {0, 2}), std::invalid_argument);
    EXPECT_THROW((void)evaluateKernel({{1.0}, {1.0}, {1.0, 0.0, 0.0}, 3, 1.0}, {2, 2}), std::invalid_argument);
}

TEST(Sensitivity, AxialAndMixedEqualTheDefinition) {
    for (bool axial : {true, false}) {
        const SensitivityForm f = randomForm(6, axial);
        for (Grid g : {Grid{3, 5}, Grid{4, 1}, Grid{1, 1}})
            expectGrid(evaluateSensitivity(f, g), g, [&](double r, double c) { return plainSensitivity(f, r, c); });
    }
}

TEST(Sensitivity, OnePlaneOfAnIdentityFormIsTheChordOfItsAngle) {
    const SensitivityForm f{{1, 0, 0, 1}, {0.3, 0.0}, 2, 1.0};
    const std::vector<double> s = evaluateSensitivity(f, {4, 1});
    for (int r = -3; r <= 3; ++r) EXPECT_NEAR(s[r + 3], 2 * std::abs(std::sin(0.15 * r)), 1e-12);
}

TEST(SoftmaxOfOffsets, SumsToOneAndSurvivesLargeStrengths) {
    const std::vector<double> soft = softmaxOfOffsets({1.0, 0.0, -1.0}, 1.0);
    EXPECT_NEAR(soft[0] / soft[1], std::exp(1.0), 1e-12);
    EXPECT_NEAR(soft[0] + soft[1] + soft[2], 1.0, 1e-12);
    EXPECT_DOUBLE_EQ(softmaxOfOffsets({2.0, 1.0}, 1e6)[0], 1.0);
    EXPECT_DOUBLE_EQ(softmaxOfOffsets({2.0, 1.0}, 0)[0], 0.5);
}

}  // namespace
}  // namespace ropescope
