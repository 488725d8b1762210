// SPDX-License-Identifier: Apache-2.0
// The list of a file's tensors and the values of one of them.
#include <algorithm>
#include <cmath>

#include "core/checkpoint/finite.h"
#include "core/checkpoint/number_conversion.h"
#include "core/checkpoint/recognition.h"

namespace ropescope {
namespace {

constexpr std::size_t kBins = 64;
constexpr std::int64_t kPiece = 1 << 22;  ///< values held at once

TensorStatistics emptyStatistics(const std::string& name) {
    TensorStatistics s;
    s.name = name;
    s.min = INFINITY, s.max = -INFINITY;
    return s;
}

/// Calls `take` with the values of the tensor, piece by piece of its rows.
Result<void> eachPiece(const TensorTable& table, const TensorEntry& entry, const auto& take) {
    const std::int64_t rows = entry.shape.empty() ? 1 : entry.shape[0];
    const std::int64_t each = rows > 0 ? std::max<std::int64_t>(entry.elements() / rows, 1) : 1;
    const std::int64_t step = std::max<std::int64_t>(kPiece / each, 1);
    const bool whole = entry.shape.empty() || !entry.strides.empty();
    for (std::int64_t first = 0; first < rows; first += step) {
        const auto piece =
            whole ? table.read(entry.name) : table.readRows(entry.name, first, std::min(step, rows - first));
        if (!piece) return failure(piece.error());
        take(toDouble(*piece));
        if (whole) break;
    }
    return {};
}

Result<TensorStatistics> statisticsOf(const TensorTable& table, const TensorEntry& entry) {
    TensorStatistics s = emptyStatistics(entry.name);
    double sum = 0, squares = 0;
    auto done = eachPiece(table, entry, [&](const std::vector<double>& values) {
        for (const double v : values) {
            ++s.count;
            if (!std::isfinite(v)) {
                ++s.nonFinite;
                continue;
            }
            s.min = std::min(s.min, v), s.max = std::max(s.max, v);
            sum += v, squares += v * v;
        }
    });
    if (!done) return failure(done.error());
    const std::int64_t finite = s.count - s.nonFinite;
    s.norm = std::sqrt(squares);
    if (finite == 0) {
        s.min = s.max = 0;
        return s;
    }
    s.mean = sum / static_cast<double>(finite);
    s.bins.assign(kBins, 0);
    const double width = s.max - s.min;
    done = eachPiece(table, entry, [&](const std::vector<double>& values) {
        for (const double v : values) {
            if (!std::isfinite(v)) continue;
            const double place = width > 0 ? (v - s.min) / width * static_cast<double>(kBins) : 0;
            ++s.bins[std::min(static_cast<std::size_t>(place), kBins - 1)];
        }
    });
    if (!done) return failure(done.error());
    return s;
}

}  // namespace

Result<std::string> firstNotFinite(const TensorTable& table) {
    for (const TensorEntry& entry : table.tensors()) {
        bool finite = true;
        const auto done = eachPiece(table, entry, [&](const std::vector<double>& values) {
            finite = finite && std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
        });
        if (!done) return failure(done.error());
        if (!finite) return entry.fileName();
    }
    return std::string();
}

Result<TensorsReport> reportTensors(const TensorsRequest& request) {
    auto table = TensorTable::open(request.model);
    if (!table) table = TensorTable::openPlain(request.model.path);
    if (!table) return failure(table.error());
    TensorsReport report;
    if (!request.tensor.empty()) {
        const TensorEntry* entry = table->find(request.tensor);
        if (!entry)
            return failure({ErrorKind::Refused,
                            "TC-05",
                            place({table->path(), request.tensor}),
                            "the file has no such tensor",
                            {},
                            {},
                            {}});
        auto statistics = statisticsOf(*table, *entry);
        if (!statistics) return failure(statistics.error());
        report.statistics = std::move(*statistics);
        return report;
    }
    const auto card = describeFile(request.model);
    if (!card) return failure(card.error());
    const std::vector<std::string> uses = tensorUses(*table, *card);
    for (std::size_t i = 0; i < table->tensors().size(); ++i) {
        const TensorEntry& entry = table->tensors()[i];
        const auto bytes = static_cast<std::uint64_t>(entry.elements()) * dtypeSize(entry.dtype);
        report.rows.push_back({entry.name, std::string(dtypeName(entry.dtype)), entry.shape, bytes, uses[i]});
    }
    return report;
}

}  // namespace ropescope
