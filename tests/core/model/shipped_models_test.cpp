// SPDX-License-Identifier: Apache-2.0
#include <ATen/core/grad_mode.h>

#include <filesystem>

#include "core/model/dit.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;

// Every shipped model holds a pair of input and output recorded by the trainer that wrote it.
TEST(ShippedModels, ReproduceTheirRecordedOutputs) {
    int models = 0;
    for (const fs::directory_entry& folder : fs::directory_iterator(ROPESCOPE_SOURCE_DIR "/resources/models")) {
        SCOPED_TRACE(folder.path());
        ModelRef ref;
        ref.path = (folder.path() / "model.safetensors").string();
        const ModelCard card = openCard(ref).value();
        EXPECT_EQ(card.theta, 100);
        EXPECT_EQ(card.objective, "flow");
        EXPECT_EQ(card.classNames.size(), 10u);
        const DitShape shape = ditShape(card).value();
        const WeightTable w = loadDitWeights(TensorTable::open(ref.path).value(), shape).value();
        const at::NoGradGuard noGrad;
        const at::Tensor out =
            ditForward(w, shape, goldenTensor(ref.path, "selfcheck.x").to(at::kFloat),
                       goldenTensor(ref.path, "selfcheck.t"), goldenTensor(ref.path, "selfcheck.y").to(at::kLong));
        expectClose(out, goldenTensor(ref.path, "selfcheck.out"));
        EXPECT_TRUE(fs::exists(folder.path() / "card.md"));
        ++models;
    }
    EXPECT_GE(models, 1);
}

TEST(ShippedModels, TheFirstOneHasHeadsThatMovedAndASeries) {
    ModelRef ref;
    ref.path = ROPESCOPE_SOURCE_DIR "/resources/models/fashion-harope/model.safetensors";
    const ModelCard card = openCard(ref).value();
    EXPECT_EQ(card.convention, Convention::Same);
    EXPECT_GE(card.series.size(), 8u);
    for (int layer = 0; layer < card.layers; ++layer) {
        const at::Tensor s =
            at::softplus(goldenTensor(ref.path, "blocks." + std::to_string(layer) + ".attn.learnable_rot.sigma"));
        EXPECT_LT(s.min().item<double>(), 0.8) << "layer " << layer;
    }
}

}  // namespace
}  // namespace ropescope
