// SPDX-License-Identifier: Apache-2.0
#include "core/training/fused_dit.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "core/training/parameter_store.h"

namespace ropescope {
namespace {

struct Gradients {
    at::Tensor out;
    std::map<std::string, at::Tensor> of;
};

Gradients gradients(const WeightTable& weights, const DitShape& shape, Precision precision) {
    at::manual_seed(2);
    const at::Tensor x = at::randn({5, 1, 12, 8}), t = at::rand({5}) * 1000, target = at::randn({5, 1, 12, 8});
    const at::Tensor y = at::arange(5);
    WeightTable leaves;
    for (const auto& [name, w] : weights) leaves[name] = w.clone().set_requires_grad(name != "pos_embed");
    Gradients g{trainingForward(leaves, shape, x, t, y, precision), {}};
    (g.out * target).mean().backward();
    for (const auto& [name, leaf] : leaves)
        if (leaf.requires_grad()) g.of[name] = leaf.grad();
    return g;
}

double relative(const at::Tensor& a, const at::Tensor& b) {
    return ((a - b).norm() / b.norm().clamp_min(1e-12)).item<double>();
}

DitShape smallShape(const Encoding& encoding) {
    return {2, 3, 16, 4, 1, 1, 6, 100, &encoding, encoding.conventions ? Convention::Inverse : Convention::None};
}

WeightTable roughWeights(const DitShape& shape) {
    WeightTable w = initialDitWeights(shape, {3, 2}, 4);
    at::manual_seed(9);
    for (auto& [name, t] : w)
        if (name != "pos_embed") t = t + at::randn_like(t) * 0.08;
    return w;
}

// bfloat16 keeps eight bits: a gradient that is wrong anywhere is off by far more than these bounds.
TEST(FusedDit, OutputsAndGradientsEqualThePlainOnesForEveryEncoding) {
    for (const Encoding& encoding : encodings()) {
        SCOPED_TRACE(encoding.name);
        const DitShape shape = smallShape(encoding);
        const WeightTable w = roughWeights(shape);
        const Gradients plain = gradients(w, shape, Precision::Fp32), fused = gradients(w, shape, Precision::Bf16);
        EXPECT_LE(relative(fused.out, plain.out), 0.01);
        for (const auto& [name, g] : plain.of) {
            ASSERT_TRUE(fused.of.at(name).defined()) << name;
            EXPECT_LE(relative(fused.of.at(name), g), 0.04) << name;
        }
    }
}

TEST(FusedDit, Fp32IsDitForward) {
    const DitShape shape = smallShape(*findEncoding("harope").value());
    const WeightTable w = roughWeights(shape);
    const at::NoGradGuard noGrad;
    at::manual_seed(3);
    const at::Tensor x = at::randn({2, 1, 12, 8}), t = at::tensor({100.0, 800.0}), y = at::tensor({0, 6}, at::kLong);
    EXPECT_LE(relative(trainingForward(w, shape, x, t, y, Precision::Fp32), ditForward(w, shape, x, t, y)), 1e-5);
}

TEST(ParameterStore, OneStepIsAdamW) {
    OptimizerSettings settings;
    settings.weightDecay = 0.1;
    settings.clipNorm = 1e9;
    ParameterStore store({{"a.weight", at::ones({2, 2})}, {"a.bias", at::ones({2})}}, settings);
    (store.leaves().at("a.weight") * at::tensor({1.0, -2.0, 3.0, 0.0}).view({2, 2})).sum().backward();
    const double norm = store.step(0.01, 1);
    EXPECT_NEAR(norm, std::sqrt(14.0), 1e-5);
    // The first Adam step is lr * sign(g); decay shrinks matrices only.
    const at::Tensor w = store.leaves().at("a.weight").flatten();
    const double shrunk = 1 - 0.01 * 0.1;
    EXPECT_NEAR(w[0].item<double>(), shrunk - 0.01, 1e-6);
    EXPECT_NEAR(w[1].item<double>(), shrunk + 0.01, 1e-6);
    EXPECT_NEAR(w[3].item<double>(), shrunk, 1e-6);
    EXPECT_EQ(store.leaves().at("a.bias")[0].item<float>(), 1.0f);
    // The average's first decay is 2/11, so it moves almost all the way.
    EXPECT_NEAR(store.average().at("a.weight").flatten()[0].item<double>(), 1 - (1 - 2.0 / 11) * (1 - shrunk + 0.01),
                1e-6);
}

}  // namespace
}  // namespace ropescope
