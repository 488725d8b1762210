// SPDX-License-Identifier: Apache-2.0
// Pictures through PIL's arithmetic and a model's own preprocessing.
#include "core/engine/measure/classify.h"

#include <numeric>

#include "core/data/safetensors.h"
#include "core/engine/measure/preprocess.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

const std::string kResized = goldenPath("pil_resize.safetensors");

Array picture() {
    return TensorTable::open(kResized).value().read("source").value();
}

/// Largest difference of two arrays of bytes, and how many differ.
std::pair<int, int> difference(const Array& a, const Array& b) {
    EXPECT_EQ(a.shape, b.shape);
    int most = 0, count = 0;
    for (std::size_t i = 0; i < a.bytes.size() && i < b.bytes.size(); ++i) {
        const int d = std::abs(static_cast<int>(a.as<std::uint8_t>()[i]) - static_cast<int>(b.as<std::uint8_t>()[i]));
        most = std::max(most, d), count += d != 0;
    }
    return {most, count};
}

TEST(Preprocess, ResizesByteForByteAsPil) {
    const TensorTable table = TensorTable::open(kResized).value();
    int compared = 0;
    for (const char* mode : {"bicubic", "bilinear", "lanczos", "nearest"})
        for (const Grid size : {Grid{20, 31}, {61, 90}, {37, 20}, {50, 53}}) {
            const std::string name =
                std::string(mode) + "." + std::to_string(size.rows) + "x" + std::to_string(size.cols);
            const Array reference = table.read(name).value();
            EXPECT_EQ(difference(resizedLikePil(picture(), size, mode), reference), (std::pair{0, 0})) << name;
            ++compared;
        }
    EXPECT_EQ(compared, 16);
    EXPECT_THROW((void)resizedLikePil(picture(), {4, 4}, "cubic"), std::invalid_argument);
}

TEST(Preprocess, TheWholeTransformIsTimms) {
    const TensorTable table = TensorTable::open(kResized).value();
    for (const auto& [size, crop, name] : {std::tuple{Grid{32, 32}, 0.9, "input.32x32.0.9"},
                                           {Grid{32, 32}, 1.0, "input.32x32.1.0"},
                                           {Grid{24, 40}, 0.875, "input.24x40.0.875"}}) {
        Preprocessing p;
        p.size = size, p.cropFraction = crop, p.interpolation = "bicubic";
        p.mean = {0, 0, 0}, p.std = {1, 1, 1};
        const auto input = classifierInput(picture(), p);
        ASSERT_TRUE(input) << input.error().message();
        EXPECT_EQ(difference(*input, table.read(name).value()), (std::pair{0, 0})) << name;
    }
}

TEST(Preprocess, GreyForModelsOfOneChannelAndRefusals) {
    Preprocessing p;
    p.size = {8, 8}, p.interpolation = "bicubic";
    p.mean = {0.5}, p.std = {0.5};
    const auto grey = classifierInput(picture(), p);
    ASSERT_TRUE(grey);
    EXPECT_EQ(grey->shape, (std::vector<std::int64_t>{8, 8, 1}));
    EXPECT_FALSE(classifierInput(Array{DType::U8, {4, 4}, std::vector<std::byte>(16)}, p));
    EXPECT_FALSE(classifierInput(picture(), Preprocessing{}));
}

ClassifyRequest request(const std::string& file) {
    ClassifyRequest r;
    r.model.path = goldenPath(file);
    r.compute.device = "cpu";
    r.compute.threads = 1;
    r.pixels = picture();
    r.top = 4;
    return r;
}

TEST(Classify, RecordingHeadsChangesNoLogit) {
    ClassifyRequest r = request("vit_tiny_patch16_rope_mixed_224.safetensors");
    const auto plain = classify(r);
    ASSERT_TRUE(plain) << plain.error().message();
    ASSERT_EQ(plain->top.size(), 4u);
    EXPECT_EQ(plain->grid, (Grid{4, 4}));
    EXPECT_EQ(plain->input.shape, (std::vector<std::int64_t>{64, 64, 3}));
    EXPECT_TRUE(plain->heads.empty());
    r.heads = {{1, 2}, {0, 0}};
    const auto recorded = classify(r);
    ASSERT_TRUE(recorded) << recorded.error().message();
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(plain->top[i].index, recorded->top[i].index);
        EXPECT_NEAR(plain->top[i].logit, recorded->top[i].logit, 1e-4);
        if (i > 0) {
            EXPECT_GE(plain->top[i - 1].probability, plain->top[i].probability);
        }
    }
    ASSERT_EQ(recorded->heads.size(), 2u);
    EXPECT_EQ(recorded->heads[0].field.id, (HeadId{1, 2}));
    for (const HeadAttention& head : recorded->heads) {
        const double patches = std::accumulate(head.field.sum.begin(), head.field.sum.end(), 0.0);
        EXPECT_NEAR(patches + head.classShare, 1, 1e-5) << "what the patches give to patches and to the class token";
        const double ofClass = std::accumulate(head.ofClass.begin(), head.ofClass.end(), 0.0);
        EXPECT_NEAR(ofClass + head.classToItself, 1, 1e-5);
        EXPECT_EQ(head.field.sum.size(), 49u);
    }
}

TEST(Classify, AllProbabilitiesSumToOne) {
    ClassifyRequest r = request("vit_tiny_patch16_224.safetensors");
    r.top = 1000;
    const auto all = classify(r);
    ASSERT_TRUE(all);
    ASSERT_EQ(all->top.size(), 11u);
    double sum = 0;
    for (const ClassScore& s : all->top) sum += s.probability;
    EXPECT_NEAR(sum, 1, 1e-6);
    EXPECT_EQ(all->top[0].label, std::to_string(all->top[0].index)) << "the file names no classes";
}

TEST(Classify, RefusesWhatItCannotDo) {
    ClassifyRequest r = request("vit_tiny_patch16_224.safetensors");
    r.heads = {{2, 0}};
    EXPECT_EQ(classify(r).error().exitCode(), 2);
    r = request("dit_ape_tiny.pt");
    r.model.heads = 3;
    const auto dit = classify(r);
    ASSERT_FALSE(dit);
    EXPECT_EQ(dit.error().code, "not-a-classifier");
}

}  // namespace
}  // namespace ropescope
