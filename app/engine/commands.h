// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

namespace ropescope {

// One function per subcommand: adds it to the command line; when it is the one chosen, its work runs while parsing
// ends and leaves the exit code (0 done, 1 refused, 2 usage, 3 device or memory, 130 cancelled) in `code`.
// Results go to stdout, messages to stderr. Checked by tests/app/engine/commands_test.cpp.

void addInfoCommand(CLI::App& app, int& code);
void addCheckCommand(CLI::App& app, int& code);
void addInspectCommand(CLI::App& app, int& code);
void addForwardCommand(CLI::App& app, int& code);
void addAttentionCommand(CLI::App& app, int& code);
void addClassifyCommand(CLI::App& app, int& code);
void addGenerateCommand(CLI::App& app, int& code);
void addFoldCommand(CLI::App& app, int& code);
void addConvertCommand(CLI::App& app, int& code);
void addCalibrateCommand(CLI::App& app, int& code);
void addCompareCommand(CLI::App& app, int& code);
void addSweepCommand(CLI::App& app, int& code);
void addServeCommand(CLI::App& app);

}  // namespace ropescope
