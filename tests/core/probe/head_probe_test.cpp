// SPDX-License-Identifier: Apache-2.0
#include "core/probe/head_probe.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/data/kernel_series.h"
#include "core/probe/head_numbers.h"
#include "tests/core/probe/example_heads.h"

namespace ropescope {
namespace {

constexpr int kD = 8;
constexpr Grid kGrid{4, 4};

HeadReport probe(const HeadOperator& head) {
    return probeHead({1, 2}, head, kGrid);
}

const HeadNumber& number(const AtlasReport& atlas, const std::string& key) {
    for (const HeadNumber& n : atlas.numbers)
        if (n.key == key) return n;
    throw std::out_of_range(key);
}

TEST(HeadProbe, AnUntrainedHeadReadsAsIdentity) {
    const double start = 1 + 1e-6;  // singular values of a new HARoPE head
    for (Convention c : {Convention::Same, Convention::Inverse}) {
        EXPECT_TRUE(probe(headWith(start * at::eye(kD, at::kDouble), c)).identity);
        EXPECT_FALSE(probe(headWith(1.001 * at::eye(kD, at::kDouble), c)).identity);
    }
    const HeadReport plain = probe(headWith(at::eye(kD, at::kDouble), Convention::None));
    EXPECT_TRUE(plain.identity);
    EXPECT_FALSE(plain.hasMap);
    EXPECT_EQ(plain.id, (HeadId{1, 2}));
}

TEST(HeadProbe, EveryNeutralValueIsThatOfPlainRope) {
    for (Convention c : {Convention::None, Convention::Same, Convention::Inverse}) {
        const AtlasReport atlas = numberHeads({probe(headWith(at::eye(kD, at::kDouble), c))}, 1, c);
        int neutral = 0;
        for (const HeadNumber& n : atlas.numbers) {
            ASSERT_EQ(n.values.size(), 1u);
            EXPECT_FALSE(std::isnan(n.values[0])) << n.key;
            if (std::isnan(n.neutral)) continue;
            EXPECT_NEAR(n.values[0], n.neutral, 1e-12) << n.key;
            ++neutral;
        }
        EXPECT_GT(neutral, 10);
    }
}

TEST(HeadProbe, KeysAreDistinctAndEveryNumberIsExplained) {
    const AtlasReport atlas =
        numberHeads({probe(headWith(drawInvertible(kD, 1), Convention::Same))}, 1, Convention::Same);
    std::vector<std::string> keys;
    for (const HeadNumber& n : atlas.numbers) {
        keys.push_back(n.key);
        EXPECT_FALSE(n.title.empty() || n.definition.empty()) << n.key;
    }
    std::sort(keys.begin(), keys.end());
    EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end());
}

TEST(HeadNumbers, MarkedHeadsHaveNoNumbersAndTheOthersDo) {
    HeadReport marked;
    marked.problem = "not finite";
    const AtlasReport atlas =
        numberHeads({marked, probe(headWith(drawInvertible(kD, 1), Convention::Same))}, 1, Convention::Same);
    EXPECT_EQ(atlas.heads, 2);
    EXPECT_EQ(atlas.problems, (std::vector<std::string>{"not finite", ""}));
    for (const HeadNumber& n : atlas.numbers) {
        EXPECT_TRUE(std::isnan(n.values[0])) << n.key;
        EXPECT_FALSE(std::isnan(n.values[1])) << n.key;
    }
    ASSERT_EQ(atlas.singularValues.size(), 2u * kD);
    EXPECT_TRUE(std::isnan(atlas.singularValues[0]));
    EXPECT_FALSE(std::isnan(atlas.singularValues[kD]));
}

TEST(HeadNumbers, SensitivityAtDistanceOneIsTheMeanOverTheFourNeighbours) {
    const HeadReport r = probe(headWith(drawInvertible(kD, 6), Convention::Same));
    const AtlasReport atlas = numberHeads({r}, 1, Convention::Same);
    const std::vector<double> s = evaluateSensitivity(r.sensitivityWeights, {3, 3});  // 5x5
    EXPECT_NEAR(number(atlas, "sensitivity_1").values[0], (s[7] + s[11] + s[13] + s[17]) / 4, 1e-12);
}

TEST(HeadNumbers, WithoutRotationOnlyTheMapHasNumbers) {
    HeadOperator head = headWith(at::eye(kD, at::kDouble), Convention::None);
    head.planes = {{}, 0};
    const HeadReport r = probe(head);
    EXPECT_TRUE(r.query.overlap.empty());
    EXPECT_TRUE(r.kernelWeights.a.empty());
    const AtlasReport atlas = numberHeads({r}, 1, Convention::None);
    EXPECT_EQ(number(atlas, "condition").values[0], 1);
    for (const char* key : {"cross_axis_mixing", "wasserstein", "row_share", "sensitivity_1", "long_wave_share",
                            "mean_principal_angle_q", "circularity", "content_strength", "wasserstein_map"})
        EXPECT_TRUE(std::isnan(number(atlas, key).values[0])) << key;
}

/// Every number of `moved` that claims to be invariant equals that of `plain`, and `must` change is checked by callers.
void expectInvariant(const AtlasReport& plain, const AtlasReport& moved, bool headOnly) {
    for (std::size_t i = 0; i < plain.numbers.size(); ++i) {
        const HeadNumber& n = plain.numbers[i];
        if (!n.invariant || (headOnly && n.about == About::Map)) continue;
        EXPECT_NEAR(n.values[0], moved.numbers[i].values[0], 1e-6 * std::max(1.0, std::abs(n.values[0]))) << n.key;
    }
}

TEST(Gauge, NumbersThatClaimItAreUnchangedByFactorsInsideThePlanes) {
    for (Convention c : {Convention::Same, Convention::Inverse}) {
        const at::Tensor map = drawInvertible(kD, 31);
        const at::Tensor gauge = drawPlaneGauge(kD, 5, c == Convention::Inverse);
        const AtlasReport plain = numberHeads({probe(headWith(map, c))}, 1, c);
        const AtlasReport moved = numberHeads({probe(headWith(at::matmul(gauge, map), c))}, 1, c);
        expectInvariant(plain, moved, false);
        const double change = number(plain, "condition_stored").values[0] - number(moved, "condition_stored").values[0];
        EXPECT_EQ(number(plain, "condition_stored").invariant, c == Convention::Same);
        EXPECT_EQ(std::abs(change) > 1e-3, c == Convention::Inverse);
    }
}

TEST(Gauge, NumbersOfTheHeadAreUnchangedByFactorsBetweenMapAndProjection) {
    for (Convention c : {Convention::Same, Convention::Inverse}) {
        const at::Tensor map = drawInvertible(kD, 31), t = drawInvertible(kD, 77);
        const HeadOperator head = headWith(map, c);
        HeadOperator moved = headWith(at::matmul(map, at::linalg_inv(t)), c);
        const at::Tensor forKeys = c == Convention::Same ? t : at::linalg_inv(t).mT();
        moved.content = momentsOf(at::matmul(t, queryProjection(kD)), at::matmul(forKeys, keyProjection(kD)));
        const AtlasReport a = numberHeads({probe(head)}, 1, c), b = numberHeads({probe(moved)}, 1, c);
        expectInvariant(a, b, true);
        // The others are of the map: they change, and say what they are about.
        for (const char* key : {"condition", "rope_distance", "cross_axis_mixing", "wasserstein"}) {
            EXPECT_EQ(number(a, key).about, About::Map) << key;
            EXPECT_GT(std::abs(number(a, key).values[0] - number(b, key).values[0]), 1e-4) << key;
        }
    }
}

}  // namespace
}  // namespace ropescope
