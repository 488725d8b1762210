// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/data/error.h"
#include "core/data/sweep.h"

namespace ropescope {

/// What a sweep fills: so many numbers for every head and picture.
struct SweepForm {
    std::vector<HeadChange> heads;     ///< the changes, each with its head
    std::vector<std::string> numbers;  ///< the first one is there for every picture that is done
    int groups = 1;                    ///< classes or prompts; labelled pictures: 1
    int samples = 1;                   ///< of each group: seeds, or pictures
    std::vector<std::pair<std::string, std::string>> columns;  ///< of the CSV, the same in every row
    std::map<std::string, std::string> settings;  ///< what must be the same to go on with what an earlier sweep left
    [[nodiscard]] int pictures() const { return groups * samples; }
};

/// Mean and standard error of values [groups, samples]: the error is the deviation of the samples' means over groups
/// (n - 1) / sqrt(samples), not a number for one sample. A value that is not finite makes both so.
struct MeanAndError {
    double mean = 0, error = 0;
};
[[nodiscard]] MeanAndError meanAndError(std::span<const double> values, int groups, int samples);

/// The numbers of a sweep and the files that keep them: NAME.safetensors as they come, NAME.csv at the end.
class SweepTable {
public:
    /// `csv` empty: no files. Takes up what NAME.safetensors holds unless `restart`. Errors: Refused "sweep-settings"
    /// when it holds something else or a sweep with other settings, or when NAME.csv is there without it.
    [[nodiscard]] static Result<SweepTable> open(const std::string& csv, bool restart, SweepForm form);

    [[nodiscard]] const SweepForm& form() const { return m_form; }
    /// Heads that are not done for all of the pictures `first` to `first + n - 1`.
    [[nodiscard]] std::vector<int> missing(int first, int n) const;
    /// Number of heads that are done for all.
    [[nodiscard]] int completeHeads() const;
    /// In the order of the numbers.
    void put(int head, int picture, const std::vector<double>& values);

    /// Writes what is there, unless that was done a moment ago and `now` is not set. Errors: those of writing.
    [[nodiscard]] Result<void> keep(bool now);
    /// The same, and the CSV.
    [[nodiscard]] Result<void> finish();
    [[nodiscard]] std::vector<SweepRow> rows() const;

private:
    explicit SweepTable(SweepForm form);
    [[nodiscard]] Result<void> takeUp();
    [[nodiscard]] std::vector<double>& of(int number, int head) {
        return m_values[number * m_form.heads.size() + head];
    }
    [[nodiscard]] const std::vector<double>& of(int number, int head) const {
        return m_values[number * m_form.heads.size() + head];
    }
    [[nodiscard]] std::string csvText() const;

    SweepForm m_form;
    std::string m_csv, m_tensors;               ///< paths; empty: none
    std::vector<std::vector<double>> m_values;  ///< [numbers, heads] of [pictures]
    std::chrono::steady_clock::time_point m_written{};
    std::chrono::duration<double> m_pause{1};  ///< between two writes
};

}  // namespace ropescope
