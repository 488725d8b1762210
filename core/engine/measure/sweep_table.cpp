// SPDX-License-Identifier: Apache-2.0
#include "core/engine/measure/sweep_table.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>

#include "core/data/atomic_file.h"
#include "core/data/command_line.h"
#include "core/data/safetensors.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kVersionKey = "ropescope.sweep";
constexpr const char* kVersion = "1";
constexpr std::size_t kReadable = 120;  ///< characters
constexpr double kPauses = 20;          ///< writing takes at most one part in so many of the time

Error notToGoOn(const std::string& path, std::string reason, std::string found, std::string expected) {
    return {ErrorKind::Refused,
            "sweep-settings",
            place({path}),
            std::move(reason),
            std::move(found),
            std::move(expected),
            "Give another --out, or --restart to begin anew over it"};
}

std::string headsOf(const std::vector<HeadChange>& heads) {
    std::string text;
    for (const HeadChange& head : heads) text += (text.empty() ? "" : " ") + headsText(head);
    return text;
}

std::string listOf(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
}

struct Difference {
    std::string key, found, expected;
};

/// Where settings differ from those that are wanted: what can be read before whole requests and stamps of files.
std::optional<Difference> firstDifference(const std::map<std::string, std::string>& wanted,
                                          const std::map<std::string, std::string>& stored) {
    for (const bool readable : {true, false})
        for (const auto& [key, value] : wanted) {
            const auto found = stored.find(key);
            const std::string other = found == stored.end() ? "nothing" : found->second;
            if (other == value || (other.size() + value.size() <= kReadable) != readable) continue;
            return readable ? Difference{key, other, value} : Difference{key, "", ""};
        }
    return std::nullopt;
}

/// A field of a CSV line.
std::string field(const std::string& text) {
    if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
}

std::string number(double value) {
    return std::isfinite(value) ? numberWord(value) : std::string();
}

}  // namespace

MeanAndError meanAndError(std::span<const double> values, int groups, int samples) {
    std::vector<double> means(samples, 0);
    for (int g = 0; g < groups; ++g)
        for (int s = 0; s < samples; ++s) means[s] += values[g * samples + s] / groups;
    double mean = 0, squares = 0;
    for (const double one : means) mean += one / samples;
    for (const double one : means) squares += (one - mean) * (one - mean);
    const double error = samples > 1 ? std::sqrt(squares / (samples - 1) / samples) : kNone;
    return std::isfinite(mean) ? MeanAndError{mean, error} : MeanAndError{kNone, kNone};
}

SweepTable::SweepTable(SweepForm form) : m_form(std::move(form)) {
    m_values.assign(m_form.numbers.size() * m_form.heads.size(), std::vector<double>(m_form.pictures(), kNone));
    m_form.settings["heads"] = headsOf(m_form.heads);
    m_form.settings["numbers"] = listOf(m_form.numbers);
    m_form.settings[kVersionKey] = kVersion;
}

Result<SweepTable> SweepTable::open(const std::string& csv, bool restart, SweepForm form) {
    SweepTable table(std::move(form));
    if (csv.empty()) return table;
    table.m_csv = csv;
    table.m_tensors = fs::path(csv).replace_extension(".safetensors").string();
    if (table.m_tensors == csv)
        return failure({ErrorKind::Usage, "bad-option", place({csv}), "the numbers are kept under that name", csv,
                        "a name like TABLE.csv", "Choose another name"});
    if (restart) return table;
    if (std::error_code unknown; fs::exists(table.m_tensors, unknown)) {
        if (auto taken = table.takeUp(); !taken) return failure(taken.error());
    } else if (fs::exists(csv, unknown)) {
        return failure(notToGoOn(csv, "the file is there, without the numbers of a sweep beside it", "", ""));
    }
    return table;
}

