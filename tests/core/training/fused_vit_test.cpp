// SPDX-License-Identifier: Apache-2.0
#include "core/training/fused_vit.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

namespace ropescope {
namespace {

struct Gradients {
    at::Tensor out;
    std::map<std::string, at::Tensor> of;
};

Gradients gradients(const WeightTable& weights, const ViTShape& shape, Precision precision) {
    at::manual_seed(2);
    const at::Tensor x = at::randn({5, 1, 12, 8}), target = at::randn({5, 6});
    WeightTable leaves;
    for (const auto& [name, w] : weights) leaves[name] = w.clone().set_requires_grad(true);
    Gradients g{trainingForward(leaves, shape, x, precision), {}};
    (g.out * target).mean().backward();
    for (const auto& [name, leaf] : leaves) g.of[name] = leaf.grad();
    return g;
}

double relative(const at::Tensor& a, const at::Tensor& b) {
    return ((a - b).norm() / b.norm().clamp_min(1e-12)).item<double>();
}

ViTShape smallShape(const Encoding& encoding) {
    TrainSettings s;
    s.layers = 2, s.heads = 3, s.headDim = 16, s.patch = 4, s.theta = 100;
    s.convention = encoding.conventions ? Convention::Inverse : Convention::None;
    return trainedViTShape(s, encoding, 1, 6, {3, 2});
}

WeightTable roughWeights(const ViTShape& shape) {
    WeightTable w = initialViTWeights(shape, {3, 2}, 4);
    at::manual_seed(9);
    for (auto& [name, t] : w) t = t + at::randn_like(t) * 0.08;
    return w;
}

// bfloat16 keeps eight bits and the tanh GELU is 4e-4 away from the exact one: a gradient that is wrong anywhere is off
// by far more than these bounds.
TEST(FusedViT, OutputsAndGradientsEqualThePlainOnesForEveryEncoding) {
    for (const Encoding& encoding : encodings()) {
        SCOPED_TRACE(encoding.name);
        const ViTShape shape = smallShape(encoding);
        const WeightTable w = roughWeights(shape);
        const Gradients plain = gradients(w, shape, Precision::Fp32), fused = gradients(w, shape, Precision::Bf16);
        EXPECT_LE(relative(fused.out, plain.out), 0.02);
        for (const auto& [name, g] : plain.of) {
            ASSERT_TRUE(fused.of.at(name).defined()) << name;
            EXPECT_LE(relative(fused.of.at(name), g), 0.05) << name;
        }
    }
}

TEST(FusedViT, Fp32IsViTForward) {
    const ViTShape shape = smallShape(*findEncoding("harope").value());
    const WeightTable w = roughWeights(shape);
    const at::NoGradGuard noGrad;
    at::manual_seed(3);
    const at::Tensor x = at::randn({2, 1, 12, 8});
    EXPECT_LE(relative(trainingForward(w, shape, x, Precision::Fp32), vitForward(w, shape, x)), 1e-5);
}

}  // namespace
}  // namespace ropescope
