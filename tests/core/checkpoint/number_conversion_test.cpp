// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/number_conversion.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ropescope {
namespace {

template <class T>
double first(DType type, T bits) {
    Array array{type, {1}, std::vector<std::byte>(sizeof bits)};
    std::memcpy(array.bytes.data(), &bits, sizeof bits);
    EXPECT_EQ(toDouble(array).size(), 1u);
    return toDouble(array)[0];
}

TEST(NumberConversion, SmallFloatsByTheirDefinition) {
    EXPECT_EQ(first<std::uint16_t>(DType::F16, 0x3C00), 1.0);
    EXPECT_EQ(first<std::uint16_t>(DType::F16, 0xC000), -2.0);
    EXPECT_EQ(first<std::uint16_t>(DType::F16, 0x7BFF), 65504.0);
    EXPECT_EQ(first<std::uint16_t>(DType::F16, 0x0001), std::ldexp(1.0, -24));
    EXPECT_TRUE(std::isinf(first<std::uint16_t>(DType::F16, 0x7C00)));
    EXPECT_TRUE(std::isnan(first<std::uint16_t>(DType::F16, 0x7E00)));
    EXPECT_EQ(first<std::uint16_t>(DType::BF16, 0x3F80), 1.0);
    EXPECT_EQ(first<std::uint16_t>(DType::BF16, 0xC040), -3.0);
    EXPECT_EQ(first<std::uint8_t>(DType::F8E4M3, 0x38), 1.0);
    EXPECT_EQ(first<std::uint8_t>(DType::F8E4M3, 0x7E), 448.0);
    EXPECT_EQ(first<std::uint8_t>(DType::F8E4M3, 0x01), std::ldexp(1.0, -9));
    EXPECT_TRUE(std::isnan(first<std::uint8_t>(DType::F8E4M3, 0xFF)));
    EXPECT_EQ(first<std::uint8_t>(DType::F8E5M2, 0x3C), 1.0);
    EXPECT_EQ(first<std::uint8_t>(DType::F8E5M2, 0x7B), 57344.0);
}

TEST(NumberConversion, Integers) {
    EXPECT_EQ(first<std::int64_t>(DType::I64, -5), -5.0);
    EXPECT_EQ(first<std::uint8_t>(DType::Bool, 1), 1.0);
    EXPECT_EQ(first<std::int8_t>(DType::I8, -128), -128.0);
}

}  // namespace
}  // namespace ropescope
