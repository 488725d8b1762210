// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/data/error.h"
#include "core/data/extrapolation.h"
#include "core/data/generation.h"
#include "core/data/model.h"

namespace ropescope {

// Options that several subcommands share. What cannot be parsed is a usage error of CLI11 (exit code 2).

/// FILE and what a file may not say itself.
/// "6GB", "6.5GB", "800MB", "6GiB", or bytes.
void addMemoryOption(CLI::App& command, std::uint64_t& bytes);
void addModelOptions(CLI::App& command, ModelRef& model);
/// --variation FILE: changes of heads, beside the adapter and LoRAs of the file (core/data/variation.h). After
/// addModelOptions(), whose --adapter and --lora it adds to.
void addVariationOption(CLI::App& command, ModelRef& model, const std::string& name = "--variation");
/// --device, --precision, --threads.
void addComputeOptions(CLI::App& command, Compute& compute);
/// One of a few words.
template <class E>
void addChoice(CLI::App& command, const std::string& name, E& value, std::vector<std::pair<std::string, E>> choices,
               const std::string& help) {
    std::string words;
    for (const auto& [word, ignored] : choices) words += (words.empty() ? "" : "|") + word;
    const auto choose = [&value, name, words, choices = std::move(choices)](const CLI::results_t& given) {
        for (const auto& [word, meaning] : choices) {
            if (given.front() != word) continue;
            value = meaning;
            return true;
        }
        throw CLI::ValidationError(name, "found " + printable(given.front(), 40) + ", expected " + words);
    };
    command.add_option(name, CLI::callback_t(choose), help)->type_name(words);
}

/// --extrapolation, --trained-grid, --per-axis and, where no sampler tells it, --extrapolation-time.
void addExtrapolationOptions(CLI::App& command, Extrapolate& extrapolate, bool time);
/// --sampler
void addSamplerOption(CLI::App& command, Sampler& sampler);
/// "HxW".
void addSizeOption(CLI::App& command, const std::string& name, Grid& size, const std::string& help);

/// The file opens, is a model and has all that computing needs: told in milliseconds, before LibTorch is loaded. What
/// was found and what was assumed goes to stderr. `inputs`: a file of tensors that is about to go in, or none.
[[nodiscard]] Result<void> checkModel(const ModelRef& model, const std::string& inputs = {});

/// The error's one line on stderr; returns its exit code.
int report(const Error& error);

}  // namespace ropescope
