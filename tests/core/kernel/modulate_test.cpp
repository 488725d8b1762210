// SPDX-License-Identifier: Apache-2.0
#include "core/kernel/modulate.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace ropescope {
namespace {

at::Tensor byOperators(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale) {
    return at::layer_norm(x, {x.size(-1)}, {}, {}, 1e-6) * (scale.unsqueeze(1) + 1) + shift.unsqueeze(1);
}

double worst(const at::Tensor& a, const at::Tensor& b) {
    return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

TEST(ModulatedNorm, EqualsTheOperators) {
    at::manual_seed(1);
    for (const std::int64_t width : {4, 48, 129, 768}) {
        const at::Tensor x = at::randn({3, 7, width}) * 5 + 2, both = at::randn({3, 2 * width});
        const at::Tensor shift = both.narrow(1, 0, width), scale = both.narrow(1, width, width);  // strided rows
        EXPECT_LT(worst(modulatedNorm(x, shift, scale), byOperators(x, shift, scale)), 2e-5) << width;
        EXPECT_LT(worst(modulatedNorm(x, shift.narrow(0, 1, 1), scale.narrow(0, 1, 1)),
                        byOperators(x, shift.narrow(0, 1, 1), scale.narrow(0, 1, 1))),
                  2e-5)
            << width;
    }
}

TEST(ModulatedNorm, TakesOtherTypesAndStrides) {
    at::manual_seed(2);
    const at::Tensor x = at::randn({2, 5, 16}), shift = at::randn({2, 16}), scale = at::randn({2, 16});
    const at::Tensor strided = at::randn({2, 16, 5}).transpose(1, 2);
    EXPECT_LT(worst(modulatedNorm(strided, shift, scale), byOperators(strided, shift, scale)), 2e-5);
    const at::Tensor half = modulatedNorm(x.to(at::kBFloat16), shift.to(at::kBFloat16), scale.to(at::kBFloat16));
    EXPECT_EQ(half.scalar_type(), at::kBFloat16);
    EXPECT_LT(worst(half, byOperators(x, shift, scale)), 0.1);
}

TEST(ModulatedNorm, ConstantRowsGiveTheShift) {
    const at::Tensor x = at::full({1, 2, 8}, 3.0), shift = at::arange(8).to(at::kFloat).unsqueeze(0);
    EXPECT_LT(worst(modulatedNorm(x, shift, at::ones({1, 8})), shift.expand({1, 2, 8})), 1e-6);
}

}  // namespace
}  // namespace ropescope
