// SPDX-License-Identifier: Apache-2.0
#include "core/training/train_task.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/checkpoint/tensor_table.h"
#include "core/model/vit.h"
#include "core/training/parameter_store.h"
#include "core/training/tensor_array.h"
#include "tests/core/training/idx_folder.h"

namespace ropescope {
namespace {

struct Choice {
    std::string architecture, encoding;
    Convention convention;
    MatrixKind matrix;
    MapSharing sharing;
    Precision precision;
};

std::vector<Choice> allChoices() {
    std::vector<Choice> all;
    for (const std::string architecture : {"dit", "vit"})
        for (const Precision precision : {Precision::Fp32, Precision::Bf16})
            for (const Encoding& e : encodings()) {
                const std::string name(e.name);
                if (!e.hasMaps()) {
                    all.push_back(
                        {architecture, name, Convention::None, MatrixKind::None, MapSharing::Head, precision});
                    continue;
                }
                for (const MatrixKind kind : e.map->kinds)
                    for (const MapSharing sharing : {MapSharing::Head, MapSharing::Layer, MapSharing::Model}) {
                        if (sharing == MapSharing::Model && e.frequencies == Frequencies::Learned) continue;
                        if (!e.conventions)
                            all.push_back({architecture, name, Convention::None, kind, sharing, precision});
                        for (const Convention c : {Convention::Same, Convention::Inverse})
                            if (e.conventions) all.push_back({architecture, name, c, kind, sharing, precision});
                    }
            }
    return all;
}

TrainSettings tiny(const std::string& data) {
    TrainSettings s;
    s.data = data;
    s.layers = 2, s.heads = 2, s.headDim = 8, s.patch = 2, s.batch = 8;
    return s;
}

class EveryKind : public testing::TestWithParam<Choice> {};

// An output gate of zero hides the maps of a new DiT for one step: three steps are taken.
TEST_P(EveryKind, StepsOfTrainingChangeTheParametersOfTheEncoding) {
    const IdxFolder folder("ropescope-every-kind");
    const Choice& c = GetParam();
    TrainSettings s = tiny(folder.path());
    s.architecture = c.architecture, s.encoding = c.encoding, s.convention = c.convention;
    s.matrix = c.matrix, s.sharing = c.sharing, s.precision = c.precision;
    ASSERT_TRUE(checkChoices(s)) << checkChoices(s).error().message();
    const auto task = makeTask(s).value();
    const WeightTable before = task->initialWeights();
    ParameterStore store(before, s.optimizer, task->fixed());
    for (int step = 0; step < 3; ++step) {
        const at::Tensor loss = task->loss(store.leaves(), step);
        ASSERT_TRUE(std::isfinite(loss.item<float>()));
        loss.backward();
        ASSERT_TRUE(std::isfinite(store.step(0.01, step + 1)));
    }
    int parameters = 0;
    for (const auto& [name, start] : before) {
        if (!isPositionParameter(name)) continue;
        ++parameters;
        const at::Tensor now = store.leaves().at(name).detach();
        EXPECT_TRUE(now.isfinite().all().item<bool>()) << name;
        EXPECT_GT((now - start).abs().max().item<double>(), 1e-5) << name;
    }
    const Encoding& e = *findEncoding(c.encoding).value();
    EXPECT_EQ(parameters > 0, e.hasMaps() || e.frequencies == Frequencies::Learned);
}

std::string nameOf(const testing::TestParamInfo<Choice>& info) {
    static const char* const conventions[] = {"", "Same", "Inverse", ""};
    static const char* const sharings[] = {"Head", "Layer", "Model"};
    const Choice& c = info.param;
    return c.architecture + (c.precision == Precision::Fp32 ? "Fp32" : "Bf16") + c.encoding +
           conventions[static_cast<int>(c.convention)] + std::to_string(static_cast<int>(c.matrix)) +
           sharings[static_cast<int>(c.sharing)];
}

INSTANTIATE_TEST_SUITE_P(Training, EveryKind, testing::ValuesIn(allChoices()), nameOf);

TEST(TrainTask, ViTFilesSayWhatTheyAreAndHoldARecordedPair) {
    const IdxFolder folder("ropescope-vit-file");
    TrainSettings s = tiny(folder.path());
    s.architecture = "vit", s.convention = Convention::Same;
    ASSERT_TRUE(checkChoices(s));
    const auto task = makeTask(s).value();
    const std::string path = folder.file("model.safetensors");
    ASSERT_TRUE(task->save(path, task->initialWeights(), 5, Share::All));
    ModelRef ref;
    ref.path = path;
    const auto card = openCard(ref);
    ASSERT_TRUE(card) << card.error().message();
    EXPECT_EQ(card->architecture, "vit");
    EXPECT_EQ(card->encoding, "harope");
    EXPECT_EQ(card->convention, Convention::Same);
    EXPECT_EQ(card->mapTokens, MapTokens::All);
    EXPECT_TRUE(card->classToken);
    EXPECT_EQ(card->grid, (Grid{4, 4}));
    EXPECT_EQ(card->classes, 2);
    EXPECT_EQ(card->theta, 100);
    EXPECT_EQ(card->preprocessing.mean, std::vector<double>{0.5});
    const SafetensorsContent content = readSafetensorsFile(path).value();
    const auto shape = viTShape(*card);
    ASSERT_TRUE(shape) << shape.error().message();
    const WeightTable weights = loadViTWeights(TensorTable::open(path).value(), *shape).value();
    const at::Tensor out = vitForward(weights, *shape, toTensor(content.arrays.at("selfcheck.x")));
    EXPECT_LE((out - toTensor(content.arrays.at("selfcheck.out"))).abs().max().item<double>(), 1e-5);
}

// A device given by number takes the path of GPUs, on the processor too.
TEST(ParameterStore, TheStepOfOtherDevicesIsTheSame) {
    at::manual_seed(4);
    const WeightTable initial = {{"blocks.0.attn.learnable_rot.sigma", at::rand({2, 5})},
                                 {"blocks.0.attn.qkv.weight", at::randn({7, 5})},
                                 {"head.bias", at::randn({3})},
                                 {"pos_embed", at::randn({1, 2, 4})}};
    OptimizerSettings settings;
    settings.mapRateScale = 3, settings.sigmaDecay = 0.02, settings.weightDecay = 0.1;
    ParameterStore loop(initial, settings, {"pos_embed"}),
        tensors(initial, settings, {"pos_embed"}, at::Device(at::kCPU, 0));
    for (int step = 1; step <= 20; ++step)
        for (ParameterStore* store : {&loop, &tensors}) {
            at::Tensor loss = at::zeros({});
            for (const auto& [name, leaf] : store->leaves())
                if (leaf.requires_grad()) loss = loss + (leaf - 0.3 * step).pow(2).sum();
            loss.backward();
            store->step(0.01, step);
        }
    // Twenty steps of float32 in another order of multiplications.
    const auto close = [](const at::Tensor& a, const at::Tensor& b) {
        return (a - b).abs().max().item<double>() <= 1e-5;
    };
    EXPECT_TRUE(close(loop.state().weights, tensors.state().weights));
    EXPECT_TRUE(close(loop.state().average, tensors.state().average));
    EXPECT_FALSE(close(loop.state().weights, loop.state().average));
    EXPECT_TRUE(at::equal(tensors.leaves().at("pos_embed"), initial.at("pos_embed")));
}

}  // namespace
}  // namespace ropescope
