// SPDX-License-Identifier: Apache-2.0
#include "core/training/resolution.h"

#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/InferenceMode.h>

#include "core/encoding/extrapolation.h"
#include "core/model/vit.h"
#include "tests/core/engine/weight_files.h"

namespace ropescope {
namespace {

class Resolution : public InFolder {
protected:
    void SetUp() override {
        InFolder::SetUp();
        ViTShape shape;
        shape.layers = 2, shape.heads = 2, shape.headDim = 8, shape.patch = 4, shape.inChannels = 1, shape.classes = 4;
        shape.encoding = findEncoding("axial").value();
        at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(1);
        WeightTable weights = initialViTWeights(shape, {4, 4}, 1);
        std::map<std::string, Array> arrays;
        for (auto& [name, t] : weights) {
            t = t + 0.3 * at::randn(t.sizes(), generator);
            arrays[name] = makeArray(std::span(t.const_data_ptr<float>(), t.numel()), t.sizes().vec());
        }
        const std::string config =
            R"({"architecture":"vit","encoding":"axial","heads":2,"theta":100,"grid":[4,4],"in_channels":1})";
        m_ref.path = path("vit.safetensors");
        ASSERT_TRUE(writeSafetensors(m_ref.path, arrays, {{"ropescope.config", config}}));
        m_shape = viTShape(openCard(m_ref).value()).value();
        m_weights = loadViTWeights(TensorTable::open(m_ref.path).value(), m_shape).value();
        m_test.images = at::randint(0, 256, {300, 1, 16, 16}, generator, at::kByte);
        m_test.labels = classes(16, {});
    }

    /// What the plain forward pass says at that side.
    at::Tensor classes(int side, const Stretch& stretch) const {
        const c10::InferenceMode inference;
        at::Tensor x = toSignal(m_test.images);
        if (side != 16) x = at::_upsample_bicubic2d_aa(x, {side, side}, false).clamp(-1, 1);
        ViTTaps taps;
        taps.positions = [&](int, LayerPositions& p) { stretchPositions(p, m_shape.positions(), stretch); };
        return vitForward(m_weights, m_shape, x, taps).argmax(1);
    }

    ModelRef m_ref;
    ViTShape m_shape;
    WeightTable m_weights;
    Dataset m_test;
};

TEST_F(Resolution, CountsWhatTheForwardPassSaysAtEverySide) {
    const Compute cpu{"cpu", Precision::Fp32, 1};
    const auto points =
        accuracyAtSides({m_ref, cpu, {16, 40}, {Extrapolation::None, Extrapolation::Interpolation}}, m_test, {});
    ASSERT_TRUE(points) << points.error().message();
    ASSERT_EQ(points->size(), 4u);
    EXPECT_EQ((*points)[0].top1, 1);  // labels are the model's own words at the trained size
    EXPECT_EQ((*points)[1].top1, 1);  // where no method changes anything
    for (int i = 2; i < 4; ++i) {
        const ResolutionPoint& p = (*points)[i];
        const Stretch stretch = stretchOf({p.method}, {4, 4}, {10, 10}, 2);
        const double expected = classes(40, stretch).eq(m_test.labels).to(at::kDouble).mean().item<double>();
        EXPECT_NEAR(p.top1, expected, 1.01 / 300);  // one near tie may fall the other way
        EXPECT_TRUE(p.low < p.top1 && p.top1 < p.high);
        EXPECT_EQ(p.images, 300);
    }
    const Stretch squeezed = stretchOf({Extrapolation::Interpolation}, {4, 4}, {10, 10}, 2);
    EXPECT_FALSE(at::equal(classes(40, {}), classes(40, squeezed))) << "the method reaches the network";
}

TEST_F(Resolution, RefusesWhatDoesNotFit) {
    const auto asked = [&](int side, const Dataset& data) {
        return accuracyAtSides({m_ref, {"cpu", Precision::Fp32, 1}, {side}, {Extrapolation::None}}, data, {});
    };
    EXPECT_EQ(asked(18, m_test).error().exitCode(), 2);
    Dataset colour = m_test;
    colour.images = m_test.images.expand({300, 3, 16, 16});
    EXPECT_EQ(asked(16, colour).error().exitCode(), 1);
}

}  // namespace
}  // namespace ropescope
