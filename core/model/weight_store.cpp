// SPDX-License-Identifier: Apache-2.0
#include "core/model/weight_store.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/checkpoint/number_conversion.h"
#include "core/encoding/encoding.h"

namespace ropescope {
namespace {

/// "double_blocks.3." of "double_blocks.3.img_mod.lin.weight": up to the first number; the whole of other names.
std::string blockOf(const std::string& name) {
    std::size_t begin = 0;
    for (std::size_t dot = name.find('.'); dot != std::string::npos; begin = dot + 1, dot = name.find('.', begin))
        if (dot > begin && name.find_first_not_of("0123456789", begin) == dot) return name.substr(0, dot + 1);
    return name;
}

at::Tensor tensorOf(const Array& array) {
    static const std::map<DType, at::ScalarType> types = {{DType::F64, at::kDouble},
                                                          {DType::F32, at::kFloat},
                                                          {DType::F16, at::kHalf},
                                                          {DType::BF16, at::kBFloat16},
                                                          {DType::F8E4M3, at::kFloat8_e4m3fn},
                                                          {DType::F8E5M2, at::kFloat8_e5m2}};
    const auto type = types.find(array.dtype);
    if (type != types.end())
        return at::from_blob(const_cast<std::byte*>(array.bytes.data()), array.shape, type->second);
    const std::vector<float> values = toFloat(array);
    return at::from_blob(const_cast<float*>(values.data()), array.shape, at::kFloat).clone();
}

}  // namespace

WeightStore::WeightStore(TensorTable table, at::ScalarType type, at::Device device, std::uint64_t budget,
                         LoraSet changes)
    : m_table(std::move(table)), m_type(type), m_device(device), m_budget(budget), m_changes(std::move(changes)) {
    std::map<std::string, std::uint64_t> blocks;
    for (const TensorEntry& entry : m_table.tensors()) {
        m_total += bytesOf(entry);
        m_largest = std::max(m_largest, blocks[blockOf(entry.name)] += bytesOf(entry));
    }
}

std::uint64_t WeightStore::bytesOf(const TensorEntry& entry) const {
    const auto elements = static_cast<std::uint64_t>(entry.elements());
    const std::size_t size = isPositionParameter(entry.name) ? sizeof(float) : c10::elementSize(m_type);
    const bool twice = m_changes.changes.contains(entry.name);  // the unchanged one stays beside it
    return elements * (size + (twice ? std::max<std::size_t>(dtypeSize(entry.dtype), 1) : 0));
}

at::Tensor WeightStore::changedOf(const std::string& name, const at::Tensor& stored) const {
    const at::ScalarType type = isPositionParameter(name) ? at::kFloat : m_type;
    const at::TensorOptions options = at::TensorOptions(m_device).dtype(type);
    const auto own = m_changes.changes.find(name);
    if (own == m_changes.changes.end()) return stored.to(options, false, true);
    return changed(stored, own->second, m_changes.strengths).to(options);
}

void WeightStore::release() {
    m_blocks.clear();
    m_unchanged.clear();
    m_kept = 0;
}

WeightTable WeightStore::block(const std::string& prefix) {
    const auto known = m_blocks.find(prefix);
    if (known != m_blocks.end()) return known->second;
    std::uint64_t bytes = 0;
    for (const TensorEntry& entry : m_table.tensors())
        if (entry.name.starts_with(prefix)) bytes += bytesOf(entry);
    // Room for the block at work and the one that takes its place is left free.
    const std::uint64_t reserve = streams() ? 2 * m_largest : 0;
    const bool keep = m_kept + bytes + reserve <= m_budget;
    WeightTable block;
    for (const TensorEntry& entry : m_table.tensors()) {
        if (!entry.name.starts_with(prefix)) continue;
        const auto array = m_table.read(entry.name);
        if (!array) throw ReadFailure{array.error()};
        const at::Tensor stored = tensorOf(*array);  // lies in the array
        block[entry.name.substr(prefix.size())] = changedOf(entry.name, stored);
        if (keep && m_changes.changes.contains(entry.name)) m_unchanged[entry.name] = stored.clone();
    }
    if (keep) {
        m_kept += bytes;
        m_blocks.emplace(prefix, block);
    }
    return block;
}

void WeightStore::setStrengths(std::vector<double> strengths) {
    m_changes.strengths = std::move(strengths);
    for (auto& [prefix, block] : m_blocks)
        for (auto& [name, tensor] : block)
            if (const auto stored = m_unchanged.find(prefix + name); stored != m_unchanged.end())
                tensor = changedOf(prefix + name, stored->second);
}

}  // namespace ropescope
