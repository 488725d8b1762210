// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/checkpoint/table_contents.h"
#include "core/data/error.h"
#include "core/data/lora_match.h"

// What the tensors of a LoRA file are and which weights of a FLUX or SD3 they change, by names alone
// (core/checkpoint/README.md, "Kinds of LoRA").

namespace ropescope {

/// Parts of one change. Pairs: LoRA (arXiv 2106.09685). w1, w2 with _a, _b: LoHa (2108.06098) and LoKr (LyCORIS,
/// 2309.14859). Magnitude: DoRA (2402.09353).
enum class LoraPart {
    Down,
    Up,
    Alpha,
    UpBias,
    Magnitude,
    Hada1A,
    Hada1B,
    Hada2A,
    Hada2B,
    Kron1,
    Kron1A,
    Kron1B,
    Kron2,
    Kron2A,
    Kron2B,
    Diff,
    DiffBias
};

/// What a file holds for one of its modules: the names of its tensors.
using LoraParts = std::map<LoraPart, std::string>;

struct LoraModules {
    std::map<std::string, LoraParts> all;  ///< by the module's name in the file
    int maps = 0;                          ///< tensors of HARoPE maps, which enter as an adapter
    int ofText = 0;                        ///< modules for text encoders
};

/// The modules that a FLUX or SD3 has, under all their names.
class LoraTargets {
public:
    explicit LoraTargets(const TensorTable::Contents& model);
    /// Any prefix, wrappers, kohya's underscores, X-Labs' processors.
    [[nodiscard]] std::optional<FlowTarget> find(const std::string& module) const;

private:
    std::unordered_map<std::string, FlowTarget> m_named, m_flat;
};

/// Errors: Refused LO-04 for tensors that are not understood and for kinds without a formula here (GLoRA, OFT, norms,
/// IA3, Tucker cores, whole weights), LO-05 for a file with several adapters or a part twice.
[[nodiscard]] Result<LoraModules> modulesOf(const TensorTable& file, const LoraTargets& targets);

/// The modules that change the model, by their names in the file, and what is said of the others. Errors: LO-01 when
/// there is none, LO-05 when two reach one weight.
[[nodiscard]] Result<LoraMatch> matchModules(const TensorTable& model, const LoraTargets& targets,
                                             const std::string& path, const LoraModules& modules,
                                             std::map<std::string, FlowTarget>& found);

/// An error about a LoRA's file.
[[nodiscard]] tl::unexpected<Error> loraRefusal(std::string code, const std::string& path, const std::string& tensor,
                                                std::string reason, std::string found, std::string expected);

}  // namespace ropescope
