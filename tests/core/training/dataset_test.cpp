// SPDX-License-Identifier: Apache-2.0
#include "core/training/dataset.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/data/model_card.h"
#include "core/engine/machine/media_library.h"
#include "core/training/model_card.h"
#include "core/training/quality.h"
#include "tests/core/training/idx_folder.h"

namespace ropescope {
namespace {

TEST(Dataset, ReadsPlainIdxFiles) {
    const IdxFolder folder("ropescope-dataset");
    const Dataset data = readIdxFolder(folder.path(), Split::Train).value();
    EXPECT_EQ(data.images.sizes(), at::IntArrayRef({32, 1, 8, 8}));
    EXPECT_EQ(data.classNames, (std::vector<std::string>{"0", "1"}));
    EXPECT_EQ(data.labels[3].item<int>(), 1);
    EXPECT_EQ(data.images[1][0][0][0].item<int>(), 10);
    EXPECT_EQ(data.images[1][0][0][7].item<int>(), 201);
    EXPECT_NEAR(toSignal(data.images).max().item<double>(), 206 / 127.5 - 1, 1e-6);
}

TEST(Dataset, RefusesCutMismatchedAndMissingFiles) {
    const IdxFolder folder("ropescope-dataset-bad");
    folder.write("train-labels-idx1-ubyte", {0, 0, 8, 1, 0, 0, 0, 2, 0, 1});
    EXPECT_NE(readIdxFolder(folder.path(), Split::Train).error().message().find("differ in number"), std::string::npos);
    folder.write("train-images-idx3-ubyte", {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 8, 1, 2, 3});
    EXPECT_NE(readIdxFolder(folder.path(), Split::Train).error().message().find("cut"), std::string::npos);
    folder.write("train-images-idx3-ubyte", {0, 0, 13, 3, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 8});
    EXPECT_FALSE(readIdxFolder(folder.path(), Split::Train));
    folder.write("train-images-idx3-ubyte", {0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 8});
    EXPECT_NE(readIdxFolder(folder.path(), Split::Train).error().message().find("impossible"), std::string::npos);
    EXPECT_FALSE(readIdxFolder("/nowhere", Split::Test));
}

TEST(Dataset, ReadsAFolderOfImagesByClass) {
    const auto media = openMediaLibrary();
    if (!media) GTEST_SKIP() << media.error().message();
    const IdxFolder folder("ropescope-images", 4);
    const std::string root = folder.file("images");
    for (const auto& [name, value] : {std::pair{"cat", 40}, std::pair{"ant", 80}}) {
        std::filesystem::create_directories(root + "/" + name);
        const std::vector<std::uint8_t> grey(8 * 12 * 3, static_cast<std::uint8_t>(value));
        for (const char* file : {"/1.png", "/2.png"})
            ASSERT_TRUE((*media)->writePng(root + "/" + name + file, makeArray(std::span(grey), {8, 12, 3}), ""));
    }
    const Dataset data = readTrainingSet(root).value();
    EXPECT_EQ(data.images.sizes(), at::IntArrayRef({4, 1, 8, 12}));  // grey: one channel
    EXPECT_EQ(data.classNames, (std::vector<std::string>{"ant", "cat"}));
    EXPECT_EQ(data.images[0][0][0][0].item<int>(), 80);
    EXPECT_EQ(data.labels[3].item<int>(), 1);
    const std::vector<std::uint8_t> small(4 * 4 * 3, 1);
    ASSERT_TRUE((*media)->writePng(root + "/cat/3.png", makeArray(std::span(small), {4, 4, 3}), ""));
    EXPECT_NE(readTrainingSet(root).error().message().find("differ in size"), std::string::npos);
    EXPECT_NE(readTrainingSet(root + "/none").error().message().find("the folder cannot be read"), std::string::npos);
}

TEST(Quality, FrechetDistanceOfShiftedAndScaledSetsHasAClosedForm) {
    at::manual_seed(3);
    const at::Tensor a = at::randn({4000, 3}, at::kDouble);
    EXPECT_NEAR(frechetDistance(a, a), 0, 1e-9);
    EXPECT_NEAR(frechetDistance(a, a + 2), 3 * 4.0, 1e-9);  // |shift|^2
    // Scaling by c: tr(C)(1 - c)^2 + |m|^2 (1 - c)^2.
    const at::Tensor mean = a.mean(0), centred = a - mean;
    const double trace = (centred.square().sum() / 3999).item<double>(), square = mean.square().sum().item<double>();
    EXPECT_NEAR(frechetDistance(a, a * 3), 4 * (trace + square), 1e-8);
}

TEST(Quality, CoverageCountsRowsInsideTheBalls) {
    // Points on a line at 0, 1, 2, 3, 4: with k = 1 every ball has radius 1.
    const at::Tensor line = at::arange(5, at::kFloat).unsqueeze(1);
    const at::Tensor samples = at::tensor(std::vector<float>{0.5f, 4.9f, 5.5f, -3.0f}).unsqueeze(1);
    EXPECT_DOUBLE_EQ(coveredShare(line, samples, 1), 0.5);
    EXPECT_DOUBLE_EQ(coveredShare(line, samples, 2), 0.75);  // the end points' balls grow to radius 2
    EXPECT_DOUBLE_EQ(coveredShare(line, line, 3), 1.0);
    EXPECT_TRUE(at::equal(nearestRows(line, samples), at::tensor({0, 4, 4, 0}, at::kLong)));
}

TEST(ModelCard, SaysWhatTheFilesSay) {
    const std::string training =
        R"({"recipe":{"encoding":"harope","convention":"same","theta":100.0,"layers":6,"heads":4,"head_dim":32,"patch":4,
        "batch":128,"epochs":20.0,"lr":0.001,"warmup":400,"weight_decay":0.01,"map_lr_scale":10.0,"sigma_decay":0.0,
        "ema":0.999,"label_dropout":0.1,"seed":1,"series":9,"precision":"bf16","threads":1,"times":"logit-normal",
        "schedule":"cosine"},"data":"60000 images","steps":9360,"images_seen":1198080,"seconds":3720,
        "machine":"2 processor cores","final_loss":0.18125})";
    const std::string evaluation =
        R"({"images":2000,"steps":50,"seed":0,"classifier":{"test_accuracy":0.925},"neighbours":3,
        "real_to_real":{"precision":0.91,"recall":0.92,"frechet_distance":1.5},"figures":[{"guidance":1.0,"images":2000,
        "class_accuracy":0.871,"per_class":{"Bag":0.99,"Shirt":0.66},"precision":0.7,"recall":0.6,
        "frechet_distance":12.25,"seconds":3}]})";
    const std::string card = modelCardText("fashion-harope", training, evaluation, "A remark.");
    for (const char* part :
         {"A remark.", "- epochs: 20", "--map-lr-scale 10.0", "--convention same", "steps: 9360", "1 h 02 min",
          "0.18125", "92.5 %", "| 1 | 2000 | 87.1 % | 66.0 % (Shirt) | 0.700 | 0.600 | 12.25 |", "2 processor cores"})
        EXPECT_NE(card.find(part), std::string::npos) << part << "\n" << card;
    const std::string svg = lossCurveSvg("step,loss\n50,1.0\n100,0.4\n150,0.3\n");
    // Lowest loss 0.3 and three times that bound the axis; the first point lies above it and is cut off there.
    EXPECT_NE(svg.find("246.7,10.0 433.3,210.0 620.0,250.0"), std::string::npos) << svg;
}

}  // namespace
}  // namespace ropescope
