// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/data/array.h"

namespace ropescope::corpus {

/// Random wrappers around the names of a state dict: a common prefix of containers, and wrapping modules at any place.
class Tower {
public:
    explicit Tower(std::mt19937& random) {
        static constexpr const char* kContainers[] = {"model.",
                                                      "net.",
                                                      "ema_model.",
                                                      "backbone.",
                                                      "transformer.",
                                                      "base_model.model.",
                                                      "state_dict.",
                                                      "module.",
                                                      "model_state_dict.",
                                                      "model.diffusion_model.",
                                                      "teacher.",
                                                      "student.",
                                                      "state_dict_ema.",
                                                      "denoiser.",
                                                      "_orig_mod.",
                                                      "_fsdp_wrapped_module."};
        for (std::size_t n = random() % 4; n-- > 0;) m_prefix += kContainers[random() % std::size(kContainers)];
        static constexpr const char* kWrappers[] = {"module", "_orig_mod", "_fsdp_wrapped_module",
                                                    "_checkpoint_wrapped_module"};
        for (std::size_t n = random() % 3; n-- > 0;)
            m_wrappers.emplace_back(kWrappers[random() % std::size(kWrappers)]);
        m_seed = random();
    }

    [[nodiscard]] const std::string& prefix() const { return m_prefix; }

    /// "state_dict.blocks.0._orig_mod.attn.qkv.weight" of "blocks.0.attn.qkv.weight"; the same for every tensor of a
    /// module.
    [[nodiscard]] std::string wrapped(const std::string& name) const {
        std::string out = m_prefix;
        std::size_t begin = 0, segment = 0;
        for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', begin), ++segment) {
            out += name.substr(begin, dot + 1 - begin);
            if (!m_wrappers.empty() && (m_seed >> (segment % 16)) % 3 == 0)
                out += m_wrappers[segment % m_wrappers.size()] + ".";
            begin = dot + 1;
        }
        return out + name.substr(begin);
    }

private:
    std::string m_prefix;
    std::vector<std::string> m_wrappers;
    std::uint32_t m_seed = 0;
};

}  // namespace ropescope::corpus
