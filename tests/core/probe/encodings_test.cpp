// SPDX-License-Identifier: Apache-2.0
// The probes over every encoding with every matrix: numbers where there are any, NaN where an encoding has none.
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/data/kernel_series.h"
#include "core/data/matrix_kind.h"
#include "core/encoding/encoding.h"
#include "core/probe/head_numbers.h"
#include "core/probe/head_probe.h"
#include "tests/core/probe/example_heads.h"

namespace ropescope {
namespace {

constexpr int kD = 16, kH = 2;
constexpr Grid kGrid{4, 6};

struct Variant {
    EncodingSpec spec;
    HeadOperator head;
    AtlasReport atlas;
    HeadReport report;
    std::string name;
};

double value(const Variant& v, const std::string& key) {
    for (const HeadNumber& n : v.atlas.numbers)
        if (n.key == key) return n.values[0];
    throw std::out_of_range(key);
}

/// Head 1 of a layer whose parameters are moved away from their start.
Variant variantOf(const EncodingSpec& spec) {
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(9);
    WeightTable weights = initialPositions("a.", spec, generator);
    std::uint64_t seed = 40;
    for (auto& [name, tensor] : weights)
        tensor = tensor.to(at::kDouble) + 0.1 * draw(tensor.sizes(), ++seed) * (tensor.abs() + 0.3);
    const LayerPositions positions = layerPositions(weights, "a.", spec, 0);
    const auto own = [](const at::Tensor& t) { return t[t.size(0) == 1 ? 0 : 1].contiguous(); };
    Variant v{spec, headWith(at::eye(kD, at::kDouble), Convention::None), {}, {}, std::string(spec.encoding->name)};
    if (spec.encoding->hasMaps()) {
        v.head.map = {own(positions.maps.query), own(positions.maps.key)};
        v.head.stored = at::linalg_svdvals(v.head.map.query);
        v.head.convention = spec.encoding->conventions ? spec.convention : Convention::Same;
    }
    v.head.planes = {{}, 0};
    if (positions.frequency.defined()) v.head.planes = {flat(own(positions.frequency)), spec.encoding->axes};
    v.report = probeHead({0, 1}, v.head, kGrid);
    v.atlas = numberHeads({v.report}, 1, v.head.convention);
    return v;
}

std::vector<Variant> allVariants() {
    std::vector<Variant> all;
    for (const Encoding& e : encodings()) {
        EncodingSpec spec{&e, kH, kD, 100};
        if (!e.hasMaps()) {
            all.push_back(variantOf(spec));
            continue;
        }
        for (const MatrixKind kind : e.map->kinds)
            for (const Convention c : {Convention::Same, Convention::Inverse}) {
                if (!e.conventions && c == Convention::Inverse) continue;
                spec.matrix = kind, spec.convention = c;
                all.push_back(variantOf(spec));
            }
    }
    return all;
}

TEST(Encodings, EveryNumberIsFiniteOrNone) {
    int seen = 0;
    for (const Variant& v : allVariants()) {
        for (const HeadNumber& n : v.atlas.numbers) {
            EXPECT_FALSE(std::isinf(n.values[0])) << v.name << ' ' << n.key;
            EXPECT_FALSE(n.title.empty() || n.definition.empty()) << n.key;
        }
        const bool turns = v.spec.encoding->turns();
        for (const char* key :
             {"mean_log_frequency", "wasserstein", "sensitivity_1", "still_share", "query_key_overlap"})
            EXPECT_EQ(std::isnan(value(v, key)), !turns) << v.name << ' ' << key;
        EXPECT_FALSE(std::isnan(value(v, "condition"))) << v.name;
        if (turns) {
            for (double k : evaluateKernel(v.report.kernelWeights, kGrid)) {
                EXPECT_LE(std::abs(k), 1 + 1e-12) << v.name;
            }
            for (double s : evaluateSensitivity(v.report.sensitivityWeights, kGrid)) EXPECT_TRUE(std::isfinite(s));
        }
        ++seen;
    }
    EXPECT_GE(seen, 15);
}

TEST(Encodings, OneAxisAndMixedPlanesHaveNeitherRowsNorColumns) {
    int seen = 0;
    for (const Variant& v : allVariants()) {
        const bool axial = v.head.planes.axes == 2 && v.head.planes.axial();
        for (const char* key : {"row_share", "column_share", "cross_axis_mixing", "cross_axis_mixing_k"})
            EXPECT_EQ(std::isnan(value(v, key)), !axial) << v.name << ' ' << key;
        seen += !axial && v.spec.encoding->turns();
    }
    EXPECT_GE(seen, 3);
}

TEST(Encodings, OfTheFlattenedIndexTheNeighboursAreAlongIt) {
    const Variant v = variantOf({*findEncoding("rope1d"), kH, kD, 100});
    ASSERT_EQ(v.head.planes.axes, 1);
    const std::vector<double> s = evaluateSensitivity(v.report.sensitivityWeights, kGrid);  // 7x11
    EXPECT_NEAR(value(v, "sensitivity_1"), (s[3 * 11 + 4] + s[3 * 11 + 6]) / 2, 1e-12);
    // A wave of the index is long when it is longer than four times all tokens.
    double longWaves = 0;
    for (int p = 0; p < v.head.planes.count(); ++p)
        if (2 * std::acos(-1.0) / v.head.planes.speed(p) > 4 * kGrid.tokens()) longWaves += v.report.energy.weights[p];
    EXPECT_NEAR(value(v, "long_wave_share"), longWaves, 1e-12);
    EXPECT_GT(longWaves, 0);
}

TEST(Encodings, VideosTimePlanesAreStill) {
    const Variant v = variantOf({*findEncoding("video"), kH, kD, 100});
    double still = 0;
    int count = 0;
    for (int p = 0; p < v.head.planes.count(); ++p)
        if (v.head.planes.speed(p) == 0) still += v.report.energy.weights[p], ++count;
    EXPECT_EQ(count, kD / 2 / 4);
    EXPECT_NEAR(value(v, "still_share"), still, 1e-14);
    EXPECT_GT(still, 0);
    EXPECT_NEAR(value(v, "row_share") + value(v, "column_share") + still, 1, 1e-12);
    EXPECT_EQ(value(v, "max_principal_angle_q"), 0) << "still planes have no angle";
}

TEST(Encodings, NeighboursInsideTheGapAreAGroup) {
    for (const Variant& v : allVariants()) {
        const Spectrum& s = v.report.spectrum;
        std::vector<bool> inside(s.gaugeFixed.size(), false);
        for (std::size_t g = 0; g < s.groupStart.size(); ++g)
            for (int i = s.groupStart[g]; i < s.groupEnd[g]; ++i) inside[i] = true;
        for (std::size_t i = 1; i < s.gaugeFixed.size(); ++i) {
            const bool close = s.gaugeFixed[i - 1] - s.gaugeFixed[i] < 1e-3 * s.gaugeFixed[i - 1];
            if (close) {
                EXPECT_TRUE(inside[i - 1] && inside[i]) << v.name;
            }
        }
        // Without a map, and with an orthogonal one, all values are one band.
        if (!v.head.hasMap() || isOrthogonal(v.spec.matrix)) {
            EXPECT_EQ(s.groupStart, std::vector<int>{0}) << v.name;
        }
    }
}

}  // namespace
}  // namespace ropescope
