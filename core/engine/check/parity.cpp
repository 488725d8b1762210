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

std::vector<std::string> namesOf(bool timed) {
    return timed ? std::vector<std::string>{"x", "out", "t", "y"} : std::vector<std::string>{"x", "out"};
}

bool holds(const TensorTable& table, const std::string& prefix, bool timed) {
    return std::ranges::all_of(namesOf(timed), [&](const std::string& name) { return table.find(prefix + name); });
}

Result<Record> readRecord(const TensorTable& table, const std::string& prefix, std::string source, bool timed) {
    Record record;
    record.source = std::move(source), record.inside = !prefix.empty();
    for (const std::string& name : namesOf(timed)) {
        const TensorEntry* entry = table.find(prefix + name);
        const Result<std::vector<double>> values = table.readDouble(prefix + name);
        if (!values) return failure(values.error());
        at::Tensor& target = name == "x" ? record.x : name == "out" ? record.out : name == "t" ? record.t : record.y;
        target = at::from_blob(const_cast<double*>(values->data()), entry->shape, at::kDouble).clone();
    }
    return record;
}

}  // namespace

Result<Record> findRecord(const TensorTable& table, bool timed) {
    if (holds(table, "selfcheck.", timed)) return readRecord(table, "selfcheck.", "the record in the file", timed);
    fs::path beside(table.path());
    beside.replace_extension(".expected.safetensors");
    std::error_code ignored;
    if (!fs::exists(beside, ignored))
        return failure(unfit(table.path(), "no-record", "no recorded output in the file or beside it"));
    const Result<TensorTable> recorded = TensorTable::open(beside.string());
    if (!recorded) return failure(recorded.error());
    if (!holds(*recorded, "", timed))
        return failure(unfit(
            beside.string(), "no-record",
            timed ? "the record beside the file lacks x, t, y or out" : "the record beside the file lacks x or out"));
    return readRecord(*recorded, "", beside.filename().string(), timed);
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
