// SPDX-License-Identifier: Apache-2.0
// Changes of heads, through the attention code that the models run.
#include "core/encoding/changes.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "core/data/enum_names.h"
#include "core/model/dit_inference.h"
#include "tests/core/probe/contract_shapes.h"

namespace ropescope {
namespace {

HeadChange change(ChangeKind kind, int layer, int head, double amount = 1) {
    HeadChange made;
    made.kind = kind, made.layer = layer, made.head = head, made.amount = amount;
    return made;
}

HeadChangesPtr changesOf(std::vector<HeadChange> list) {
    auto changes = std::make_shared<HeadChanges>();
    changes->list = std::move(list);
    return changes;
}

DitShape with(DitShape shape, std::vector<HeadChange> list) {
    shape.changes = changesOf(std::move(list));
    return shape;
}

std::string nameOf(const DitShape& shape) {
    return std::string(shape.encoding->name) + " " + std::string(enumName(shape.matrix)) + " of every " +
           std::string(enumName(shape.sharing)) + ", " + std::string(enumName(shape.convention));
}

TEST(Changes, TauZeroIsRopeOfTheSameWeights) {
    int checked = 0;
    DitTaps plain;
    plain.maps = [](int, HeadMaps& maps) {
        const at::Tensor one = at::eye(maps.query.size(-1), maps.query.options()).unsqueeze(0);
        maps = {one, one};
    };
    for (const DitShape& shape : allShapes()) {
        if (!shape.encoding->hasMaps()) continue;
        SCOPED_TRACE(nameOf(shape));
        const WeightTable w = randomWeights(shape);
        const Seen rope = throughBlock(w, shape, {}, plain);
        const Seen off = throughBlock(w, with(shape, {change(ChangeKind::Dial, -1, -1, 0)}), {});
        // The matrices are the same numbers, so only the order of sums may differ: float32 rounding.
        EXPECT_LE(largest((off.logits - rope.logits) / rope.scale), 1e-6);
        EXPECT_LE(largest(off.output - rope.output), 1e-5 * std::max(1.0, largest(rope.output)));
        ++checked;
    }
    EXPECT_GE(checked, 60);  // harope alone: 9 kinds, 3 sharings, 2 conventions
}

TEST(Changes, TauOneIsNoChangeToTheBit) {
    for (const DitShape& shape : allShapes()) {
        if (!shape.encoding->hasMaps()) continue;
        SCOPED_TRACE(nameOf(shape));
        const WeightTable w = randomWeights(shape);
        const Seen stored = throughBlock(w, shape, {});
        // A head that is turned off and on again is not touched by what other heads get.
        std::vector<HeadChange> list = {change(ChangeKind::Dial, -1, -1, 1)};
        const Seen same = throughBlock(w, with(shape, list), {});
        EXPECT_TRUE(at::equal(same.logits, stored.logits));
        EXPECT_TRUE(at::equal(same.output, stored.output));
        if (shape.sharing != MapSharing::Head) continue;
        list.push_back(change(ChangeKind::Dial, 0, 1, 0));
        const Seen others = throughBlock(w, with(shape, list), {});
        for (const int head : {0, 2})
            EXPECT_TRUE(at::equal(others.logits.select(1, head), stored.logits.select(1, head))) << head;
        EXPECT_FALSE(at::equal(others.logits.select(1, 1), stored.logits.select(1, 1)));
    }
}

TEST(Changes, DialsOfGeneratorsComposeAndScaleAngles) {
    const double angle = 1.2;
    HeadMap map;
    map.generatorU = at::zeros({4, 4}, at::kDouble);
    map.generatorU[0][1] = -angle, map.generatorU[1][0] = angle;
    map.generatorV = at::zeros({4, 4}, at::kDouble);
    map.logValues = at::tensor({0.5, -0.25, 0.0, 1.0}, at::kDouble);
    const HeadChanges half = {{change(ChangeKind::Dial, 0, 0, 0.5)}, {}, 0};
    const at::Tensor dialled = changedMap(map, half, {0, 0}).query();
    EXPECT_NEAR(dialled[0][0].item<double>(), std::cos(angle / 2) * std::exp(0.25), 1e-12);
    EXPECT_NEAR(dialled[1][0].item<double>(), std::sin(angle / 2) * std::exp(0.25), 1e-12);
    EXPECT_NEAR(dialled[3][3].item<double>(), std::exp(0.5), 1e-12);
    const HeadChanges twice = {{change(ChangeKind::Dial, 0, 0, 0.5), change(ChangeKind::Dial, 0, 0, 2)}, {}, 0};
    EXPECT_LE(largest(changedMap(map, twice, {0, 0}).query() - map.query()), 1e-12);
    const at::Tensor key = changedMap(map, half, {0, 0}).key(Convention::Inverse);
    EXPECT_LE(largest(at::matmul(dialled.mT(), key) - at::eye(4, at::kDouble)), 1e-12);
}

/// A map whose polar factors are known: a turn by `angle` in the first plane, then stretches.
at::Tensor turned(double angle, const std::vector<double>& sizes) {
    at::Tensor turn = at::eye(static_cast<std::int64_t>(sizes.size()), at::kDouble);
    turn[0][0] = turn[1][1] = std::cos(angle);
    turn[0][1] = -std::sin(angle), turn[1][0] = std::sin(angle);
    return at::matmul(turn, at::diag_embed(at::tensor(sizes, at::kDouble)));
}

TEST(Changes, MapsWithoutGeneratorsDialByTheirPolarForm) {
    HeadMap map;
    map.matrix = turned(2.5, {2, 0.5, 1, 3});
    for (const double tau : {-0.5, 0.0, 0.3, 1.0, 1.2}) {
        const HeadChanges changes = {{change(ChangeKind::Dial, 0, 0, tau)}, {}, 0};
        std::vector<double> sizes;
        for (const double s : {2.0, 0.5, 1.0, 3.0}) sizes.push_back(std::pow(s, tau));
        EXPECT_LE(largest(changedMap(map, changes, {0, 0}).query() - turned(2.5 * tau, sizes)), 1e-12) << tau;
    }
    // Position-only keeps A^T A and takes the turn out.
    const HeadChanges only = {{change(ChangeKind::PositionOnly, 0, 0, 0)}, {}, 0};
    EXPECT_LE(largest(changedMap(map, only, {0, 0}).query() - turned(0, {2, 0.5, 1, 3})), 1e-12);
    const HeadChanges halfway = {{change(ChangeKind::PositionOnly, 0, 0, 0.5)}, {}, 0};
    EXPECT_LE(largest(changedMap(map, halfway, {0, 0}).query() - turned(1.25, {2, 0.5, 1, 3})), 1e-12);
}

TEST(Changes, TheLogarithmIsThatOfTheRotation) {
    at::manual_seed(3);
    const at::Tensor a = at::randn({12, 12}, at::kDouble), skew = (a - a.mT()) * 0.25;
    const at::Tensor rotation = at::matrix_exp(skew);
    EXPECT_LE(largest(at::matrix_exp(rotationLogarithm(rotation)) - rotation), 1e-12);
    EXPECT_LE(largest(rotationLogarithm(at::eye(6, at::kDouble))), 1e-15);
}

TEST(Changes, MapsWithoutALogarithmAreRefused) {
    HeadMap mirror, half;
    mirror.matrix = at::diag_embed(at::tensor({-1.0, 1.0, 1.0, 1.0}, at::kDouble));
    half.matrix = turned(std::numbers::pi, {1, 1, 1, 1});
    for (const HeadMap& map : {mirror, half}) {
        const HeadChanges dial = {{change(ChangeKind::Dial, 0, 0, 0.5)}, {}, 0};
        EXPECT_THROW((void)changedMap(map, dial, {0, 0}), RefusedChange);
        const HeadChanges off = {{change(ChangeKind::Dial, 0, 0, 0)}, {}, 0};
        EXPECT_TRUE(at::equal(changedMap(map, off, {0, 0}).query(), at::eye(4, at::kDouble)));
    }
    HeadMap large;
    large.matrix = turned(0.1, {1e300, 1, 1, 1});
    const HeadChanges over = {{change(ChangeKind::Dial, 0, 0, 3)}, {}, 0};
    EXPECT_THROW((void)changedMap(large, over, {0, 0}), RefusedChange);
}

TEST(Changes, SingularValuesKeepTheirPlace) {
    const DitShape shape = shapeOf(encoding("harope"), Convention::Same);
    const WeightTable w = randomWeights(shape);
    const HeadMap stored = storedMap(w, "blocks.0.attn.", shape.positions(), 1);
    HeadChange set = change(ChangeKind::SingularValue, 0, 1, 3.5);
    set.index = 2;
    const at::Tensor before = stored.singularValues(),
                     after = changedMap(stored, {{set}, {}, 0}, {0, 1}).singularValues();
    for (int i = 0; i < 16; ++i)
        EXPECT_NEAR(after[i].item<double>(), i == 2 ? 3.5 : before[i].item<double>(), 1e-12) << i;
}

TEST(Changes, ATransplantIsTheOtherHeadsMap) {
    for (const Convention convention : {Convention::Same, Convention::Inverse}) {
        const DitShape shape = shapeOf(encoding("harope"), convention);
        const WeightTable w = randomWeights(shape);
        HeadChanges changes = {{change(ChangeKind::Transplant, 0, 0)}, {}, 0};
        changes.donors[0] = storedMap(w, "blocks.0.attn.", shape.positions(), 2);
        EncodingSpec spec = shape.positions();
        const HeadMaps stored = layerPositions(w, "blocks.0.attn.", spec, 0).maps;
        spec.changes = std::make_shared<const HeadChanges>(changes);
        const HeadMaps maps = layerPositions(w, "blocks.0.attn.", spec, 0).maps;
        EXPECT_LE(largest(maps.query[0] - stored.query[2]), 1e-12);
        EXPECT_LE(largest(maps.key[0] - stored.key[2]), 1e-12);
        EXPECT_TRUE(at::equal(maps.query[1], stored.query[1]));
    }
}

TEST(Changes, FrequenciesOfOneHeadStopOrSlow) {
    for (const DitShape& shape : allShapes()) {
        if (!shape.encoding->turns() || shape.sharing != MapSharing::Head) continue;
        SCOPED_TRACE(nameOf(shape));
        const WeightTable w = randomWeights(shape);
        const Seen stored = throughBlock(w, shape, {});
        // Without positions a head's logits are those at offset zero, wherever the tokens are.
        const DitShape off = with(shape, {change(ChangeKind::PositionsOff, 0, 1)});
        const Seen here = throughBlock(w, off, {}), there = throughBlock(w, off, {5, 9});
        EXPECT_TRUE(at::equal(here.logits.select(1, 1), there.logits.select(1, 1)));
        const at::Tensor own = here.logits.select(1, 1).diagonal(0, 1, 2),
                         was = stored.logits.select(1, 1).diagonal(0, 1, 2);
        EXPECT_LE(largest((own - was) / stored.scale.select(1, 1).diagonal(0, 1, 2)), 1e-6);
        EXPECT_LE(largest((here.logits.select(1, 0) - stored.logits.select(1, 0)) / stored.scale.select(1, 0)), 1e-6);
        EncodingSpec spec = shape.positions();
        const at::Tensor frequency = layerPositions(w, "blocks.0.attn.", spec, 0).frequency;
        spec.changes = changesOf({change(ChangeKind::Frequencies, 0, 1, 0.5)});
        const at::Tensor slowed = layerPositions(w, "blocks.0.attn.", spec, 0).turning();
        EXPECT_TRUE(at::equal(slowed[1], frequency[frequency.size(0) == 1 ? 0 : 1] * 0.5));
        EXPECT_TRUE(at::equal(slowed[0], frequency[0]));
    }
}

/// Output of a whole network by the differentiable forward.
at::Tensor forwardOf(const WeightTable& w, const DitShape& shape) {
    const at::ScalarType type = w.at("x_embedder.proj.weight").scalar_type();
    return ditForward(w, shape, draw({2, 4, 8, 12}, 5).to(type), at::tensor({400.0, 400.0}, type),
                      at::tensor({1, 2}, at::kLong));
}
at::Tensor forwardOf(const DitInference& dit) {
    const DitConditions conditions = dit.conditions({400}, {1, 2}, kGrid);
    return dit.forward(draw({2, 4, 8, 12}, 5), conditions, 0);
}

TEST(Changes, AVariedNetworkIsTheForwardWithChanges) {
    for (const char* name : {"harope", "harope_mixed", "axial", "mixed", "rethinking", "absolute"})
        for (const Norm norm : {Norm::None, Norm::Rms}) {
            DitShape shape =
                shapeOf(encoding(name), encoding(name).conventions ? Convention::Inverse : Convention::None);
            shape.layers = 3;
            shape.variant.headNorm = norm;
            SCOPED_TRACE(nameOf(shape));
            WeightTable w = randomWeights(shape);
            if (norm != Norm::None)
                for (int layer = 0; layer < 3; ++layer)
                    for (const char* side : {"q_norm", "k_norm"})
                        w["blocks." + std::to_string(layer) + ".attn." + side + ".weight"] =
                            (draw({16}, layer) * 0.1 + 1).to(at::kFloat);
            const DitInference stored(w, shape, at::kCPU, at::kFloat);
            std::vector<HeadChange> list = {change(ChangeKind::OutputOff, 1, 2)};
            if (shape.encoding->turns()) list.push_back(change(ChangeKind::Frequencies, 2, -1, 0.7));
            if (shape.encoding->hasMaps()) list.push_back(change(ChangeKind::Dial, 1, 0, 0.4));
            const at::Tensor plain = forwardOf(stored), wanted = forwardOf(w, with(shape, list)),
                             varied = forwardOf(stored.varied(changesOf(list)));
            // Rounding alone: no farther from float64 than the other float32 pass is, which sums in another order.
            WeightTable wide;
            for (const auto& [key, tensor] : w) wide[key] = tensor.to(at::kDouble);
            const at::Tensor exact = forwardOf(wide, with(shape, list));
            const double rounding = largest(wanted - exact);
            EXPECT_LE(largest(varied - exact), 10 * rounding + 1e-6 * largest(exact)) << "of the forward " << rounding;
            EXPECT_GT(largest(varied - plain), 1e-3 * largest(plain));
            EXPECT_TRUE(at::equal(forwardOf(stored), plain));  // the stored one stays as it is
        }
}

TEST(Changes, AmountsFollowTheRun) {
    HeadChange curve = change(ChangeKind::Dial, 0, 0);
    curve.curve = {1, 0, 2};
    EXPECT_DOUBLE_EQ(amountAt(curve, 0), 1);
    EXPECT_DOUBLE_EQ(amountAt(curve, 0.25), 0.5);
    EXPECT_DOUBLE_EQ(amountAt(curve, 0.75), 1);
    EXPECT_DOUBLE_EQ(amountAt(curve, 1), 2);
    const HeadChangesPtr changes = changesOf({curve}), later = changesAt(changes, 0.5);
    EXPECT_DOUBLE_EQ(later->progress, 0.5);
    const HeadChangesPtr still = changesOf({change(ChangeKind::Dial, 0, 0, 0.5)});
    EXPECT_EQ(changesAt(still, 0.5), still);
}

}  // namespace
}  // namespace ropescope
