// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/checkpoint/pickle_value.h"
#include "core/data/error.h"

namespace ropescope {

inline constexpr std::size_t kMaxArguments = 16;

enum class CallForm { Reduce, NewObject };

/// The allow-list: what a call in a pickle stands for. Reads names, calls nothing. tensor builders -> Tensor,
/// OrderedDict -> Dict, torch.Size -> Tuple, argparse.Namespace -> Record, parameters -> their tensor; every other
/// callable -> Inert, its name added to inertNames. Errors: PK-14 a tensor builder with wrong arguments (only code,
/// reason, found and expected are set).
[[nodiscard]] Result<PickleId> inertCall(PickleTree& tree, PickleId callable, std::vector<PickleId> arguments,
                                         CallForm form);

/// BUILD: state goes into a Record, is dropped by Dict and Inert. Returns what is wrong, or null.
[[nodiscard]] const char* buildState(PickleTree& tree, PickleId object, PickleId state);

/// A persistent id as Storage: ("storage", class, key, device, count) with a plain key and a sane count.
[[nodiscard]] Result<PickleId> storageOf(PickleTree& tree, PickleId id);

}  // namespace ropescope
