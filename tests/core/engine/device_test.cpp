// SPDX-License-Identifier: Apache-2.0
#include "core/engine/machine/device.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/engine/run/picture.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

TEST(Device, TheProcessorIsAlwaysThere) {
    EXPECT_TRUE(chooseDevice("cpu")->is_cpu());
    EXPECT_TRUE(chooseDevice("auto"));
    const DevicesReport report = devicesReport();
    ASSERT_FALSE(report.names.empty());
    EXPECT_EQ(report.names[0], "cpu");
    EXPECT_EQ(report.names.size(), report.titles.size());
    EXPECT_EQ(report.note.empty(), !cudaDevices().names.empty());
    EXPECT_GT(report.residentBytes, 1 << 20);
    EXPECT_EQ(describeCompute(at::kCPU, Precision::Bf16, 2), "CPU, 2 threads, bf16");
}

/// A limit anywhere above the process's own group holds for it.
TEST(Device, TheTightestControlGroupCounts) {
    namespace fs = std::filesystem;
    const fs::path root = fs::temp_directory_path() / ("ropescope_groups_" + std::to_string(::getpid()));
    const auto group = [&](const std::string& name, const std::string& limit, const std::string& used) {
        fs::create_directories(root / name);
        std::ofstream(root / name / "memory.max") << limit;
        std::ofstream(root / name / "memory.current") << used;
        std::ofstream(root / name / "memory.stat") << "anon 5\ninactive_file 300\n";
    };
    std::ofstream(root.string() + ".list") << "0::/job_1/task_0\n";
    group("job_1/task_0", "max", "900");
    EXPECT_EQ(leftInGroups(root.string() + ".list", root.string()), ~std::uint64_t{0});
    group("job_1", "2000", "1300");
    EXPECT_EQ(leftInGroups(root.string() + ".list", root.string()), 1000u);
    group("job_1/task_0", "1500", "1300");
    EXPECT_EQ(leftInGroups(root.string() + ".list", root.string()), 500u);
    EXPECT_EQ(leftInGroups("/no/such/list", root.string()), ~std::uint64_t{0});
    fs::remove_all(root), fs::remove(root.string() + ".list");
}

TEST(Device, SaysWhyThereIsNoGpu) {
    if (!cudaDevices().names.empty()) GTEST_SKIP() << "this machine has a GPU";
    const auto device = chooseDevice("cuda:0");
    ASSERT_FALSE(device);
    EXPECT_EQ(device.error().exitCode(), 3);
    EXPECT_NE(device.error().message().find(cudaDevices().reason), std::string::npos);
    EXPECT_TRUE(chooseDevice("auto")->is_cpu());
}

TEST(Device, RefusesOtherWords) {
    for (const char* name : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "CPU"})
        EXPECT_EQ(chooseDevice(name).error().exitCode(), 2) << name;
}

TEST(Picture, OneChannelIsGreyOverItsWholeRange) {
    const at::Tensor image = at::tensor(std::vector<float>{-1, 0, 1, 2, -3, std::nanf("")}).view({1, 2, 3});
    const Array picture = pictureOf(image);
    EXPECT_EQ(picture.shape, (std::vector<std::int64_t>{2, 3, 3}));
    const int expected[] = {0, 128, 255, 255, 0, 0};
    for (int i = 0; i < 18; ++i) EXPECT_EQ(picture.as<std::uint8_t>()[i], expected[i / 3]);
    EXPECT_TRUE(pictureNote(1).empty());
}

TEST(Picture, LatentsBecomeColoursAndSaySo) {
    at::Tensor latents = at::zeros({4, 1, 2});
    latents[0][0][1] = 1;
    const Array picture = pictureOf(latents);
    const auto bytes = picture.as<std::uint8_t>();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(bytes[i], 128);
    EXPECT_EQ(bytes[3], 165);  // 127.5 + 127.5 * 0.298
    EXPECT_FALSE(pictureNote(4).empty());
    EXPECT_EQ(pictureOf(at::rand({16, 3, 3})).shape, (std::vector<std::int64_t>{3, 3, 3}));
}

}  // namespace
}  // namespace ropescope
