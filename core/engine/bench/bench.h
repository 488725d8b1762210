// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace ropescope {

/// What the measurements may use.
struct BenchOptions {
    std::string model;           ///< the shipped model, for the rows that need one; may not exist
    std::string device = "cpu";  ///< as Compute::device
    int repeat = 7;              ///< interleaved repetitions; each value is their median
    int threads = 0;             ///< 0: all cores
};

/// One figure. `value` stays empty where it could not be measured; `note` then says why.
struct BenchRow {
    std::string name;
    std::string unit;
    std::string what;
    std::optional<double> bound;
    std::optional<double> value;
    std::string note;
};

/// A group measures rows together, so that what is compared runs interleaved.
struct BenchGroup {
    const char* name;  ///< --only takes it
    std::vector<BenchRow> (*measure)(const BenchOptions& options);
};

// The groups; a new one is a function and a line of the table in bench.cpp.
[[nodiscard]] std::vector<BenchRow> benchShipped(const BenchOptions& options);
[[nodiscard]] std::vector<BenchRow> benchVariations(const BenchOptions& options);
[[nodiscard]] std::vector<BenchRow> benchDitB2(const BenchOptions& options);
[[nodiscard]] std::vector<BenchRow> benchViTB16(const BenchOptions& options);
[[nodiscard]] std::vector<BenchRow> benchProbes(const BenchOptions& options);
[[nodiscard]] std::vector<BenchRow> benchInfo(const BenchOptions& options);
[[nodiscard]] std::vector<BenchRow> benchWindow(const BenchOptions& options);

/// The middle of the values (mean of the two middle ones); they must not be empty.
[[nodiscard]] double median(std::vector<double> values);

/// The subcommand `bench [--model FILE] [--device D] [--only GROUP]... [--repeat N] [--threads N]`: JSON on stdout.
/// Returns the exit code.
[[nodiscard]] int runBench(const std::vector<std::string>& arguments);

}  // namespace ropescope
