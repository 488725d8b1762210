// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/data/error.h"
#include "core/data/generation.h"

namespace ropescope {

/// The options that decide a picture, as `generate` and `attention` share them.
class RunOptions {
public:
    /// Adds them with the model's and the device's.
    void addTo(CLI::App& command);
    /// Those of them that say how a picture is sampled: all but the model's and the device's.
    [[nodiscard]] const std::vector<CLI::Option*>& ofSampling() const { return m_sampling; }

    /// What was asked for, with the usual values of the kind of model: prompts take 28 steps and guidance 3.5. Errors:
    /// those of reading the model; Usage when it takes no text, or takes text and got none.
    [[nodiscard]] Result<GenerateRequest> request() const;

    GenerateRequest values;  ///< as parsed

private:
    std::optional<std::string> m_prompt;  ///< an empty one is a prompt too
    CLI::Option *m_steps = nullptr, *m_guidance = nullptr;
    std::vector<CLI::Option*> m_sampling;
};

}  // namespace ropescope
