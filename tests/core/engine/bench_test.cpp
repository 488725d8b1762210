// SPDX-License-Identifier: Apache-2.0
#include "core/engine/bench/bench.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace ropescope {
namespace {

TEST(Bench, MedianIsTheMiddle) {
    EXPECT_EQ(median({3}), 3);
    EXPECT_EQ(median({5, 1, 3}), 3);
    EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
}

TEST(Bench, WritesNullWhereNothingWasMeasured) {
    testing::internal::CaptureStdout();
    const int code = runBench({"--only", "shipped", "--model", "/no/such/model", "--threads", "1"});
    const auto json = nlohmann::json::parse(testing::internal::GetCapturedStdout());
    EXPECT_EQ(code, 0);
    EXPECT_EQ(json["threads"], 1);
    ASSERT_EQ(json["measurements"].size(), 3u);
    for (const auto& row : json["measurements"]) {
        EXPECT_TRUE(row["value"].is_null());
        EXPECT_FALSE(row["bound"].is_null());
        EXPECT_FALSE(row["note"].get<std::string>().empty());
    }
}

TEST(Bench, RefusesUnknownGroupsAndDevices) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(runBench({"--only", "nothing"}), 2);
    EXPECT_EQ(runBench({"--only", "shipped", "--device", "tpu"}), 2);
    testing::internal::GetCapturedStderr();
}

}  // namespace
}  // namespace ropescope
