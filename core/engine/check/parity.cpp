// SPDX-License-Identifier: Apache-2.0
#include "core/engine/check/parity.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>

namespace ropescope {
namespace {

namespace fs = std::filesystem;

Error unfit(const std::string& path, std::string code, std::string reason) {
    return {ErrorKind::Refused, std::move(code), place({path}), std::move(reason), "", "", ""};
}

bool holds(const TensorTable& table, const std::string& prefix, const std::vector<std::string>& inputs) {
    const auto there = [&](const std::string& name) { return table.find(prefix + name) != nullptr; };
    return there("out") && std::ranges::all_of(inputs, there);
}

std::string listed(const std::vector<std::string>& inputs) {
    std::string text;
    for (const std::string& name : inputs) text += (text.empty() ? "" : ", ") + name;
    return text + " or out";
}

Result<at::Tensor> readDouble(const TensorTable& table, const std::string& name) {
    const Result<std::vector<double>> values = table.readDouble(name);
    if (!values) return failure(values.error());
    return at::from_blob(const_cast<double*>(values->data()), table.find(name)->shape, at::kDouble).clone();
}

Result<Record> readRecord(const TensorTable& table, const std::string& prefix, std::string source,
                          const std::vector<std::string>& inputs) {
    Record record;
    record.source = std::move(source), record.inside = !prefix.empty();
    for (const std::string& name : inputs) {
        auto values = readDouble(table, prefix + name);
        if (!values) return failure(values.error());
        record.inputs[name] = std::move(*values);
    }
    auto out = readDouble(table, prefix + "out");
    if (!out) return failure(out.error());
    record.out = std::move(*out);
    return record;
}

}  // namespace

Result<Record> findRecord(const TensorTable& table, const std::vector<std::string>& inputs) {
    if (holds(table, "selfcheck.", inputs)) return readRecord(table, "selfcheck.", "the record in the file", inputs);
    fs::path beside(table.path());
    beside.replace_extension(".expected.safetensors");
    std::error_code ignored;
    if (!fs::exists(beside, ignored))
        return failure(unfit(table.path(), "no-record", "no recorded output in the file or beside it"));
    const Result<TensorTable> recorded = TensorTable::openPlain(beside.string());
    if (!recorded) return failure(recorded.error());
    if (!holds(*recorded, "", inputs))
        return failure(unfit(beside.string(), "no-record", "the record beside the file lacks " + listed(inputs)));
    return readRecord(*recorded, "", beside.filename().string(), inputs);
}

Result<Parity> measureParity(const Record& record, const std::function<Result<at::Tensor>(const Record&)>& run) {
    const Result<at::Tensor> out = run(record);
    if (!out) return failure(out.error());
    if (out->sizes() != record.out.sizes()) return failure(brokenRecord(record));
    const double scale = std::max(1.0, record.out.abs().max().item<double>());
    const double off = (out->to(at::kCPU, at::kDouble) - record.out).abs().max().item<double>();
    return Parity{off / scale, record.source, record.inside};
}

Error brokenRecord(const Record& record) {
    return unfit(record.source, "broken-record", "the recorded shapes do not fit the model");
}

}  // namespace ropescope
