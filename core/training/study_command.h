// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace ropescope {

/// The subcommand `study`: trains and measures the table's configurations, one folder per run below --out, and writes
/// results.json, table.md and figure.svg there after every run. Progress on stderr, the table on stdout. Returns the
/// exit code. Stopped at any moment and started again it goes on; a run is a function of its settings, bit for bit on
/// one machine with one number of threads (tests/core/training/study_test.cpp).
[[nodiscard]] int runStudyCommand(const std::vector<std::string>& arguments);

}  // namespace ropescope
