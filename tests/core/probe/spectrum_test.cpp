// SPDX-License-Identifier: Apache-2.0
#include "core/probe/spectrum.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "core/encoding/harope.h"
#include "tests/core/probe/example_heads.h"

namespace ropescope {
namespace {

constexpr std::int64_t kD = 8;

TEST(Spectrum, PlainRopeIsTheNeutralPointOfEveryNumber) {
    for (Convention c : {Convention::None, Convention::Same, Convention::Inverse}) {
        const Spectrum s = measureSpectrum(headWith(at::eye(kD, at::kDouble), c));
        EXPECT_EQ(s.condition, 1);
        EXPECT_NEAR(s.logVolume, 0, 1e-14);
        EXPECT_NEAR(s.stableRank, kD, 1e-13);
        EXPECT_NEAR(s.entropyRank, kD, 1e-13);
        EXPECT_NEAR(s.orthogonalityError, 0, 1e-15);
        EXPECT_EQ(s.ropeDistance, 0);
        EXPECT_EQ(s.groupStart, std::vector<int>{0});
        EXPECT_EQ(s.groupEnd, std::vector<int>{int(kD)});
    }
}

TEST(Spectrum, DiagonalMapHasItsEntriesAndTheirNumbers) {
    const at::Tensor s = at::tensor({4.0, 2.0, 2.0, 1.0}, at::kDouble);
    const Spectrum n = measureSpectrum(headWith(at::diag(s), Convention::Same));
    EXPECT_EQ(n.gaugeFixed, (std::vector<double>{4, 2, 2, 1}));
    EXPECT_DOUBLE_EQ(n.condition, 4);
    EXPECT_DOUBLE_EQ(n.logVolume, std::log(16.0));
    EXPECT_DOUBLE_EQ(n.stableRank, 25.0 / 16);
    double entropy = 0;
    for (double p : {16 / 25.0, 4 / 25.0, 4 / 25.0, 1 / 25.0}) entropy -= p * std::log(p);
    EXPECT_DOUBLE_EQ(n.entropyRank, std::exp(entropy));
    EXPECT_DOUBLE_EQ(n.orthogonalityError, std::sqrt((225.0 + 9 + 9) / 4));
    EXPECT_EQ(n.ropeDistance, 0);  // it scales, and turns nothing
    EXPECT_EQ(n.groupStart, std::vector<int>{1});
    EXPECT_EQ(n.groupEnd, std::vector<int>{3});
}

TEST(Spectrum, GroupsAreOfNeighboursWithARelativeGapBelowAThousandth) {
    const at::Tensor s = at::tensor({5.0, 4.996, 4.992, 3.0, 2.99, 1.0}, at::kDouble);
    const Spectrum n =
        measureSpectrum(headWith(at::diag(at::cat({s, at::tensor({0.5, 0.2}, at::kDouble)})), Convention::Same));
    EXPECT_EQ(n.groupStart, std::vector<int>{0});
    EXPECT_EQ(n.groupEnd, std::vector<int>{3});
}

TEST(Spectrum, OrthogonalMapsHaveOnesUnderBothConventions) {
    for (Convention c : {Convention::Same, Convention::Inverse}) {
        const Spectrum n = measureSpectrum(headWith(drawOrthogonal(kD, 5), c));
        for (double s : n.gaugeFixed) EXPECT_NEAR(s, 1, 1e-12);
        EXPECT_NEAR(n.orthogonalityError, 0, 1e-12);
        EXPECT_GT(n.ropeDistance, 0.1);
    }
}

TEST(Spectrum, InverseMapHidesAScaleInsideAPlane) {
    const at::Tensor map = drawInvertible(kD, 9);
    const Spectrum plain = measureSpectrum(headWith(map, Convention::Inverse));
    const Spectrum moved = measureSpectrum(headWith(at::matmul(drawPlaneGauge(kD, 3, true), map), Convention::Inverse));
    EXPECT_GT(std::abs(plain.stored[0] - moved.stored[0]), 1e-3);  // the raw values say nothing
    for (int i = 0; i < kD; ++i) EXPECT_NEAR(plain.gaugeFixed[i], moved.gaugeFixed[i], 1e-11);
    EXPECT_NEAR(plain.ropeDistance, moved.ropeDistance, 1e-11);
}

TEST(RopeDistance, ZeroForTurnsInsideThePlanesOneForExchangedPlanes) {
    EXPECT_NEAR(ropeDistance(drawPlaneGauge(kD, 8, false)), 0, 1e-14);
    // Planes 0,1 (rows) and 2,3 (columns) change places: nothing is left on the diagonal.
    EXPECT_DOUBLE_EQ(ropeDistance(at::eye(kD, at::kDouble).roll({kD / 2}, {0})), 1);
    // One reflection inside a plane: that plane's trace part vanishes, 1 - 3/4.
    at::Tensor mirror = at::eye(kD, at::kDouble);
    mirror[0][0] = -1;
    EXPECT_NEAR(ropeDistance(mirror), 0.5, 1e-14);
}

TEST(RopeDistance, EqualsItsDefinitionByTraces) {
    const at::Tensor w = drawOrthogonal(kD, 21);
    const auto a = w.accessor<double, 2>();
    double sum = 0;
    for (int i = 0; i < kD; i += 2) sum += std::hypot(a[i][i] + a[i + 1][i + 1], a[i + 1][i] - a[i][i + 1]);
    EXPECT_NEAR(ropeDistance(w), std::sqrt(1 - sum / kD), 1e-12);
}

TEST(Spectrum, GoldenSvdMatrixOfTheReleasedParameters) {
    const at::Tensor i = at::arange(4, at::kDouble).unsqueeze(1), j = at::arange(4, at::kDouble).unsqueeze(0);
    const at::Tensor sigma = at::tensor({0.1, 0.2, 0.3, 0.4}, at::kDouble);
    const HaropeFactors f = haropeFactors(0.1 * (4 * i + j), -0.05 * (4 * i + j) + 0.02 * j * j, sigma);
    const HeadMaps maps = haropeMaps(f, Convention::Inverse);
    const double s[] = {0.7443977, 0.7981399, 0.8543563, 0.9130163};
    const double m[] = {.4269033, -.3477459, -.3779960, -.4087827, -.0515399, .6441220, -.2722979, -.4072416,
                        .2476257, .0683332,  .7107121,  -.3894920, .5851951,  .3238106, .0116165,  .5601199};
    const double inverse[] = {.857682,   -.0342797, .4283368, .8988776,  -.5335746, 1.034199,  .1053298,  .4357603,
                              -.5631607, -.3910764, .9581599, -.0290603, -.5759344, -.5539553, -.5282764, .5948997};
    HeadOperator head;
    head.map = {maps.query[0], maps.key[0]};
    head.stored = f.s[0];
    head.convention = Convention::Inverse;
    const Spectrum spectrum = measureSpectrum(head);
    const std::vector<double> query = flat(head.map.query), back = flat(head.map.key.mT());
    for (int k = 0; k < 4; ++k) EXPECT_NEAR(spectrum.stored[k], s[k], 1e-6);
    for (int k = 0; k < 16; ++k) EXPECT_NEAR(query[k], m[k], 1e-6);
    for (int k = 0; k < 16; ++k) EXPECT_NEAR(back[k], inverse[k], 1e-6);
}

TEST(Spectrum, AMapThatIsNotFiniteIsAMistakeOfTheCaller) {
    at::Tensor map = at::eye(kD, at::kDouble);
    map[3][2] = std::numeric_limits<double>::quiet_NaN();
    HeadOperator head = headWith(at::eye(kD, at::kDouble), Convention::Same);
    head.map = {map, map};
    EXPECT_THROW((void)measureSpectrum(head), std::invalid_argument);
}

}  // namespace
}  // namespace ropescope
