// SPDX-License-Identifier: Apache-2.0
#include "core/model/weight_store.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

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
    const std::size_t size = isPositionParameter(entry.name) ? sizeof(float) : c10::elementSize(m_type);
    return static_cast<std::uint64_t>(entry.elements()) * size;
}

WeightTable WeightStore::read(const std::string& prefix) const {
    WeightTable block;
    for (const TensorEntry& entry : m_table.tensors()) {
        if (!entry.name.starts_with(prefix)) continue;
        const auto array = m_table.read(entry.name);
        if (!array) throw ReadFailure{array.error()};
        const at::ScalarType type = isPositionParameter(entry.name) ? at::kFloat : m_type;
        if (const at::Tensor scale = scaleOf(entry.name); scale.defined()) {
            at::Tensor own = tensorOf(*array).to(at::kFloat) * scale;
            if (const auto change = m_changes.changes.find(entry.name); change != m_changes.changes.end())
                own = changed(own, change->second);
            block[entry.name.substr(prefix.size())] = own.to(at::TensorOptions(m_device).dtype(type));
            continue;
        }
        if (m_changes.changes.contains(entry.name)) {
            const at::Tensor own = changed(tensorOf(*array), m_changes.changes.at(entry.name));
            block[entry.name.substr(prefix.size())] = own.to(at::TensorOptions(m_device).dtype(type));
            continue;
        }
        block[entry.name.substr(prefix.size())] =
            tensorOf(*array).to(at::TensorOptions(m_device).dtype(type), false, true);
    }
    return block;
}

at::Tensor WeightStore::scaleOf(const std::string& name) const {
    constexpr std::string_view weight = ".weight";
    if (!name.ends_with(weight)) return {};
    const std::string module = name.substr(0, name.size() - weight.size());
    for (const char* kind : {".scale_weight", ".weight_scale"}) {
        if (!m_table.find(module + kind)) continue;
        const auto values = m_table.readFloat(module + kind);
        if (!values) throw ReadFailure{values.error()};
        const std::vector<std::int64_t>& shape = m_table.find(name)->shape;
        const bool fits =
            values->size() == 1 || (shape.size() == 2 && static_cast<std::int64_t>(values->size()) == shape[0]);
        if (!fits || !std::all_of(values->begin(), values->end(), [](float v) { return std::isfinite(v); }))
            throw ReadFailure{Error{ErrorKind::Refused, "TC-07", place({m_table.path(), module + kind}),
                                    "not the factors of a weight", std::to_string(values->size()) + " numbers",
                                    "one finite number, or one a row", ""}};
        const at::Tensor factors = at::tensor(*values, at::kFloat);
        return values->size() == 1 ? factors.squeeze(0) : factors.unsqueeze(1);
    }
    return {};
}

void WeightStore::release() {
    m_blocks.clear();
    m_kept = 0;
}

Result<void> checkStorage(const TensorTable& table) {
    const auto refused = [&](const TensorEntry& entry, const std::string& found) {
        return failure({ErrorKind::Refused, "TC-07", place({table.path(), entry.name}),
                        "weights in a form that is not supported", found, "floating-point numbers of 8 to 64 bits",
                        "Use the file in bf16, fp16 or fp8"});
    };
    for (const TensorEntry& entry : table.tensors()) {
        const auto is = [&](std::string_view kind) { return entry.name.ends_with(kind); };
        if (is(".weight_scale_2")) return refused(entry, "4 bits with two factors (nvfp4)");
        if (is(".SCB") || is(".absmax") || is(".quant_map")) return refused(entry, "bitsandbytes");
        const bool whole = entry.dtype == DType::I8 || entry.dtype == DType::U8 || entry.dtype == DType::I32;
        if (is(".weight") && whole && entry.shape.size() >= 2)
            return refused(entry, "whole numbers, " + std::string(dtypeName(entry.dtype)));
        if (!is(".comfy_quant")) continue;
        const auto bytes = table.read(entry.name);
        if (!bytes) return failure(bytes.error());
        const auto* text = reinterpret_cast<const char*>(bytes->bytes.data());
        const auto json = nlohmann::json::parse(text, text + bytes->bytes.size(), nullptr, false);
        const bool told = json.is_object() && json.contains("format") && json["format"].is_string();
        const std::string format = told ? json["format"].get<std::string>() : std::string();
        if (format != "float8_e4m3fn" && format != "float8_e5m2")
            return refused(entry, "comfy_quant format \"" + printable(format, 40) + "\"");
    }
    return {};
}

WeightTable WeightStore::block(const std::string& prefix) {
    const auto known = m_blocks.find(prefix);
    if (known != m_blocks.end()) return known->second;
    std::uint64_t bytes = 0;
    for (const TensorEntry& entry : m_table.tensors())
        if (entry.name.starts_with(prefix)) bytes += bytesOf(entry);
    WeightTable block = read(prefix);
    // Room for the block at work and the one that takes its place is left free.
    const std::uint64_t reserve = streams() ? 2 * m_largest : 0;
    if (m_kept + bytes + reserve <= m_budget) {
        m_kept += bytes;
        m_blocks.emplace(prefix, block);
    }
    return block;
}

}  // namespace ropescope
