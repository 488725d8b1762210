// SPDX-License-Identifier: Apache-2.0
#include "core/engine/weights/fold.h"

#include <ATen/CPUGeneratorImpl.h>

#include <fstream>
#include <limits>

#include "core/data/enum_names.h"
#include "core/engine/weights/convert.h"
#include "core/model/dit.h"
#include "core/probe/model_heads.h"
#include "core/training/tensor_array.h"
#include "tests/core/engine/weight_files.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

class Fold : public InFolder {
protected:
    /// The model of a file on a drawn input.
    static at::Tensor output(const ModelRef& ref) {
        const TensorTable table = TensorTable::open(ref.path).value();
        const ModelCard card = recognise(table, ref).value();
        const DitShape shape = ditShape(card).value();
        at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(5);
        const at::Tensor x = at::randn({2, shape.inChannels, 4 * shape.patch, 6 * shape.patch}, generator);
        const at::Tensor t = at::tensor(std::vector<double>{900, 37}), y = at::tensor(std::vector<std::int64_t>{1, 0});
        return ditForward(loadDitWeights(table, shape).value(), shape, x, t, y).to(at::kDouble);
    }
    Result<std::string> fold(const ModelRef& ref, std::optional<DType> type = {}) {
        return foldModel({ref, path("folded.safetensors"), "", type});
    }
    [[nodiscard]] ModelRef folded() const {
        ModelRef ref;
        ref.path = path("folded.safetensors");
        return ref;
    }
};

ModelRef fixture(Convention convention) {
    ModelRef ref;
    ref.path = kFixture;
    ref.convention = convention;
    return ref;
}

// Folded projections are float64 rounded to float32: what remains is the order of operations.
constexpr double kRounding = 2e-5;

TEST_F(Fold, ComputesTheSameUnderBothConventions) {
    for (const Convention convention : {Convention::Same, Convention::Inverse}) {
        const Result<std::string> done = fold(fixture(convention));
        ASSERT_TRUE(done) << done.error().message();
        expectClose(output(folded()), output(fixture(convention)), kRounding);
        const ModelCard card = openCard(folded()).value();
        EXPECT_EQ(card.encoding, "axial");
        EXPECT_EQ(card.heads, 3);
        const TensorTable table = TensorTable::open(folded().path).value();
        EXPECT_NE(table.metadata().at("ropescope.folded_from").find("harope_dit_tiny.pt"), std::string::npos);
        EXPECT_FALSE(table.metadata().contains("harope.convention"));
        for (const TensorEntry& e : table.tensors()) EXPECT_EQ(e.name.find("learnable_rot"), std::string::npos);
    }
    EXPECT_GT((output(fixture(Convention::Same)) - output(fixture(Convention::Inverse))).abs().max().item<double>(),
              0.01)
        << "maps far from the identity, or the test says nothing";
}

// Every encoding with a matrix and every matrix, with parameters far from the start.
TEST_F(Fold, ComputesTheSameForEveryMatrix) {
    for (const MapNames& names : mapNames())
        for (const MatrixKind kind : names.kinds) {
            const bool harope = names.encoding == "harope";
            SCOPED_TRACE(std::string(names.encoding) + " " + std::string(enumName(kind)));
            DitShape shape{2, 2, 8, 2, 1, 1, 3, 100, findEncoding(names.encoding).value()};
            shape.matrix = kind;
            if (harope) shape.convention = Convention::Inverse;
            WeightTable weights = initialDitWeights(shape, {4, 4}, 1);
            at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(2);
            for (auto& [name, t] : weights) t = t + 0.3 * at::randn(t.sizes(), generator);
            ModelRef ref;
            ref.path = path("model.safetensors");
            ref.heads = 2, ref.theta = 100, ref.grid = {4, 4};
            if (harope) ref.convention = Convention::Inverse;
            writeWeights(ref.path, {weights.begin(), weights.end()});
            ASSERT_EQ(openCard(ref).value().matrix, kind);
            const Result<std::string> done = fold(ref);
            ASSERT_TRUE(done) << done.error().message();
            expectClose(output(folded()), output(ref), 1e-4);  // maps of condition number up to hundreds
        }
}

