// SPDX-License-Identifier: Apache-2.0
// The same results on a GPU as on the processor. Without one every case skips and says why.
#include <ATen/ATen.h>

#include "core/engine/machine/device.h"
#include "core/engine/run/generate.h"
#include "core/kernel/field.h"
#include "core/kernel/joint_field.h"
#include "core/kernel/modulate.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

class Gpu : public testing::Test {
protected:
    void SetUp() override {
        if (cudaDevices().names.empty()) GTEST_SKIP() << "no GPU: " << cudaDevices().reason;
    }
};

at::Tensor tensorOf(const Array& a) {
    return at::from_blob(const_cast<std::byte*>(a.bytes.data()), a.shape, at::kFloat).clone();
}

TEST_F(Gpu, FieldsEqualTheProcessors) {
    at::manual_seed(5);
    for (const auto& [rows, cols, dim] : {std::tuple{7, 7, 32}, {16, 16, 64}, {3, 37, 16}, {5, 70, 24}, {1, 1, 4}}) {
        SCOPED_TRACE(std::to_string(rows) + "x" + std::to_string(cols));
        const auto draw = [&, d = dim, n = rows * cols] { return at::randn({2, 3, n, d}); };
        const at::Tensor q = draw(), k = draw(), v = draw();
        const Grid grid{rows, cols};
        const RecordedAttention cpu = attendRecording(q, k, v, grid);
        for (const auto& [type, bound] : {std::pair{at::kFloat, 1e-5}, {at::kHalf, 2e-3}, {at::kBFloat16, 2e-2}}) {
            const auto there = [&, t = type](const at::Tensor& x) { return x.to(at::kCUDA, t); };
            const RecordedAttention gpu = attendRecording(there(q), there(k), there(v), grid);
            expectClose(gpu.field.sum.to(at::kDouble), cpu.field.sum.to(at::kDouble), bound);
            expectClose(gpu.field.entropy.to(at::kDouble), cpu.field.entropy.to(at::kDouble), bound);
            expectClose(gpu.output.to(at::kDouble), cpu.output.to(at::kDouble), 2 * bound);
        }
    }
}

TEST_F(Gpu, FieldsRepeatBitByBit) {
    at::manual_seed(6);
    const at::Tensor q = at::randn({2, 4, 256, 64}).cuda(), k = at::randn({2, 4, 256, 64}).cuda();
    const auto a = attendRecording(q, k, k, {16, 16}), b = attendRecording(q, k, k, {16, 16});
    EXPECT_TRUE(a.field.sum.equal(b.field.sum));
}

TEST_F(Gpu, JointFieldsEqualTheProcessors) {
    at::manual_seed(7);
    const at::Tensor q = at::randn({2, 3, 11 + 20, 16}), k = at::randn({2, 3, 11 + 20, 16});
    const JointField cpu = jointField(q, k, 11, {4, 5}), gpu = jointField(q.cuda(), k.cuda(), 11, {4, 5});
    expectClose(gpu.field.sum.to(at::kDouble), cpu.field.sum.to(at::kDouble), 1e-5);
    expectClose(gpu.field.entropy.to(at::kDouble), cpu.field.entropy.to(at::kDouble), 1e-5);
    expectClose(gpu.imageToText.to(at::kDouble), cpu.imageToText.to(at::kDouble), 1e-5);
    expectClose(gpu.textToImage.to(at::kDouble), cpu.textToImage.to(at::kDouble), 1e-5);
}

TEST_F(Gpu, PromptsPicturesEqualTheProcessors) {
    GenerateRequest r;
    r.model.path = goldenPath("flux_tiny.safetensors");
    r.text.embeddings = goldenPath("pipelines.safetensors");
    r.noiseFile = goldenPath("pipelines_flux_noise.safetensors");
    r.compute.device = "cuda";
    r.steps = 4;
    r.guidance = 2.5;
    const auto gpu = generate(r, {});
    ASSERT_TRUE(gpu) << gpu.error().message();
    expectClose(tensorOf(gpu->latents), goldenTensor(goldenPath("pipelines.expected.safetensors"), "flux_euler"));
}

TEST_F(Gpu, GenerationEqualsTheProcessors) {
    const std::string expected = goldenPath("harope_dit_tiny.expected.safetensors");
    GenerateRequest r;
    r.model.path = goldenPath("harope_dit_tiny.pt");
    r.model.convention = Convention::Inverse;
    r.compute.device = "cuda";
    r.labels = {2};
    r.steps = 10;
    r.guidance = 1.5;
    r.noiseFile = expected;
    r.record = RecordFields::All;
    const auto gpu = generate(r, {});
    ASSERT_TRUE(gpu) << gpu.error().message();
    expectClose(tensorOf(gpu->latents), goldenTensor(expected, "v2.ddim10_cfg1.5"));
    r.compute.device = "cpu";
    const auto cpu = generate(r, {});
    ASSERT_TRUE(cpu) << cpu.error().message();
    for (std::size_t h = 0; h < cpu->fields[0].heads.size(); ++h)
        for (std::size_t i = 0; i < cpu->fields[0].heads[h].sum.size(); ++i)
            EXPECT_NEAR(gpu->fields[0].heads[h].sum[i], cpu->fields[0].heads[h].sum[i], 1e-5);
    for (const auto& [precision, share] : {std::pair{Precision::Bf16, 0.05}, {Precision::Fp16, 0.01}}) {
        r.compute.device = "cuda";
        r.compute.precision = precision;
        const auto half = generate(r, {});
        ASSERT_TRUE(half) << half.error().message();
        expectClose(tensorOf(half->latents), goldenTensor(expected, "v2.ddim10_cfg1.5"), share);
    }
}

}  // namespace
}  // namespace ropescope
