// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "core/engine/weights/heads.h"
#include "tests/core/engine/weight_files.h"

namespace ropescope {
namespace {

class Inspect : public InFolder {
protected:
    Tensors inspect(const ModelRef& ref) {
        const Result<void> done = inspectModel({ref, path("out.safetensors")});
        EXPECT_TRUE(done.has_value()) << done.error().message();
        const Result<TensorTable> table = TensorTable::open(path("out.safetensors"));
        for (const TensorEntry& e : table->tensors()) EXPECT_EQ(e.dtype, DType::F32) << e.name;
        return readWeights(path("out.safetensors"));
    }
};

ModelRef fixture(Convention convention) {
    ModelRef ref;
    ref.path = kFixture;
    ref.convention = convention;
    ref.grid = {4, 4};
    return ref;
}

double largest(const at::Tensor& t) {
    return t.abs().max().item<double>();
}

// tests/reference/probes_reference.py wrote the golden file by plain formulas in numpy.
TEST_F(Inspect, EqualsPlainFormulasInPython) {
    const Tensors golden = readWeights(kGolden + "probes_reference.safetensors");
    std::size_t compared = 0;
    for (const auto& [convention, prefix] : {std::pair(Convention::Same, "same."), {Convention::Inverse, "inverse."}}) {
        const Tensors got = inspect(fixture(convention));
        EXPECT_EQ(got.size(), golden.size() / 2);
        for (const auto& [name, tensor] : got) {
            const auto expected = golden.find(prefix + name);
            ASSERT_NE(expected, golden.end()) << name;
            ASSERT_EQ(tensor.sizes(), expected->second.sizes()) << name;
            // Both are float64 rounded to float32; degrees reach 90.
            EXPECT_LE(largest(tensor - expected->second), 2e-6 * std::max(1.0, largest(expected->second))) << name;
            ++compared;
        }
    }
    EXPECT_EQ(compared, golden.size());
}

TEST_F(Inspect, ExtrapolatesToTheGridAskedFor) {
    const Tensors trained = inspect(fixture(Convention::Inverse));
    ModelRef larger = fixture(Convention::Inverse);
    larger.grid = {8, 12};
    const Extrapolate how{Extrapolation::Interpolation, {4, 4}, false};
    const Result<void> done = inspectModel({larger, path("larger.safetensors"), how});
    ASSERT_TRUE(done) << done.error().message();
    const Tensors got = readWeights(path("larger.safetensors"));
    const at::Tensor scale = at::tensor(std::vector<double>{2, 3});  // rows and columns, each its own
    EXPECT_LE(largest(got.at("layer.0.frequency") * scale - trained.at("layer.0.frequency")), 1e-6);
    EXPECT_TRUE(at::equal(got.at("layer.0.map_q"), trained.at("layer.0.map_q")));
    // Twice the rows at half the frequency: the same logit at every second offset.
    const at::Tensor wide = got.at("layer.1.kernel_weights"), near = trained.at("layer.1.kernel_weights");
    ASSERT_EQ(wide.sizes(), at::IntArrayRef({3, 15, 23}));
    for (int r = -3; r <= 3; ++r)
        for (int c = -3; c <= 3; ++c)
            EXPECT_LE(largest(wide.select(1, 7 + 2 * r).select(1, 11 + 3 * c) - near.select(1, 3 + r).select(1, 3 + c)),
                      1e-5);
}

TEST_F(Inspect, MapsAreThoseTheReleasedCodeRecorded) {
    const Tensors recorded = readWeights(kGolden + "harope_dit_tiny.expected.safetensors");
    const Tensors got = inspect(fixture(Convention::Inverse));
    for (const std::string i : {"0", "1"}) {
        EXPECT_LE(largest(got.at("layer." + i + ".map_q") - recorded.at("M." + i)), 1e-5);
        EXPECT_LE(largest(got.at("layer." + i + ".map_k").mT() - recorded.at("M_inv." + i)), 1e-5);
        EXPECT_LE(largest(got.at("layer." + i + ".singular_values") - recorded.at("singular_values." + i)), 1e-5);
    }
}

TEST_F(Inspect, AxialModelsHaveIdentityMapsAndAbsoluteOnesNothingPositional) {
    Tensors weights = readWeights(kFixture);
    std::erase_if(weights, [](const auto& item) { return item.first.find("learnable_rot") != std::string::npos; });
    writeWeights(path("axial.safetensors"), weights);
    ModelRef ref;
    ref.path = path("axial.safetensors");
    ref.heads = 3;
    const Tensors axial = inspect(ref);
    EXPECT_TRUE(at::equal(axial.at("layer.1.map_k")[2], at::eye(16, at::kDouble)));
    EXPECT_TRUE(at::equal(axial.at("layer.0.overlap_q")[0], at::eye(8, at::kDouble)));
    EXPECT_EQ(largest(axial.at("layer.0.principal_angles_k")), 0);
    EXPECT_EQ(axial.at("layer.0.frequency").sizes(), (at::IntArrayRef{8, 2}));
    EXPECT_EQ(axial.at("layer.0.kernel_white").sizes(), (at::IntArrayRef{3, 31, 31}));
    EXPECT_NEAR(axial.at("layer.0.kernel_white")[1][15][15].item<double>(), 1, 1e-6);

    ref.path = kGolden + "dit_ape_tiny.pt";
    const Tensors absolute = inspect(ref);
    EXPECT_TRUE(at::equal(absolute.at("layer.0.map_q")[0], at::eye(absolute.at("layer.0.map_q").size(1), at::kDouble)));
    for (const auto& [name, tensor] : absolute)
        EXPECT_TRUE(name.ends_with("map_q") || name.ends_with("map_k") || name.ends_with("singular_values")) << name;
}

TEST_F(Inspect, AMarkedHeadIsNanThroughoutAndTheOthersAreUntouched) {
    const Tensors clean = inspect(fixture(Convention::Same));
    Tensors weights = readWeights(kFixture);
    weights["blocks.1.attn.learnable_rot.A_v"][2][3][4] = std::numeric_limits<double>::quiet_NaN();
    writeWeights(path("nan.safetensors"), weights);
    ModelRef ref = fixture(Convention::Same);
    ref.path = path("nan.safetensors");
    ref.theta = 10000;
    testing::internal::CaptureStderr();
    const Tensors got = inspect(ref);
    const std::string messages = testing::internal::GetCapturedStderr();
    EXPECT_NE(messages.find("L1.H2: [TC-01]"), std::string::npos) << messages;
    EXPECT_EQ(got.size(), clean.size());
    for (const auto& [name, tensor] : got) {
        if (name.ends_with("frequency")) continue;
        EXPECT_EQ(tensor[2].isnan().all().item<bool>(), name.starts_with("layer.1.")) << name;
        EXPECT_TRUE(at::equal(tensor.narrow(0, 0, 2), clean.at(name).narrow(0, 0, 2))) << name;
    }
}

TEST_F(Inspect, ErrorsNameWhatIsMissingAndNothingIsWritten) {
    ModelRef ref = fixture(Convention::Same);
    ref.path = path("nowhere.pt");
    EXPECT_FALSE(inspectModel({ref, path("out.safetensors")}).has_value());
    EXPECT_FALSE(std::filesystem::exists(path("out.safetensors")));
}

}  // namespace
}  // namespace ropescope
