// SPDX-License-Identifier: Apache-2.0
#include "core/training/study.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "core/training/study_command.h"
#include "core/training/study_report.h"
#include "tests/core/training/idx_folder.h"

namespace ropescope {
namespace {

std::string textOf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> arguments(const IdxFolder& data, const std::string& out, std::vector<std::string> more) {
    std::vector<std::string> all = {"--data",  data.path(),  "--out",    out,       "--layers", "2",       "--heads",
                                    "2",       "--head-dim", "8",        "--patch", "2",        "--batch", "8",
                                    "--steps", "25",         "--warmup", "2",       "--sizes",  "8",       "12"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

TEST(Study, IntervalsFollowStudentsDistribution) {
    // Of 1, 2, 3: standard error 1 / sqrt(3), two degrees of freedom.
    const Interval i = interval95({1, 2, 3});
    EXPECT_DOUBLE_EQ(i.mean, 2);
    EXPECT_NEAR(*i.half, 4.30265 / std::sqrt(3.0), 1e-3);
    EXPECT_FALSE(interval95({5}).half);
    EXPECT_NEAR(*interval95({0, 2}).half, 12.7062, 1e-6);
    EXPECT_THROW((void)interval95({}), std::invalid_argument);
}

TEST(Study, ARowIsReproducedBitForBit) {
    const IdxFolder data("ropescope-study");
    for (const std::string row : {"mixed", "svd-shared"}) {
        SCOPED_TRACE(row);
        const std::string first = data.file("a-" + row), second = data.file("b-" + row);
        testing::internal::CaptureStdout();
        ASSERT_EQ(runStudyCommand(arguments(data, first, {"--row", row, "--seeds", "2"})), 0);
        ASSERT_EQ(runStudyCommand(arguments(data, second, {"--row", row, "--seeds", "1"})), 0);
        testing::internal::GetCapturedStdout();
        const auto a = finishedRuns(first).value(), b = finishedRuns(second).value();
        ASSERT_EQ(a.size(), 2u);
        ASSERT_EQ(b.size(), 1u);
        EXPECT_EQ(a[0].modelSha256, b[0].modelSha256);
        EXPECT_EQ(a[0].top1, b[0].top1);
        EXPECT_NE(a[0].modelSha256, a[1].modelSha256);
        EXPECT_EQ(textOf(first + "/" + row + "/seed-1/model.safetensors"),
                  textOf(second + "/" + row + "/seed-1/model.safetensors"));
    }
}

TEST(Study, LearnsWhatIsEasyAndReportsIt) {
    const IdxFolder data("ropescope-study-report");
    const std::string out = data.file("out");
    const auto run = [&](std::vector<std::string> more) {
        testing::internal::CaptureStdout();
        const int code = runStudyCommand(arguments(data, out, std::move(more)));
        return std::pair(code, testing::internal::GetCapturedStdout());
    };
    const std::string figures = data.file("published.csv");
    std::ofstream(figures) << "source,model,data,metric,resolution,row,value\n\"A, B\",ViT-B,X,top-1,224,axial,81.35\n";
    ASSERT_EQ(run({"--row", "axial", "--seeds", "3", "--published", figures}).first, 0);
    const auto runs = finishedRuns(out).value();
    ASSERT_EQ(runs.size(), 3u);
    // Two classes, one bright on the left, one on the right.
    for (const StudyRun& r : runs) EXPECT_GE(r.top1.at(8), 0.9) << r.seed;
    const std::string before = textOf(out + "/axial/seed-1/model.safetensors"), table = textOf(out + "/table.md");
    EXPECT_NE(table.find("| RoPE, axial | 3 |"), std::string::npos) << table;
    EXPECT_NE(table.find("| 81.35 |"), std::string::npos) << table;
    EXPECT_NE(table.find("A, B"), std::string::npos);
    EXPECT_NE(textOf(out + "/figure.svg").find("<polyline"), std::string::npos);
    EXPECT_NE(textOf(out + "/results.json").find("model_sha256"), std::string::npos);
    // Finished runs are not repeated, and the budget counts them.
    const auto stamp = std::filesystem::last_write_time(out + "/axial/seed-1/model.safetensors");
    EXPECT_EQ(run({"--row", "axial", "none", "--seeds", "3", "--budget", "1e-9"}).first, 0);
    EXPECT_EQ(finishedRuns(out).value().size(), 3u);
    EXPECT_EQ(std::filesystem::last_write_time(out + "/axial/seed-1/model.safetensors"), stamp);
    EXPECT_EQ(textOf(out + "/axial/seed-1/model.safetensors"), before);
    // Other settings in the same folder, an unknown row, a size that does not fit.
    EXPECT_EQ(run({"--row", "axial", "--lr", "0.5"}).first, 1);
    EXPECT_EQ(run({"--row", "nonsense"}).first, 2);
    EXPECT_EQ(run({"--row", "axial", "--sizes", "9"}).first, 2);
}

TEST(Study, PublishedFiguresAreCheckedAndShipped) {
    const std::string path = std::string(ROPESCOPE_SOURCE_DIR) + "/resources/study/published.csv";
    const auto shipped = readPublished(path);
    ASSERT_TRUE(shipped) << shipped.error().message();
    EXPECT_GE(shipped->size(), 30u);
    const IdxFolder data("ropescope-published");
    std::ofstream(data.file("bad.csv")) << "source,model,data,metric,resolution,row,value\na,b,c,d,224,nowhere,1\n";
    EXPECT_NE(readPublished(data.file("bad.csv")).error().message().find("line 2"), std::string::npos);
    EXPECT_FALSE(readPublished("/nowhere"));
}

}  // namespace
}  // namespace ropescope
