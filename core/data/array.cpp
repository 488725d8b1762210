// SPDX-License-Identifier: Apache-2.0
#include "core/data/array.h"

#include <stdexcept>

namespace ropescope {
namespace {

struct DTypeRow {
    DType type;
    std::string_view name;
    std::size_t size;
};

constexpr DTypeRow kDTypes[] = {
    {DType::F64, "F64", 8},  {DType::F32, "F32", 4},   {DType::F16, "F16", 2},         {DType::BF16, "BF16", 2},
    {DType::F8E4M3, "F8_E4M3", 1}, {DType::F8E5M2, "F8_E5M2", 1}, {DType::I64, "I64", 8}, {DType::I32, "I32", 4},
    {DType::I16, "I16", 2},  {DType::I8, "I8", 1},     {DType::U64, "U64", 8},         {DType::U32, "U32", 4},
    {DType::U16, "U16", 2},  {DType::U8, "U8", 1},     {DType::Bool, "BOOL", 1},
};

template <class T>
Array copied(std::span<const T> values, std::vector<std::int64_t> shape, DType type) {
    Array array{type, std::move(shape), {}};
    if (array.elements() != static_cast<std::int64_t>(values.size())) {
        throw std::invalid_argument("makeArray: the shape does not match the number of values");
    }
    array.bytes.resize(values.size_bytes());
    if (!values.empty()) std::memcpy(array.bytes.data(), values.data(), values.size_bytes());
    return array;
}

}  // namespace

std::string_view dtypeName(DType type) {
    for (const DTypeRow& row : kDTypes) {
        if (row.type == type) return row.name;
    }
    return "?";
}

std::optional<DType> dtypeFromName(std::string_view name) {
    for (const DTypeRow& row : kDTypes) {
        if (row.name == name) return row.type;
    }
    return std::nullopt;
}

std::size_t dtypeSize(DType type) {
    for (const DTypeRow& row : kDTypes) {
        if (row.type == type) return row.size;
    }
    return 0;
}

Array makeArray(std::span<const float> values, std::vector<std::int64_t> shape) {
    return copied(values, std::move(shape), DType::F32);
}
Array makeArray(std::span<const double> values, std::vector<std::int64_t> shape) {
    return copied(values, std::move(shape), DType::F64);
}
Array makeArray(std::span<const std::uint8_t> values, std::vector<std::int64_t> shape) {
    return copied(values, std::move(shape), DType::U8);
}

}  // namespace ropescope
