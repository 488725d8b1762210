// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

#include "core/data/error.h"
#include "core/data/model.h"

namespace ropescope {

// Options that several subcommands share. What cannot be parsed is a usage error of CLI11 (exit code 2).

/// FILE and what a file may not say itself.
void addModelOptions(CLI::App& command, ModelRef& model);
/// --device, --precision, --threads.
void addComputeOptions(CLI::App& command, Compute& compute);
/// "HxW".
void addSizeOption(CLI::App& command, const std::string& name, Grid& size, const std::string& help);

/// The file opens, is a model and has all that computing needs: told in milliseconds, before LibTorch is loaded.
[[nodiscard]] Result<void> checkModel(const ModelRef& model);

/// The error's one line on stderr; returns its exit code.
int report(const Error& error);

}  // namespace ropescope
