// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/stored_rotary.h"

#include <cmath>
#include <vector>

namespace ropescope {
namespace {

constexpr std::int64_t kMostNumbers = 1 << 24;
constexpr double kClose = 2e-2;  ///< tables may be kept in bfloat16

struct Table {
    std::int64_t tokens = 0, planes = 0;
    std::vector<double> cos, sin;  ///< [tokens, planes]
    [[nodiscard]] double angle(std::int64_t n, std::int64_t p) const {
        const auto i = static_cast<std::size_t>(n * planes + p);
        return std::atan2(sin[i], cos[i]);
    }
    [[nodiscard]] bool turns(std::int64_t n, std::int64_t p, double angle) const {
        const auto i = static_cast<std::size_t>(n * planes + p);
        return std::abs(cos[i] - std::cos(angle)) < kClose && std::abs(sin[i] - std::sin(angle)) < kClose;
    }
};

/// One column for every plane; nothing where the features of a plane differ.
std::optional<Table> planesOf(const std::vector<double>& cos, const std::vector<double>& sin, std::int64_t tokens,
                              std::int64_t features, RotaryLayout layout) {
    Table t{tokens, features / 2, {}, {}};
    for (std::int64_t n = 0; n < tokens; ++n)
        for (std::int64_t p = 0; p < t.planes; ++p) {
            const bool neighbours = layout == RotaryLayout::Interleaved;
            const auto a = static_cast<std::size_t>(n * features + (neighbours ? 2 * p : p));
            const auto b = static_cast<std::size_t>(n * features + (neighbours ? 2 * p + 1 : p + t.planes));
            if (cos[a] != cos[b] || sin[a] != sin[b]) return std::nullopt;
            t.cos.push_back(cos[a]), t.sin.push_back(sin[a]);
        }
    return t;
}

/// Axial RoPE of whole positions: the rows' planes stand still along the first row.
std::optional<StoredRotary> fitted(const Table& t, RotaryLayout layout) {
    const std::int64_t half = t.planes / 2;
    if (t.planes % 2 != 0 || half < 1 || t.tokens < 2) return std::nullopt;
    StoredRotary found;
    found.layout = layout;
    // The first plane of the columns turns by 1 from token 0 to 1, unless there is one column only.
    const bool rowFirst = std::abs(t.angle(1, 0)) < kClose || std::abs(t.angle(1, half) - 1) < kClose;
    found.order = rowFirst ? AxisOrder::RowFirst : AxisOrder::ColumnFirst;
    const std::int64_t row = rowFirst ? 0 : half, column = rowFirst ? half : 0;
    std::int64_t cols = 1;
    while (cols < t.tokens && t.turns(cols, row, 0)) ++cols;
    if (t.tokens % cols != 0) return std::nullopt;
    found.grid = {static_cast<int>(t.tokens / cols), static_cast<int>(cols)};
    const std::int64_t one = cols > 1 ? 1 : cols;  // the token at distance 1 along an axis that has two
    const std::int64_t along = cols > 1 ? column : row;
    found.theta = 10000;
    if (half > 1) {
        const double second = t.angle(one, along + 1);  // theta^(-1/half)
        if (!(second > 0)) return std::nullopt;
        const double theta = std::pow(second, -static_cast<double>(half));
        const double round = std::round(theta);
        found.theta = std::abs(theta - round) < 2e-2 * round ? round : theta;
        // A table in few bits does not give theta's digits; the usual values are tried first.
        for (const double usual : {100.0, 10000.0})
            if (std::abs(theta - usual) < 0.05 * usual) found.theta = usual;
    }
    for (std::int64_t n = 0; n < t.tokens; ++n)
        for (std::int64_t i = 0; i < half; ++i) {
            const double w = std::pow(found.theta, -static_cast<double>(i) / static_cast<double>(half));
            if (!t.turns(n, row + i, static_cast<double>(n / cols) * w)) return std::nullopt;
            if (!t.turns(n, column + i, static_cast<double>(n % cols) * w)) return std::nullopt;
        }
    return found;
}

}  // namespace

bool isStoredRotary(std::string_view name) {
    return name.ends_with("freqs_cos") || name.ends_with("freqs_sin");
}

Result<std::optional<StoredRotary>> findStoredRotary(const TensorTable& table) {
    constexpr std::string_view kCos = "freqs_cos";
    std::optional<StoredRotary> found;
    std::optional<std::pair<Array, Array>> first;
    for (const TensorEntry& entry : table.tensors()) {
        if (!isStoredRotary(entry.name)) continue;
        const auto refused = [&](const std::string& reason, const std::string& is) {
            return failure({ErrorKind::Refused, "TC-13", place({table.path(), entry.name}), reason, is,
                            "axial RoPE of positions 0, 1, 2 ... in both axes",
                            "Its header and maps can still be inspected"});
        };
        std::string other = entry.name;
        const bool cosines = entry.name.ends_with(kCos);
        other.replace(other.size() - kCos.size(), kCos.size(), cosines ? "freqs_sin" : "freqs_cos");
        if (!table.find(other)) return refused("a rotary table without its other half", "no " + printable(other, 80));
        if (!cosines) continue;
        if (entry.shape.size() != 2 || entry.shape[1] % 2 != 0 || entry.shape != table.find(other)->shape ||
            entry.elements() > kMostNumbers || entry.elements() == 0)
            return refused("a rotary table of an unknown form, itself or " + printable(other, 80),
                           std::to_string(entry.shape.size()) + " axes");
        auto cos = table.read(entry.name), sin = table.read(other);
        if (!cos) return failure(cos.error());
        if (!sin) return failure(sin.error());
        if (first) {
            if (!(first->first == *cos) || !(first->second == *sin))
                return refused("the rotary tables of two blocks differ", "");
            continue;
        }
        const auto c = table.readDouble(entry.name), s = table.readDouble(other);
        if (!c) return failure(c.error());
        if (!s) return failure(s.error());
        for (const RotaryLayout layout : {RotaryLayout::Interleaved, RotaryLayout::HalfSplit}) {
            const auto planes = planesOf(*c, *s, entry.shape[0], entry.shape[1], layout);
            if (planes && !found) found = fitted(*planes, layout);
        }
        if (!found) return refused("a stored rotary table that is no axial RoPE", "");
        found->name = entry.name;
        first = {std::move(*cos), std::move(*sin)};
    }
    return found;
}

Result<std::optional<Grid>> gridOfSineTable(const TensorTable& table, const std::string& name) {
    const TensorEntry* entry = table.find(name);
    if (!entry || entry->shape.size() != 3 || entry->shape[2] % 4 != 0 || entry->elements() > kMostNumbers ||
        entry->shape[1] < 2)
        return std::optional<Grid>();
    const auto values = table.readDouble(name);
    if (!values) return failure(values.error());
    const std::int64_t tokens = entry->shape[1], width = entry->shape[2], quarter = width / 4;
    const auto at = [&](std::int64_t n, std::int64_t i) { return (*values)[static_cast<std::size_t>(n * width + i)]; };
    // The column's sines come first, the row's behind: the first of them is sin(position).
    std::int64_t cols = 1;
    while (cols < tokens && std::abs(at(cols, 2 * quarter)) < kClose) ++cols;
    if (tokens % cols != 0) return std::optional<Grid>();
    for (std::int64_t n = 0; n < tokens; ++n)
        for (std::int64_t i = 0; i < quarter; ++i) {
            const double w = std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(quarter));
            const double c = static_cast<double>(n % cols) * w, r = static_cast<double>(n / cols) * w;
            if (std::abs(at(n, i) - std::sin(c)) > kClose || std::abs(at(n, quarter + i) - std::cos(c)) > kClose ||
                std::abs(at(n, 2 * quarter + i) - std::sin(r)) > kClose ||
                std::abs(at(n, 3 * quarter + i) - std::cos(r)) > kClose)
                return std::optional<Grid>();
        }
    return std::optional(Grid{static_cast<int>(tokens / cols), static_cast<int>(cols)});
}

}  // namespace ropescope