TEST_F(Fold, TypesAreKeptOrAsAsked) {
    ASSERT_TRUE(fold(fixture(Convention::Inverse), DType::BF16));
    for (const TensorEntry& e : TensorTable::open(folded().path).value().tensors()) EXPECT_EQ(e.dtype, DType::BF16);
    expectClose(output(folded()), output(fixture(Convention::Inverse)), 0.05);
    ModelRef half;
    half.path = std::string(ROPESCOPE_SOURCE_DIR) + "/resources/models/fashion-harope/model.safetensors";
    ASSERT_TRUE(fold(half));
    const TensorTable table = TensorTable::open(folded().path).value();
    EXPECT_EQ(table.find("blocks.0.attn.proj.weight")->dtype, DType::F16);
    EXPECT_EQ(table.find("blocks.0.attn.qkv.weight")->dtype, DType::F32);
    expectClose(output(folded()), output(half), kRounding);
}

/// A file whose features lie half-split, made of the interleaved fixture: the same model, folded or not.
TEST_F(Fold, HalfSplitFilesComputeTheSame) {
    Tensors weights = readWeights(kFixture);
    const at::Tensor place = halfSplitOrder(16).argsort();  // of every half-split feature, its interleaved one
    for (auto& [name, tensor] : weights) {
        if (name.find("qkv") != std::string::npos) {
            const at::Tensor parts = tensor.view({3, 3, 16, -1});
            tensor =
                at::cat({parts.narrow(0, 0, 2).index_select(2, place), parts.narrow(0, 2, 1)}).view(tensor.sizes());
        } else if (name.find("learnable_rot.A_") != std::string::npos) {
            tensor = tensor.index_select(-1, place).index_select(-2, place);
        } else if (name.find("learnable_rot.sigma") != std::string::npos) {
            tensor = tensor.index_select(-1, place);
        }
    }
    ModelRef half = fixture(Convention::Inverse);
    half.path = path("half.safetensors");
    half.config = path("half.json");
    writeWeights(half.path, weights);
    std::ofstream(half.config) << R"({"rotate_half": true})";
    EXPECT_EQ(openCard(half).value().rotaryLayout, RotaryLayout::HalfSplit);
    const at::Tensor expected = output(fixture(Convention::Inverse));
    expectClose(output(half), expected, kRounding);
    ASSERT_TRUE(fold(half));
    expectClose(output(folded()), expected, kRounding);
    EXPECT_EQ(openCard(folded()).value().rotaryLayout, RotaryLayout::Interleaved);
    const ModelCard card = openCard(half).value(), own = openCard(fixture(Convention::Inverse)).value();
    const auto split = loadHeads(TensorTable::open(half.path).value(), card, 1).value();
    const auto plain = loadHeads(TensorTable::open(kFixture).value(), own, 1).value();
    for (std::size_t i = 0; i < plain.size(); ++i) {
        EXPECT_TRUE(at::allclose(split[i].value.map.key, plain[i].value.map.key, 1e-6, 1e-6));
        EXPECT_TRUE(at::allclose(split[i].value.content.cross, plain[i].value.content.cross, 1e-6, 1e-6));
    }
    std::ofstream(half.config) << R"({"rotary_layout": "diagonal"})";
    EXPECT_NE(openCard(half).error().message().find("half-split"), std::string::npos);
}

void expectRefused(const Result<std::string>& done, const std::string& reason, int code = 1) {
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().exitCode(), code);
    EXPECT_NE(done.error().message().find(reason), std::string::npos) << done.error().message();
}

