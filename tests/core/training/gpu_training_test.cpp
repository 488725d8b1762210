// SPDX-License-Identifier: Apache-2.0
// Training on a GPU. Without one every case skips and says why.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/engine/machine/device.h"
#include "core/training/parameter_store.h"
#include "core/training/train_task.h"
#include "tests/core/training/idx_folder.h"

namespace ropescope {
namespace {

// Losses of a few steps; both start from the same weights and see the same batches.
std::vector<float> losses(TrainSettings s, const std::string& device) {
    s.device = device;
    const auto task = makeTask(s).value();
    ParameterStore store(task->initialWeights(), s.optimizer, task->fixed(), chooseDevice(device).value());
    std::vector<float> all;
    for (int step = 0; step < 6; ++step) {
        const at::Tensor loss = task->loss(store.leaves(), step);
        loss.backward();
        store.step(0.01, step + 1);
        all.push_back(loss.item<float>());
    }
    return all;
}

TEST(GpuTraining, LossesEqualTheProcessorsForEveryEncoding) {
    if (cudaDevices().names.empty()) GTEST_SKIP() << "no GPU: " << cudaDevices().reason;
    const IdxFolder folder("ropescope-gpu-training");
    for (const std::string architecture : {"dit", "vit"})
        for (const Encoding& encoding : encodings()) {
            SCOPED_TRACE(architecture + " " + std::string(encoding.name));
            TrainSettings s;
            s.data = folder.path(), s.architecture = architecture, s.encoding = encoding.name;
            s.convention = encoding.conventions ? Convention::Inverse : Convention::None;
            s.layers = 2, s.heads = 2, s.headDim = 8, s.patch = 2, s.batch = 8, s.precision = Precision::Fp32;
            ASSERT_TRUE(checkChoices(s));
            const std::vector<float> there = losses(s, "cuda"), here = losses(s, "cpu");
            // Float32 sums in another order, six steps long.
            for (std::size_t i = 0; i < here.size(); ++i) EXPECT_NEAR(there[i], here[i], 1e-3 * (1 + here[i])) << i;
        }
}

}  // namespace
}  // namespace ropescope
