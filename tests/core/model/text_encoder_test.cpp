// SPDX-License-Identifier: Apache-2.0
// CLIP and T5 against outputs that transformers recorded.
#include <fstream>

#include "core/model/clip.h"
#include "core/model/t5.h"
#include "tests/core/engine/weight_files.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

using TextEncoderFolder = InFolder;

const std::string kText = goldenPath("text/");
const std::string kExpected = kText + "expected.safetensors";

std::string configOf(const std::string& folder) {
    std::ifstream file(kText + folder + "/config.json");
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<int> ids(const std::string& name) {
    const at::Tensor t = goldenTensor(kExpected, name);
    std::vector<int> out;
    for (std::int64_t i = 0; i < t.numel(); ++i) out.push_back(static_cast<int>(t[i].item<double>()));
    return out;
}

TEST(TextEncoder, ClipPoolsAtTheFirstEndAsTransformersDoes) {
    const TensorTable table = TensorTable::open(kText + "clip_flux").value();
    const auto shape = clipShape(table, configOf("clip_flux"));
    ASSERT_TRUE(shape) << shape.error().message();
    EXPECT_EQ(shape->layers, 3);
    EXPECT_TRUE(shape->quickGelu);
    WeightStore weights(table, at::kFloat, at::kCPU, 1 << 30);
    int layers = 0;
    const ClipOutput out = clipForward(weights, *shape, ids("clip_ids"), [&] { return ++layers; });
    EXPECT_EQ(layers, 3);
    EXPECT_FALSE(clipForward(weights, *shape, ids("clip_ids"), [] { return false; }).pooled.defined());
    expectClose(out.pooled, goldenTensor(kExpected, "clip_pooled"), 1e-5);
    EXPECT_EQ(out.hidden.sizes(), (at::IntArrayRef{1, 77, 8}));
    EXPECT_THROW((void)clipForward(weights, *shape, std::vector<int>(78, 1)), std::invalid_argument);
    EXPECT_EQ(clipShape(TensorTable::open(kText + "t5").value(), "").error().code, "TC-05");
}

/// Any wrapper comes off; a tensor that is not understood, or layers behind one that is damaged, are named.
TEST_F(TextEncoderFolder, NothingIsLeftOutInSilence) {
    for (const std::string folder : {"clip_flux", "t5"}) {
        const Tensors own = readWeights(kText + folder);
        const auto refusal = [&](const Tensors& tensors) {
            writeWeights(path("e.safetensors"), tensors);
            const TensorTable table = TensorTable::open(path("e.safetensors")).value();
            if (folder == "t5") {
                const auto shape = t5Shape(table, configOf(folder));
                return shape ? std::string() : shape.error().message();
            }
            const auto shape = clipShape(table, configOf(folder));
            return shape ? std::string() : shape.error().message();
        };
        Tensors wrapped, more = own, shorter = own;
        for (const auto& [name, tensor] : own) wrapped["module._orig_mod." + name] = tensor;
        EXPECT_EQ(refusal(wrapped), "") << folder;
        more["encoder.gate.weight"] = own.begin()->second;
        EXPECT_NE(refusal(more).find("encoder.gate.weight"), std::string::npos) << refusal(more);
        const std::string second =
            folder == "t5" ? "encoder.block.1.layer.0.layer_norm.weight" : "encoder.layers.1.mlp.fc1.weight";
        ASSERT_EQ(shorter.erase(second), 1u);
        EXPECT_NE(refusal(shorter).find(folder == "t5" ? "encoder.block.1." : "encoder.layers.1."), std::string::npos)
            << refusal(shorter);
    }
}

TEST(TextEncoder, T5EqualsTransformersStreamedOrNot) {
    const TensorTable table = TensorTable::open(kText + "t5").value();
    const auto shape = t5Shape(table, configOf("t5"));
    ASSERT_TRUE(shape) << shape.error().message();
    EXPECT_EQ(shape->layers, 2);
    EXPECT_EQ(shape->heads, 3);
    WeightStore kept(table, at::kFloat, at::kCPU, 1 << 30), streamed(table, at::kFloat, at::kCPU, 0);
    int layers = 0;
    const at::Tensor out = t5Forward(kept, *shape, ids("t5_ids"), [&] { return ++layers; });
    EXPECT_EQ(layers, 2);
    EXPECT_FALSE(t5Forward(kept, *shape, ids("t5_ids"), [] { return false; }).defined());
    expectClose(out.narrow(1, 0, 32), goldenTensor(kExpected, "t5_words"), 1e-5);
    EXPECT_TRUE(at::equal(out, t5Forward(streamed, *shape, ids("t5_ids"))));
    EXPECT_LT(streamed.largestBlock(), streamed.totalBytes());
    EXPECT_EQ(t5Shape(TensorTable::open(kText + "clip_flux").value(), "").error().code, "TC-05");
}

/// Half precision where the MLP leaves its range: its last product and what it adds to are float32 (transformers).
TEST_F(TextEncoderFolder, T5InHalfPrecisionKeepsLargeNumbers) {
    Tensors tensors = readWeights(kText + "t5/model.safetensors");
    for (auto& [name, tensor] : tensors)
        if (name.ends_with("DenseReluDense.wo.weight")) tensor = tensor * 60000;
    writeWeights(path("model.safetensors"), tensors);
    const TensorTable table = TensorTable::open(path("model.safetensors")).value();
    const T5Shape shape = t5Shape(table, configOf("t5")).value();
    const auto out = [&](at::ScalarType type) {
        WeightStore weights(table, type, at::kCPU, 1 << 30);
        return t5Forward(weights, shape, ids("t5_ids")).to(at::kDouble);
    };
    const at::Tensor exact = out(at::kFloat), half = out(at::kHalf);
    EXPECT_TRUE(at::isfinite(half).all().item<bool>());
    EXPECT_LT((half - exact).abs().max().item<double>(), 0.02 * exact.abs().max().item<double>());
}

TEST_F(TextEncoderFolder, SaysWhichTensorIsMissing) {
    for (const auto& [folder, tensor] : {std::pair("t5", "encoder.block.1.layer.1.DenseReluDense.wi_1.weight"),
                                         std::pair("clip_flux", "encoder.layers.1.mlp.fc2.bias")}) {
        Tensors tensors = readWeights(kText + folder + "/model.safetensors");
        std::erase_if(tensors, [&](const auto& t) { return t.first.ends_with(tensor); });
        writeWeights(path("model.safetensors"), tensors);
        const TensorTable table = TensorTable::open(path("model.safetensors")).value();
        const Error error = std::string(folder) == "t5" ? t5Shape(table, configOf(folder)).error()
                                                        : clipShape(table, configOf(folder)).error();
        EXPECT_EQ(error.code, "TC-05");
        EXPECT_NE(error.place.find(tensor), std::string::npos) << error.place;
    }
}

TEST(TextEncoder, BucketsBreakWhereTheDefinitionSays) {
    EXPECT_EQ(t5Bucket(0, 32, 128), 0);
    const std::pair<int, int> breaks[] = {{7, 7},   {8, 8},   {11, 8},  {12, 9},  {16, 10}, {23, 11},
                                          {32, 12}, {46, 13}, {64, 14}, {90, 14}, {91, 15}, {500, 15}};
    for (const auto& [distance, bucket] : breaks) {
        EXPECT_EQ(t5Bucket(-distance, 32, 128), bucket) << distance;
        EXPECT_EQ(t5Bucket(distance, 32, 128), 16 + bucket) << distance;
    }
}

}  // namespace
}  // namespace ropescope
