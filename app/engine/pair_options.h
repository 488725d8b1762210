// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "app/engine/run_options.h"
#include "core/data/pair.h"

namespace ropescope {

/// What a run leaves behind; all but the picture may be empty.
struct RunFiles {
    std::string picture, latents, fields;
};

/// The options of `generate` that make a pair of a run: --against and what goes with it.
class PairOptions {
public:
    void addTo(CLI::App& command);
    [[nodiscard]] bool given() const { return !m_against.empty(); }
    [[nodiscard]] const std::string& table() const { return m_table; }
    /// B: read with the options of A, but in its own variation.
    [[nodiscard]] ModelRef other(const ModelRef& a) const;
    /// `run` is A's; `fields`: they are asked for. Errors: those of reading A; Usage for heads that are none.
    [[nodiscard]] Result<PairRequest> request(const GenerateRequest& run, bool fields) const;

private:
    std::string m_against, m_table, m_record;
    ModelRef m_variation;  ///< B's, and how its maps enter where its file does not say
    double m_partAt = PairRequest{}.partAt;
    CLI::Option *m_adapter = nullptr, *m_loras = nullptr;
};

/// Draws A and B in step: the pictures side by side, the files asked for, and the step of parting on stderr.
[[nodiscard]] Result<void> generatePair(const RunOptions& options, const PairOptions& pair, const RunFiles& files);

}  // namespace ropescope
