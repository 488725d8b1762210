// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "core/checkpoint/tensor_table.h"
#include "core/data/error.h"

namespace ropescope {

/// The scales of a LoRA that stand outside its tensors: in the header's metadata (diffusers' lora_adapter_metadata, or
/// single keys lora_alpha, r, use_rslora, alpha_pattern with or without "transformer."), or in PEFT's
/// adapter_config.json beside an adapter_model file.
class LoraScales {
public:
    /// Errors: Refused LO-03 for a value that is no number or a pattern that is no regular expression.
    [[nodiscard]] static Result<LoraScales> read(const TensorTable& file);

    /// alpha / r, or alpha / sqrt(r) where the file says use_rslora. `module` as in the file. Patterns are PEFT's:
    /// regular expressions of which the first that fits "(.*\\.)?(KEY)$" counts.
    [[nodiscard]] double of(const std::string& module, std::int64_t rank) const;
    /// The divisor of an alpha for this rank.
    [[nodiscard]] double divisor(std::int64_t rank) const;
    /// Where the scale comes from, in words; empty where nothing is said.
    [[nodiscard]] const std::string& source() const { return m_source; }

private:
    struct Pattern {
        std::string key;
        double value = 0;
    };
    double m_alpha = 0;  ///< 0: not said
    bool m_root = false;
    std::vector<Pattern> m_patterns;
    std::string m_source;
};

}  // namespace ropescope
