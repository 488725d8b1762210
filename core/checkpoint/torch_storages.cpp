// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/torch_storages.h"

#include <algorithm>

#include "core/data/safetensors.h"

namespace ropescope {
namespace {

struct TypeRow {
    std::string_view storage, dtype;
    DType type;
};
constexpr TypeRow kTypes[] = {
    {"torch FloatStorage", "torch float32", DType::F32},
    {"torch DoubleStorage", "torch float64", DType::F64},
    {"torch HalfStorage", "torch float16", DType::F16},
    {"torch BFloat16Storage", "torch bfloat16", DType::BF16},
    {"torch LongStorage", "torch int64", DType::I64},
    {"torch IntStorage", "torch int32", DType::I32},
    {"torch ShortStorage", "torch int16", DType::I16},
    {"torch CharStorage", "torch int8", DType::I8},
    {"torch ByteStorage", "torch uint8", DType::U8},
    {"torch BoolStorage", "torch bool", DType::Bool},
    {"", "torch float8_e4m3fn", DType::F8E4M3},
    {"", "torch float8_e5m2", DType::F8E5M2},
    {"", "torch uint16", DType::U16},
    {"", "torch uint32", DType::U32},
    {"", "torch uint64", DType::U64},
};

std::optional<DType> storageType(std::string_view name) {
    for (const TypeRow& row : kTypes) {
        if (!row.storage.empty() && row.storage == name) return row.type;
    }
    return std::nullopt;
}

std::optional<DType> elementType(std::string_view name) {
    for (const TypeRow& row : kTypes) {
        if (row.dtype == name) return row.type;
    }
    return std::nullopt;
}

/// Non-negative whole numbers of a tuple; empty optional when there is anything else.
std::optional<std::vector<std::int64_t>> whole(const PickleTree& tree, PickleId tuple) {
    std::vector<std::int64_t> out;
    for (PickleId id : tree.items(tuple)) {
        if (tree.kind(id) != PickleKind::Int || tree[id].number < 0) return std::nullopt;
        out.push_back(tree[id].number);
    }
    return out;
}

bool contiguous(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& strides) {
    std::int64_t expected = 1;
    for (std::size_t i = shape.size(); i-- > 0;) {
        if (shape[i] != 1 && strides[i] != expected) return false;
        expected *= shape[i];
    }
    return true;
}

}  // namespace

tl::unexpected<Error> TorchStorages::refused(std::string code, const std::string& name, std::string reason,
                                             std::string found, std::string expected) const {
    return failure({ErrorKind::Refused, std::move(code), place({m_path, name}), std::move(reason), std::move(found),
                    std::move(expected), "The file is damaged or hostile; fetch it again"});
}

Result<const TorchStorages::Storage*> TorchStorages::storage(PickleId id, DType dtype, std::uint64_t count,
                                                             const std::string& name) {
    const auto& parts = m_tree.items(id);
    const std::string key(m_tree.text(parts[2]));
    const std::string type(m_tree.text(parts[1]));
    if (const auto known = m_storages.find(key); known != m_storages.end()) {
        ++m_tied;
        if (known->second.typeName != type || known->second.count != count) {
            return refused("PK-13", name, "storage " + key + " under two types or sizes", std::to_string(count),
                           std::to_string(known->second.count));
        }
        return &known->second;
    }
    const ZipMember* member = m_zip.find(m_root + "/data/" + key);
    if (!member) return refused("ZC-12", name, "its storage data/" + key + " is missing from the archive");
    if (member->method != 0) {
        return refused("ZC-06", name, "its storage data/" + key + " is compressed; save it again with torch.save");
    }
    const std::uint64_t bytes = type == "torch.storage UntypedStorage" ? count : count * dtypeSize(dtype);
    if (member->size != bytes) {
        return refused("ZC-12", name, "its storage data/" + key + " has another size",
                       std::to_string(member->size) + " bytes", std::to_string(bytes));
    }
    return &m_storages.emplace(key, Storage{dtype, count, member->dataOffset, type}).first->second;
}

Result<std::optional<TensorEntry>> TorchStorages::locate(PickleId tensor, const std::string& name) {
    const auto& arguments = m_tree.items(tensor);
    const auto& parts = m_tree.items(arguments[0]);
    const std::string_view typeName = m_tree.text(parts[1]);
    std::optional<DType> dtype = storageType(typeName);
    if (typeName == "torch.storage UntypedStorage" && arguments.size() > 6) {
        dtype = elementType(m_tree.text(arguments[6]));
    }
    if (!dtype) return std::optional<TensorEntry>();
    const auto shape = whole(m_tree, arguments[2]);
    auto strides = whole(m_tree, arguments[3]);
    const std::int64_t first = m_tree[arguments[1]].number;
    if (!shape || !strides || first < 0 || shape->size() != strides->size() || shape->size() > kMaxSafetensorsRank) {
        return refused("PK-14", name, "impossible offset, shape or strides");
    }
    const auto count = static_cast<std::uint64_t>(m_tree[parts[4]].number);
    const auto found = storage(arguments[0], *dtype, count, name);
    if (!found) return failure(found.error());
    const std::uint64_t size = dtypeSize(*dtype);
    const std::uint64_t elements = (*found)->typeName == "torch.storage UntypedStorage" ? count / size : count;
    std::int64_t last = first, total = 1;
    bool overflow = false;
    for (std::size_t i = 0; i < shape->size(); ++i) {
        std::int64_t reach = 0;
        overflow |= __builtin_mul_overflow(total, (*shape)[i], &total);
        if ((*shape)[i] == 0) continue;
        overflow |= __builtin_mul_overflow((*shape)[i] - 1, (*strides)[i], &reach);
        overflow |= __builtin_add_overflow(last, reach, &last);
    }
    // An expanded view repeats its storage; more than the archive holds many times over is no honest tensor.
    overflow |= total > (std::int64_t{1} << 48) || static_cast<std::uint64_t>(total) > 64 * elements + (1u << 20);
    // A tensor without elements touches nothing, wherever it says it begins.
    const bool inside = total == 0 || static_cast<std::uint64_t>(last) < elements;
    if (overflow || !inside) {
        return refused("PK-14", name, "the view reaches outside its storage", "element " + std::to_string(last),
                       "below " + std::to_string(elements));
    }
    TensorEntry entry{name, *dtype, *shape, {}, (*found)->dataOffset, 0};
    if (total != 0) {
        entry.offset += static_cast<std::uint64_t>(first) * size;
        entry.length = static_cast<std::uint64_t>(last - first + 1) * size;
    }
    if (total != 0 && !contiguous(*shape, *strides)) entry.strides = std::move(*strides);
    return std::optional(std::move(entry));
}

}  // namespace ropescope
