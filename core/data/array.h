// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace ropescope {

/// Element types of the safetensors format that the program knows by name.
enum class DType { F64, F32, F16, BF16, F8E4M3, F8E5M2, I64, I32, I16, I8, U64, U32, U16, U8, Bool };

[[nodiscard]] std::string_view dtypeName(DType type);                     ///< "F32", as in a safetensors header
[[nodiscard]] std::optional<DType> dtypeFromName(std::string_view name);  ///< empty for names not listed above
[[nodiscard]] std::size_t dtypeSize(DType type);                          ///< bytes of one element

/// A dense row-major array, owned. `bytes.size() == dtypeSize(dtype) * product(shape)`; rank 0 holds one element.
struct Array {
    DType dtype = DType::F32;
    std::vector<std::int64_t> shape;
    std::vector<std::byte> bytes;

    [[nodiscard]] std::int64_t elements() const {
        std::int64_t n = 1;
        for (std::int64_t s : shape) n *= s;
        return n;
    }
    template <class T>
    [[nodiscard]] std::span<const T> as() const {
        return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
    }
    template <class T>
    [[nodiscard]] std::span<T> as() {
        return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
    }
    bool operator==(const Array&) const = default;
};

[[nodiscard]] Array makeArray(std::span<const float> values, std::vector<std::int64_t> shape);
[[nodiscard]] Array makeArray(std::span<const double> values, std::vector<std::int64_t> shape);
[[nodiscard]] Array makeArray(std::span<const std::uint8_t> values, std::vector<std::int64_t> shape);

}  // namespace ropescope
