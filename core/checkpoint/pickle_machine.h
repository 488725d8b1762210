// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/checkpoint/pickle_value.h"
#include "core/data/error.h"

namespace ropescope {

inline constexpr std::size_t kMaxPickleBytes = 64u << 20;
inline constexpr std::size_t kMaxPickleOpcodes = 10'000'000;

/// Reads a pickle (protocols 0 to 5) as data. Nothing is imported or called: the few callables that build tensors,
/// ordered dictionaries and argparse.Namespace become nodes of their own kind, every other call becomes an Inert
/// node and is listed in inertNames. Time and memory are linear in the bytes, whatever the memo does; no recursion.
/// `bytes` must outlive the tree. `where` is the place for errors ("file > member").
/// Errors: PK-06 stack, PK-07 wrong target, PK-09 to PK-13, PK-19 limits; each names the byte.
[[nodiscard]] Result<PickleTree> readPickle(std::string_view bytes, const std::string& where);

}  // namespace ropescope
