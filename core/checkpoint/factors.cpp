// SPDX-License-Identifier: Apache-2.0
// Weights whose stored numbers are not what they mean: 8 bits with factors, and forms that are refused by name.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "core/checkpoint/table_contents.h"

namespace ropescope {
namespace {

constexpr std::string_view kWeight = ".weight";

struct Form {
    std::string_view ending;
    std::string_view what;
};
/// By the ending of a tensor that only such files have.
constexpr Form kForms[] = {
    {".quant_state.bitsandbytes__nf4", "4-bit weights of bitsandbytes (nf4)"},
    {".quant_state.bitsandbytes__fp4", "4-bit weights of bitsandbytes (fp4)"},
    {".absmax", "4-bit weights of bitsandbytes"},
    {".nested_absmax", "4-bit weights of bitsandbytes"},
    {".quant_map", "4-bit weights of bitsandbytes"},
    {".SCB", "8-bit weights of bitsandbytes (LLM.int8)"},
    {".weight_format", "8-bit weights of bitsandbytes (LLM.int8)"},
    {".weight_scale_2", "4 bits with two factors (nvfp4)"},
    {".weight_scale_inv", "8-bit weights with factors of blocks (DeepSeek's form)"},
    {".qweight", "4-bit weights of GPTQ, AWQ or SVDQuant"},
    {".qzeros", "4-bit weights of GPTQ or AWQ"},
    {".wscales", "4-bit weights of SVDQuant (Nunchaku)"},
    {".weight._data", "weights of quanto"},
    {".weight_packed", "weights of compressed-tensors"},
};

bool isFloat8(DType type) {
    return type == DType::F8E4M3 || type == DType::F8E5M2;
}

bool isWhole(DType type) {
    return type == DType::I8 || type == DType::U8 || type == DType::I32 || type == DType::U32 || type == DType::I16;
}

/// "X" of "X.scale_weight"; empty for other names.
std::string moduleOf(const std::string& name, std::initializer_list<std::string_view> endings) {
    for (const std::string_view ending : endings)
        if (name.ends_with(ending)) return name.substr(0, name.size() - ending.size());
    return {};
}

}  // namespace

Result<void> attachFactors(TensorTable::Contents& contents) {
    std::vector<TensorEntry>& tensors = contents.tensors;
    std::unordered_map<std::string, std::size_t> byName;
    bool any = false;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        byName.emplace(tensors[i].name, i);
        any |= tensors[i].name.ends_with(".scale_weight") || tensors[i].name.ends_with(".weight_scale");
    }
    if (!any) return {};
    std::vector<bool> taken(tensors.size(), false);
    std::size_t inputs = 0;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        const std::string& name = tensors[i].name;
        if (const std::string input = moduleOf(name, {".scale_input", ".input_scale"}); !input.empty()) {
            taken[i] = byName.contains(input + std::string(kWeight));
            inputs += taken[i];
            continue;
        }
        const std::string module = moduleOf(name, {".scale_weight", ".weight_scale"});
        const auto weight = module.empty() ? byName.end() : byName.find(module + std::string(kWeight));
        if (weight == byName.end()) continue;
        TensorEntry& entry = tensors[weight->second];
        if (entry.factor)
            return failure({ErrorKind::Refused, "TC-12", place({contents.file.path(), name}),
                            "two factors for one weight", "", "one", "Use the file in bf16, fp16 or fp32"});
        auto factor = std::make_shared<WeightFactor>();
        factor->values = tensors[i];
        factor->rows = entry.shape.empty() ? 1 : entry.shape[0];
        entry.factor = std::move(factor);
        taken[i] = true;
    }
    std::vector<TensorEntry> rest;
    for (std::size_t i = 0; i < tensors.size(); ++i)
        if (!taken[i]) rest.push_back(std::move(tensors[i]));
    tensors = std::move(rest);
    contents.scaled = true;
    if (inputs > 0)
        contents.notes.push_back(std::to_string(inputs) +
                                 " factors of inputs left out: they serve arithmetic in 8 bits alone");
    return {};
}

std::optional<FactorTiles> tilesOf(const std::vector<std::int64_t>& shape, std::int64_t rows, std::int64_t cols) {
    std::int64_t count = 1;
    for (const std::int64_t side : shape) count *= side;
    FactorTiles tiles;
    if (count != 1 && shape.size() == 1) (count == rows ? tiles.down : tiles.across) = count;
    if (count != 1 && shape.size() == 2) tiles = {shape[0], shape[1]};
    const bool fits = count > 0 && count == tiles.down * tiles.across && rows % tiles.down == 0;
    return fits && cols % tiles.across == 0 ? std::optional(tiles) : std::nullopt;
}

Result<void> checkStorage(const TensorTable& table) {
    const auto refused = [&](const TensorEntry& entry, const std::string& found) {
        return failure({ErrorKind::Refused, "TC-07", place({table.path(), entry.name}),
                        "weights in a form that is not supported", found, "floating-point numbers of 8 to 64 bits",
                        "Use the file in bf16, fp16 or fp8"});
    };
    const bool scaled = table.contents().scaled;
    for (const Form& form : kForms)
        for (const TensorEntry& entry : table.tensors())
            if (entry.name.ends_with(form.ending)) return refused(entry, std::string(form.what));
    for (const TensorEntry& entry : table.tensors()) {
        if (entry.name.ends_with(kWeight) && entry.shape.size() >= 2 && isWhole(entry.dtype))
            return refused(entry, "whole numbers, " + std::string(dtypeName(entry.dtype)));
        const auto misfit = [&](const TensorEntry& part) {
            if (!part.factor) return false;
            const std::int64_t rows = part.shape.empty() ? 1 : std::max<std::int64_t>(part.shape[0], 1);
            return !tilesOf(part.factor->values.shape, part.factor->rows, part.elements() / rows);
        };
        const std::vector<TensorEntry> one = entry.parts.empty() ? std::vector{entry} : entry.parts;
        for (const TensorEntry& part : one)
            if (misfit(part))
                return failure({ErrorKind::Refused, "TC-07", place({table.path(), part.factor->values.name}),
                                "not the factors of a weight",
                                std::to_string(part.factor->values.elements()) + " numbers",
                                "one, one a row, one a column or one a block", "Use the file in bf16, fp16 or fp32"});
        for (const TensorEntry& part : one)
            if (scaled && entry.name.ends_with(kWeight) && isFloat8(part.dtype) && !part.factor)
                return failure({ErrorKind::Refused, "TC-07", place({table.path(), part.name}),
                                "an 8-bit weight without its factor", "none",
                                "one for every 8-bit weight, as for the file's others",
                                "Use a complete file, or one in bf16 or fp16"});
        if (!entry.name.ends_with(".comfy_quant")) continue;
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

}  // namespace ropescope
