// SPDX-License-Identifier: Apache-2.0
#include "core/model/dit_inference.h"

#include <c10/core/InferenceMode.h>

#include "tests/core/golden.h"

namespace ropescope {
namespace {

struct Fixture {
    DitShape shape;
    WeightTable weights;
    std::string expected;
};

Fixture open(const std::string& name, const char* encoding, Convention convention) {
    Fixture f{{2, 3, 16, 2, 4, 8, 5, 10000, findEncoding(encoding).value(), convention},
              {},
              goldenPath(name + ".expected.safetensors")};
    f.weights = loadDitWeights(TensorTable::open(goldenPath(name + ".pt")).value(), f.shape).value();
    return f;
}

/// The two recorded images have times of their own, so each runs alone.
at::Tensor run(const DitInference& model, const std::string& expected, DitRecording* recordings = nullptr) {
    const c10::InferenceMode inference;
    const at::Tensor x = goldenTensor(expected, "x").to(at::kFloat);
    std::vector<at::Tensor> out;
    for (int i = 0; i < 2; ++i) {
        const double t = goldenTensor(expected, "t")[i].item<double>();
        const int label = goldenTensor(expected, "y")[i].item<int>();
        const DitConditions c = model.conditions({1, t, 999}, {label}, {4, 4});
        out.push_back(model.forward(x.narrow(0, i, 1), c, 1, recordings ? &recordings[i] : nullptr));
    }
    return at::cat(out);
}

TEST(DitInference, EqualsTheRecordedOutputsOfBothConventions) {
    for (const auto& [convention, version] :
         {std::pair{Convention::Same, "v1"}, std::pair{Convention::Inverse, "v2"}}) {
        SCOPED_TRACE(version);
        const Fixture f = open("harope_dit_tiny", "harope", convention);
        const DitInference model(f.weights, f.shape, at::kCPU, at::kFloat);
        expectClose(run(model, f.expected), goldenTensor(f.expected, std::string(version) + ".out"));
    }
}

TEST(DitInference, EqualsTheRecordedOutputWithAbsolutePositions) {
    const Fixture f = open("dit_ape_tiny", "absolute", Convention::None);
    const DitInference model(f.weights, f.shape, at::kCPU, at::kFloat);
    expectClose(run(model, f.expected), goldenTensor(f.expected, "out"));
}

// A larger image by every method: the same frequencies reach both ways of computing, maps as they are.
TEST(DitInference, EqualsTheForwardPassUnderEveryExtrapolation) {
    const c10::InferenceMode inference;
    const Fixture f = open("harope_dit_tiny", "harope", Convention::Inverse);
    const DitInference model(f.weights, f.shape, at::kCPU, at::kFloat);
    const at::Tensor x = at::randn({1, 4, 12, 16}), y = at::full({1}, 2, at::kLong);
    std::vector<at::Tensor> outputs;
    for (const Extrapolation method : {Extrapolation::None, Extrapolation::Interpolation, Extrapolation::NtkAware,
                                       Extrapolation::Yarn, Extrapolation::NtkByParts, Extrapolation::TimeAware}) {
        for (const double time : {900.0, 100.0}) {
            const Extrapolate how{method, {}, true, imageShare(time)};
            DitTaps taps;
            taps.positions = [&](int, LayerPositions& positions) {
                stretchPositions(positions, f.shape.positions(), stretchOf(how, {4, 4}, {6, 8}, 2));
            };
            const at::Tensor expected = ditForward(f.weights, f.shape, x, at::full({1}, time), y, taps);
            const DitConditions c = model.conditions({900, 100}, {2}, {6, 8}, how, {4, 4});
            const at::Tensor out = model.forward(x, c, time == 900 ? 0 : 1);
            expectClose(out, expected.to(at::kDouble));
            if (time == 900) outputs.push_back(out);
        }
    }
    // Every method changes something. On a trained grid of four, YaRN and NTK-by-parts interpolate all planes alike.
    for (std::size_t a = 1; a < outputs.size(); ++a)
        EXPECT_GT((outputs[a] - outputs[0]).abs().max().item<double>(), 1e-3);
}

TEST(DitInference, ResizesAbsolutePositionsOnRequest) {
    const c10::InferenceMode inference;
    const Fixture f = open("dit_ape_tiny", "absolute", Convention::None);
    const DitInference model(f.weights, f.shape, at::kCPU, at::kFloat);
    const at::Tensor x = at::randn({1, 4, 16, 16});
    WeightTable resized = f.weights;
    resized["pos_embed"] = resizePositions(f.weights.at("pos_embed"), {4, 4}, {8, 8});
    const at::Tensor expected = ditForward(resized, f.shape, x, at::full({1}, 500.0), at::zeros({1}, at::kLong));
    const DitConditions c = model.conditions({500}, {0}, {8, 8}, {Extrapolation::Interpolation}, {4, 4});
    expectClose(model.forward(x, c, 0), expected.to(at::kDouble));
    EXPECT_THROW((void)model.forward(x, model.conditions({500}, {0}, {8, 8}), 0), std::invalid_argument);
}

TEST(DitInference, RecordsTheFieldsAndChangesNothing) {
    const Fixture f = open("harope_dit_tiny", "harope", Convention::Inverse);
    const DitInference model(f.weights, f.shape, at::kCPU, at::kFloat);
    DitRecording recordings[2] = {{{true, true}, 1, {}}, {{true, true}, 1, {}}};
    expectClose(run(model, f.expected, recordings), goldenTensor(f.expected, "v2.out"));
    const at::Tensor sum = goldenTensor(f.expected, "v2.field_sum"), mean = goldenTensor(f.expected, "v2.field_mean");
    for (int layer = 0; layer < 2; ++layer) {
        const at::Tensor found = (recordings[0].fields[layer].sum + recordings[1].fields[layer].sum) / 2;
        expectClose(found, sum[layer], 1e-5);
        expectClose(fieldMean(found, {4, 4}), mean[layer], 1e-5);
    }
}

TEST(DitInference, RecordsOnlyWhatIsAskedFor) {
    const c10::InferenceMode inference;
    const Fixture f = open("harope_dit_tiny", "harope", Convention::Same);
    const DitInference model(f.weights, f.shape, at::kCPU, at::kFloat);
    const DitConditions c = model.conditions({500}, {2, 5}, {4, 4});
    const at::Tensor x = goldenTensor(f.expected, "x").to(at::kFloat);
    DitRecording both{{true, true}, 2, {}}, first{{false, true}, 1, {}};
    const at::Tensor out = model.forward(x, c, 0), recorded = model.forward(x, c, 0, &first);
    (void)model.forward(x, c, 0, &both);
    expectClose(recorded, out.to(at::kDouble), 1e-6);
    EXPECT_FALSE(first.fields[0].sum.defined());
    // The batch mean of both images is not the first image's own field.
    EXPECT_GT((first.fields[1].sum - both.fields[1].sum).abs().max().item<double>(), 1e-5);
}

TEST(DitInference, TakesOtherGridsAndMixedLabels) {
    const c10::InferenceMode inference;
    const Fixture f = open("harope_dit_tiny", "harope", Convention::Inverse);
    const DitInference model(f.weights, f.shape, at::kCPU, at::kFloat);
    at::manual_seed(3);
    const at::Tensor x = at::randn({3, 4, 6, 10}), y = at::tensor(std::vector<std::int64_t>{4, 0, 4});
    const at::Tensor t = at::full({3}, 321.5);
    const DitConditions c = model.conditions({321.5}, {4, 0, 4}, {3, 5});
    expectClose(model.forward(x, c, 0), ditForward(f.weights, f.shape, x, t, y).to(at::kDouble));
}

TEST(DitInference, HalfTypesStayNear) {
    // bfloat16 keeps 8 bits, float16 11; six roundings per layer of two add up to the stated shares of the largest
    // value.
    const Fixture f = open("harope_dit_tiny", "harope", Convention::Inverse);
    for (const auto& [type, share] : {std::pair{at::kBFloat16, 0.05}, std::pair{at::kHalf, 0.01}}) {
        const DitInference model(f.weights, f.shape, at::kCPU, type);
        const at::Tensor out = run(model, f.expected);
        EXPECT_EQ(out.scalar_type(), at::kFloat);
        expectClose(out, goldenTensor(f.expected, "v2.out"), share);
    }
}

}  // namespace
}  // namespace ropescope
