// SPDX-License-Identifier: Apache-2.0
// What is told of files that cannot run, and of their tensors.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/checkpoint/dit_tensors.h"
#include "core/checkpoint/tensor_table.h"
#include "core/data/safetensors.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;
using Arrays = std::map<std::string, Array>;

class Describe : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "ropescope-describe-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        m_folder = pattern;
    }
    void TearDown() override { fs::remove_all(m_folder); }

    ModelRef write(const Arrays& arrays, const std::map<std::string, std::string>& metadata = {}) const {
        ModelRef ref;
        ref.path = (m_folder / "file.safetensors").string();
        EXPECT_TRUE(writeSafetensors(ref.path, arrays, metadata));
        return ref;
    }
    fs::path m_folder;
};

/// A small DiT, all zeros.
Arrays dit() {
    DitSizes s;
    s.layers = 2, s.width = 8, s.headDim = 4, s.hidden = 32, s.patch = 2, s.inChannels = 1, s.outChannels = 1;
    s.labelRows = 4;
    Arrays arrays;
    for (const auto& [name, shape] : ditTensors(s)) {
        Array array{DType::F32, shape, {}};
        array.bytes.resize(static_cast<std::size_t>(array.elements()) * 4);
        arrays[name] = std::move(array);
    }
    return arrays;
}

const std::map<std::string, std::string> kConfig = {
    {"ropescope.config", R"({"architecture":"dit","heads":2,"encoding":"axial","objective":"flow","grid":[3,3]})"}};

TEST_F(Describe, AFileThatCannotRunSaysWhy) {
    Arrays arrays = dit();
    const auto sound = describeFile(write(arrays, kConfig));
    ASSERT_TRUE(sound);
    EXPECT_EQ(sound->problem, "");
    arrays["blocks.0.attn.gate.weight"] = arrays["blocks.0.attn.proj.bias"];
    arrays["odd.thing"] = arrays["blocks.0.attn.proj.bias"];
    ModelRef ref = write(arrays, kConfig);
    const auto stopped = describeFile(ref);
    ASSERT_TRUE(stopped);
    EXPECT_EQ(stopped->problemCode, "TC-10");
    EXPECT_EQ(stopped->layers, 2) << "what is known stays known";
    EXPECT_EQ(stopped->unused, (std::vector<std::string>{"blocks.0.attn.gate.weight", "odd.thing"}));
    EXPECT_FALSE(checkAttention(TensorTable::open(ref).value(), *stopped)) << "the gate stands inside an attention";
    ref.ignore = {"blocks.*.gate.*", "odd.?hing"};
    const auto waived = describeFile(ref);
    ASSERT_TRUE(waived);
    EXPECT_EQ(waived->problem, "");
    EXPECT_EQ(waived->waived.size(), 2u);
    EXPECT_TRUE(
        std::ranges::any_of(waived->notes, [](const auto& n) { return n.starts_with("left out as asked: 2"); }));
    EXPECT_TRUE(checkAttention(TensorTable::open(ref).value(), *waived));
}

TEST_F(Describe, HeadersOfAllKindsAreTold) {
    const auto heads = describeFile(write(dit()));
    ASSERT_TRUE(heads);
    EXPECT_EQ(heads->problemCode, "heads-unknown");
    EXPECT_EQ(heads->width, 8) << "what the heads must divide";
    Arrays lora = {{"transformer.transformer_blocks.0.attn.to_q.lora_A.weight", dit().at("blocks.0.attn.proj.bias")}};
    const auto other = describeFile(write(lora));
    ASSERT_TRUE(other);
    EXPECT_EQ(other->problemCode, "unknown-model");
    EXPECT_NE(other->problem.find("LoRA"), std::string::npos) << other->problem;
    EXPECT_TRUE(other->architecture.empty());
    Arrays two;
    for (const auto& [name, array] : dit()) two["a." + name] = two["b." + name] = array;
    const auto copies = describeFile(write(two, kConfig));
    ASSERT_TRUE(copies);
    EXPECT_EQ(copies->problemCode, "weights");
    EXPECT_EQ(copies->copies, (std::vector<std::string>{"a", "b"}));
    ModelRef missing;
    missing.path = (m_folder / "nothing").string();
    EXPECT_FALSE(describeFile(missing));
}

TEST_F(Describe, TensorsAndTheirValues) {
    Arrays arrays = dit();
    const float values[] = {1, -3, 2, NAN, INFINITY, 0, 0, 4};
    std::ranges::copy(values, arrays["blocks.0.attn.proj.bias"].as<float>().begin());
    arrays["odd.thing"] = arrays["blocks.1.attn.proj.bias"];
    const ModelRef ref = write(arrays, kConfig);
    const auto list = reportTensors({ref, ""});
    ASSERT_TRUE(list);
    ASSERT_EQ(list->rows.size(), arrays.size());
    for (const TensorRow& row : list->rows) {
        EXPECT_EQ(row.use, row.name == "odd.thing" ? "not understood" : "used") << row.name;
        EXPECT_EQ(row.dtype, "F32");
        EXPECT_EQ(row.shape, arrays.at(row.name).shape);
        EXPECT_EQ(row.bytes, arrays.at(row.name).bytes.size());
    }
    const auto one = reportTensors({ref, "blocks.0.attn.proj.bias"});
    ASSERT_TRUE(one);
    const TensorStatistics& s = one->statistics;
    EXPECT_TRUE(one->rows.empty());
    EXPECT_EQ(s.count, 8);
    EXPECT_EQ(s.nonFinite, 2);
    EXPECT_EQ(s.min, -3);
    EXPECT_EQ(s.max, 4);
    EXPECT_NEAR(s.mean, 4.0 / 6, 1e-12);
    EXPECT_NEAR(s.norm, std::sqrt(30.0), 1e-12);
    ASSERT_EQ(s.bins.size(), 64u);
    EXPECT_EQ(s.bins.front(), 1);
    EXPECT_EQ(s.bins.back(), 1);
    std::int64_t all = 0;
    for (const std::int64_t bin : s.bins) all += bin;
    EXPECT_EQ(all, 6);
    EXPECT_EQ(reportTensors({ref, "nothing"}).error().code, "TC-05");
}

}  // namespace
}  // namespace ropescope
