// SPDX-License-Identifier: Apache-2.0
#include "core/engine/parity.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <optional>

namespace ropescope {
namespace {

namespace fs = std::filesystem;

struct Record {
    at::Tensor x, t, y, out;
    std::string source;
    bool inside = false;
};

Error unfit(const std::string& path, std::string code, std::string reason) {
    return {ErrorKind::Refused, std::move(code), place({path}), std::move(reason), "", "", ""};
}

Result<at::Tensor> readTensor(const TensorTable& table, const std::string& name) {
    const TensorEntry* entry = table.find(name);
    const Result<std::vector<double>> values = table.readDouble(name);
    if (!values) return failure(values.error());
    return at::from_blob(const_cast<double*>(values->data()), entry->shape, at::kDouble).clone();
}

bool holds(const TensorTable& table, const std::string& prefix) {
    const auto has = [&](const char* name) { return table.find(prefix + name) != nullptr; };
    return has("x") && has("t") && has("y") && has("out");
}

Result<Record> readRecord(const TensorTable& table, const std::string& prefix, std::string source, bool inside) {
    Record record{{}, {}, {}, {}, std::move(source), inside};
    for (auto& [name, tensor] : {std::pair("x", &record.x), {"t", &record.t}, {"y", &record.y}, {"out", &record.out}}) {
        Result<at::Tensor> read = readTensor(table, prefix + name);
        if (!read) return failure(read.error());
        *tensor = std::move(*read);
    }
    return record;
}

Result<Record> findRecord(const TensorTable& table) {
    if (holds(table, "selfcheck.")) return readRecord(table, "selfcheck.", "the record in the file", true);
    fs::path beside(table.path());
    beside.replace_extension(".expected.safetensors");
    std::error_code ignored;
    if (!fs::exists(beside, ignored))
        return failure(unfit(table.path(), "no-record", "no recorded output in the file or beside it"));
    const Result<TensorTable> recorded = TensorTable::open(beside.string());
    if (!recorded) return failure(recorded.error());
    if (!holds(*recorded, ""))
        return failure(unfit(beside.string(), "no-record", "the record beside the file lacks x, t, y or out"));
    return readRecord(*recorded, "", beside.filename().string(), false);
}

bool fits(const Record& r, const WeightTable& weights, const DitShape& shape) {
    if (r.x.dim() != 4 || r.x.numel() == 0 || r.x.size(1) != shape.inChannels) return false;
    const std::int64_t batch = r.x.size(0), rows = r.x.size(2), cols = r.x.size(3);
    if (rows % shape.patch != 0 || cols % shape.patch != 0) return false;
    if (r.t.numel() != batch || r.y.numel() != batch || r.t.dim() != 1 || r.y.dim() != 1) return false;
    if (r.y.min().item<double>() < 0 || r.y.max().item<double>() > shape.classes) return false;
    const auto table = weights.find("pos_embed");
    const std::int64_t tokens = rows / shape.patch * (cols / shape.patch);
    if (table != weights.end() && table->second.size(1) != tokens) return false;
    const std::vector<std::int64_t> out = {batch, shape.outChannels, rows, cols};
    return r.out.sizes().vec() == out;
}

}  // namespace

Result<Parity> measureParity(const TensorTable& table, const WeightTable& weights, const DitShape& shape) {
    const Result<Record> record = findRecord(table);
    if (!record) return failure(record.error());
    if (!fits(*record, weights, shape))
        return failure(unfit(table.path(), "broken-record", "the recorded shapes do not fit the model"));
    const at::Tensor out =
        ditForward(weights, shape, record->x.to(at::kFloat), record->t, record->y.to(at::kLong)).to(at::kDouble);
    const double scale = std::max(1.0, record->out.abs().max().item<double>());
    return Parity{(out - record->out).abs().max().item<double>() / scale, record->source, record->inside};
}

}  // namespace ropescope