TEST_F(Fold, RefusesWithTheReason) {
    ModelRef plain;
    plain.path = kGolden + "dit_ape_tiny.pt";
    plain.heads = 3;
    expectRefused(fold(plain), "no maps to fold");
    Tensors weights = readWeights(kFixture);
    ModelRef ref = fixture(Convention::Inverse);
    ref.path = path("model.safetensors");
    weights["blocks.1.attn.q_norm.weight"] = at::ones({16}, at::kDouble);
    writeWeights(ref.path, weights);
    expectRefused(fold(ref), "normalised between");
    weights.erase("blocks.1.attn.q_norm.weight");
    weights.at("blocks.1.attn.learnable_rot.sigma")[0][0] = std::numeric_limits<double>::quiet_NaN();
    writeWeights(ref.path, weights);
    expectRefused(fold(ref), "blocks.1.attn.learnable_rot.sigma: values are not finite");
    ref.convention = Convention::Unknown;
    expectRefused(fold(ref), "--convention", 2);
}

TEST_F(Fold, ConvertedFilesNeedNoOptions) {
    const ExportCommand command{fixture(Convention::Inverse), path("converted.safetensors"), "dit", {}};
    const Result<std::string> done = convertModel(command);
    ASSERT_TRUE(done) << done.error().message();
    ModelRef ref;
    ref.path = command.out;
    const ModelCard card = openCard(ref).value();
    EXPECT_EQ(card.convention, Convention::Inverse);
    EXPECT_EQ(card.format, "safetensors");
    EXPECT_TRUE(at::equal(output(ref), output(fixture(Convention::Inverse))));
}

TEST_F(Fold, RopeVitsFrequenciesBecomeTimms) {
    ModelRef ref;
    ref.path = kGolden + "rope_vit_mixed_tiny.pt";
    ref.heads = 2;
    const TensorTable raw = TensorTable::open(ref.path).value();
    const Result<std::string> done = convertModel({ref, path("timm.safetensors"), "timm", {}});
    ASSERT_TRUE(done) << done.error().message();
    const auto stored = readSafetensorsFile(path("timm.safetensors")).value();
    const Array& frequencies = stored.arrays.at("rope.freqs");
    ASSERT_EQ(frequencies.shape.size(), 4u);
    EXPECT_EQ(frequencies.shape[2], 2);
    // The same numbers in the same order: (2, L, H P) with heads first.
    std::size_t at = 0;
    const std::span<const float> all = frequencies.as<float>();
    for (int axis = 0; axis < 2; ++axis)
        for (int layer = 0; layer < frequencies.shape[1]; ++layer) {
            const auto own = raw.readFloat("blocks." + std::to_string(layer) + ".attn.freqs").value();
            for (std::size_t i = 0; i < own.size() / 2; ++i) EXPECT_EQ(all[at++], own[axis * own.size() / 2 + i]);
        }
    EXPECT_EQ(at, all.size());
}

TEST_F(Fold, DiffusersNamesHoldTheSameNumbers) {
    ModelRef ref;
    ref.path = kGolden + "dit_ape_tiny.pt";
    ref.heads = 3;
    const Result<std::string> done = convertModel({ref, path("diffusers.safetensors"), "diffusers", {}});
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_NE(done->find("127"), std::string::npos) << "the other forward pass is told";
    ref.path = path("diffusers.safetensors");
    const Result<std::string> back = convertModel({ref, path("back.safetensors"), "dit", {}});
    ASSERT_TRUE(back) << back.error().message();
    const Tensors before = readWeights(kGolden + "dit_ape_tiny.pt");
    const Tensors after = readWeights(path("back.safetensors"));
    EXPECT_EQ(after.size(), before.size());
    for (const auto& [name, tensor] : before) {
        // Diffusers computes the table, and so it was made again.
        const double bound = name == "pos_embed" ? 1e-6 : 0;
        EXPECT_LE((after.at(name) - tensor).abs().max().item<double>(), bound) << name;
    }
    expectRefused(convertModel({fixture(Convention::Same), path("x.safetensors"), "diffusers", {}}), "sin-cos");
    expectRefused(convertModel({fixture(Convention::Same), path("x.safetensors"), "timm", {}}), "another kind", 2);
}

}  // namespace
}  // namespace ropescope
