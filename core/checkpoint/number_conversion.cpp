// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/number_conversion.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>

namespace ropescope {
namespace {

/// Value of a small binary float with sign, `exponentBits` and `mantissaBits`, IEEE style (top exponent: inf, NaN).
float fromBits(unsigned bits, int exponentBits, int mantissaBits) {
    const unsigned mantissa = bits & ((1u << mantissaBits) - 1);
    const unsigned exponent = bits >> mantissaBits & ((1u << exponentBits) - 1);
    const int bias = (1 << (exponentBits - 1)) - 1;
    float value = 0;
    if (exponent == (1u << exponentBits) - 1) {
        value = mantissa ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
    } else if (exponent == 0) {
        value = std::ldexp(static_cast<float>(mantissa), 1 - bias - mantissaBits);
    } else {
        value = std::ldexp(static_cast<float>(mantissa | 1u << mantissaBits),
                           static_cast<int>(exponent) - bias - mantissaBits);
    }
    return bits >> (exponentBits + mantissaBits) & 1 ? -value : value;
}

/// F8_E4M3 (the "fn" form): no infinities, 0x7F and 0xFF are NaN, so the top exponent holds ordinary numbers.
float fromE4M3(unsigned bits) {
    if ((bits & 0x7F) == 0x7F) return std::numeric_limits<float>::quiet_NaN();
    if ((bits & 0x78) != 0x78) return fromBits(bits, 4, 3);
    const float value = std::ldexp(static_cast<float>(8 + (bits & 7)), 5);
    return bits & 0x80 ? -value : value;
}

/// All values of a small type, by their bits.
template <std::size_t N>
std::array<float, N> tableOf(float (*value)(unsigned)) {
    std::array<float, N> table;
    for (std::size_t bits = 0; bits < N; ++bits) table[bits] = value(static_cast<unsigned>(bits));
    return table;
}
float halfOf(unsigned bits) {
    static const auto table =
        std::make_unique<std::array<float, 65536>>(tableOf<65536>([](unsigned b) { return fromBits(b, 5, 10); }));
    return (*table)[bits];
}
float e4m3Of(unsigned bits) {
    static const auto table = tableOf<256>(fromE4M3);
    return table[bits];
}
float e5m2Of(unsigned bits) {
    static const auto table = tableOf<256>([](unsigned b) { return fromBits(b, 5, 2); });
    return table[bits];
}

template <class To, class From>
std::vector<To> converted(const Array& array) {
    const auto values = array.as<From>();
    std::vector<To> out(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) out[i] = static_cast<To>(values[i]);
    return out;
}

template <class To, class From, class Convert>
std::vector<To> converted(const Array& array, Convert convert) {
    const auto values = array.as<From>();
    std::vector<To> out(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) out[i] = static_cast<To>(convert(values[i]));
    return out;
}

template <class To>
std::vector<To> numbers(const Array& array) {
    switch (array.dtype) {
        case DType::F64:
            return converted<To, double>(array);
        case DType::F32:
            return converted<To, float>(array);
        case DType::F16:
            return converted<To, std::uint16_t>(array, halfOf);
        case DType::BF16:
            return converted<To, std::uint16_t>(array, [](std::uint32_t b) { return std::bit_cast<float>(b << 16); });
        case DType::F8E4M3:
            return converted<To, std::uint8_t>(array, e4m3Of);
        case DType::F8E5M2:
            return converted<To, std::uint8_t>(array, e5m2Of);
        case DType::I64:
            return converted<To, std::int64_t>(array);
        case DType::I32:
            return converted<To, std::int32_t>(array);
        case DType::I16:
            return converted<To, std::int16_t>(array);
        case DType::I8:
            return converted<To, std::int8_t>(array);
        case DType::U64:
            return converted<To, std::uint64_t>(array);
        case DType::U32:
            return converted<To, std::uint32_t>(array);
        case DType::U16:
            return converted<To, std::uint16_t>(array);
        case DType::U8:
        case DType::Bool:
            return converted<To, std::uint8_t>(array);
    }
    return {};
}

}  // namespace

std::vector<double> toDouble(const Array& array) {
    return numbers<double>(array);
}
std::vector<float> toFloat(const Array& array) {
    return numbers<float>(array);
}

Array rowsOf(const Array& whole, std::int64_t first, std::int64_t count) {
    if (whole.shape.empty() || first < 0 || count < 0 || first + count > whole.shape[0])
        throw std::out_of_range("rows of a tensor");
    Array rows{whole.dtype, whole.shape, {}};
    rows.shape[0] = count;
    const auto bytes = static_cast<std::int64_t>(whole.bytes.size()) / std::max<std::int64_t>(1, whole.shape[0]);
    rows.bytes.assign(whole.bytes.begin() + first * bytes, whole.bytes.begin() + (first + count) * bytes);
    return rows;
}

}  // namespace ropescope