Result<void> SweepTable::takeUp() {
    const auto content = readSafetensorsFile(m_tensors);
    if (!content) return failure(notToGoOn(m_tensors, "no sweep to go on with", content.error().reason, ""));
    if (!content->metadata.contains(kVersionKey))
        return failure(notToGoOn(m_tensors, "the file is there and holds no sweep", "", ""));
    if (const auto differs = firstDifference(m_form.settings, content->metadata))
        return failure(notToGoOn(m_tensors, "the file holds a sweep with other settings: " + differs->key,
                                 differs->found, differs->expected));
    const std::size_t heads = m_form.heads.size(), pictures = m_form.pictures();
    for (std::size_t n = 0; n < m_form.numbers.size(); ++n) {
        const auto array = content->arrays.find(m_form.numbers[n]);
        if (array == content->arrays.end() || array->second.dtype != DType::F64 ||
            array->second.bytes.size() != heads * pictures * sizeof(double))
            return failure(notToGoOn(m_tensors, "the numbers are of another size", m_form.numbers[n], ""));
        const auto values = array->second.as<double>();
        for (std::size_t h = 0; h < heads; ++h)
            std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(h * pictures), pictures,
                        of(static_cast<int>(n), static_cast<int>(h)).begin());
    }
    return {};
}

std::vector<int> SweepTable::missing(int first, int n) const {
    std::vector<int> heads;
    for (int head = 0; head < std::ssize(m_form.heads); ++head) {
        const auto from = of(0, head).begin() + first;
        if (std::any_of(from, from + n, [](double value) { return std::isnan(value); })) heads.push_back(head);
    }
    return heads;
}

int SweepTable::completeHeads() const {
    return static_cast<int>(m_form.heads.size() - missing(0, m_form.pictures()).size());
}

void SweepTable::put(int head, int picture, const std::vector<double>& values) {
    for (std::size_t n = 0; n < values.size(); ++n) of(static_cast<int>(n), head)[picture] = values[n];
}

Result<void> SweepTable::keep(bool now) {
    if (m_tensors.empty() || (!now && Clock::now() - m_written < m_pause)) return {};
    const Clock::time_point start = Clock::now();
    const auto heads = static_cast<std::int64_t>(m_form.heads.size());
    std::map<std::string, Array> arrays;
    for (std::size_t n = 0; n < m_form.numbers.size(); ++n) {
        std::vector<double> all;
        for (int h = 0; h < heads; ++h) {
            const std::vector<double>& own = of(static_cast<int>(n), h);
            all.insert(all.end(), own.begin(), own.end());
        }
        arrays[m_form.numbers[n]] = makeArray(std::span<const double>(all), {heads, m_form.groups, m_form.samples});
    }
    if (auto written = writeSafetensors(m_tensors, arrays, m_form.settings); !written) return written;
    m_written = Clock::now();
    m_pause = std::max<std::chrono::duration<double>>(std::chrono::seconds(1), kPauses * (m_written - start));
    return {};
}

std::vector<SweepRow> SweepTable::rows() const {
    std::vector<SweepRow> rows;
    for (std::size_t h = 0; h < m_form.heads.size(); ++h) {
        SweepRow row{m_form.heads[h], {}, {}};
        for (std::size_t n = 0; n < m_form.numbers.size(); ++n) {
            const MeanAndError both =
                meanAndError(of(static_cast<int>(n), static_cast<int>(h)), m_form.groups, m_form.samples);
            row.mean.push_back(both.mean), row.error.push_back(both.error);
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

std::string SweepTable::csvText() const {
    std::string text = "head,layer,index,change";
    for (const std::string& name : m_form.numbers) text += "," + name + "," + name + "_error";
    for (const auto& [name, value] : m_form.columns) text += "," + name;
    text += "\n";
    for (const SweepRow& row : rows()) {
        const HeadChange& c = row.change;
        text += headsText(c) + "," + (c.layer < 0 ? "" : std::to_string(c.layer)) + "," +
                (c.head < 0 ? "" : std::to_string(c.head)) + "," + field(changeText(c));
        for (std::size_t n = 0; n < row.mean.size(); ++n)
            text += "," + number(row.mean[n]) + "," + number(row.error[n]);
        for (const auto& [name, value] : m_form.columns) text += "," + field(value);
        text += "\n";
    }
    return text;
}

Result<void> SweepTable::finish() {
    if (m_csv.empty()) return {};
    if (auto kept = keep(true); !kept) return kept;
    const std::string text = csvText();
    return writeFileAtomically(m_csv, {std::as_bytes(std::span(text))});
}

}  // namespace ropescope
