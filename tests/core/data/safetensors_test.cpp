// SPDX-License-Identifier: Apache-2.0
#include "core/data/safetensors.h"

#include <gtest/gtest.h>

#include <limits>

namespace ropescope {
namespace {

std::map<std::string, Array> someArrays() {
    const std::vector<float> floats = {1.5f, -2.0f, 0.0f, 3.25f, std::numeric_limits<float>::quiet_NaN(), 6.0f};
    const std::vector<double> doubles = {3.141592653589793};
    const std::vector<std::uint8_t> bytes = {1, 2, 3};
    return {{"weight", makeArray(floats, {2, 3})},
            {"scalar", makeArray(doubles, {})},
            {"bytes \"quoted\" \n é", makeArray(bytes, {3})},
            {"empty", makeArray(std::span<const float>{}, {0, 7})}};
}

TEST(Safetensors, RoundTripKeepsBytesNamesAndMetadata) {
    const auto arrays = someArrays();
    const std::map<std::string, std::string> metadata = {{"a", "1"}, {"json", R"({"k":[1,2]})"}, {"", "empty key"}};
    const auto blob = encodeSafetensors(arrays, metadata);
    const auto content = decodeSafetensors(blob);
    ASSERT_TRUE(content) << content.error().message();
    EXPECT_EQ(content->arrays, arrays);
    EXPECT_EQ(content->metadata, metadata);
    EXPECT_EQ(encodeSafetensors(content->arrays, content->metadata), blob);
}

TEST(Safetensors, TensorsAreAligned) {
    const auto blob = encodeSafetensors(someArrays());
    const auto length = safetensorsHeaderLength(blob, blob.size(), "f");
    ASSERT_TRUE(length);
    EXPECT_EQ(*length % 8, 0u);
    const auto header =
        parseSafetensorsHeader({reinterpret_cast<const char*>(blob.data()) + 8, *length}, blob.size(), "f");
    ASSERT_TRUE(header);
    for (const SafetensorsEntry& entry : header->entries) EXPECT_EQ(entry.begin % dtypeSize(*entry.dtype), 0u);
}

TEST(Safetensors, NothingAtAllIsAFile) {
    const auto content = decodeSafetensors(encodeSafetensors({}));
    ASSERT_TRUE(content);
    EXPECT_TRUE(content->arrays.empty());
}

TEST(Safetensors, EveryPrefixIsRefused) {
    const auto blob = encodeSafetensors(someArrays(), {{"a", "b"}});
    for (std::size_t n = 0; n < blob.size(); ++n) {
        const auto content = decodeSafetensors(std::span(blob).first(n), "file");
        ASSERT_FALSE(content) << n;
        EXPECT_TRUE(content.error().message().starts_with("[ST-")) << content.error().message();
    }
}

TEST(Safetensors, WrongByteCountThrows) {
    Array array = makeArray(std::vector<float>{1, 2}, {2});
    array.bytes.pop_back();
    EXPECT_THROW((void)encodeSafetensors({{"a", array}}), std::invalid_argument);
}

}  // namespace
}  // namespace ropescope
