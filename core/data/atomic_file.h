// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>

#include "core/data/error.h"

namespace ropescope {

/// Writes the parts one after the other into a temporary file beside `path`, fsyncs it, renames it over `path` and
/// fsyncs the folder. After any failure or kill the old file is untouched; a failed write removes its temporary file,
/// and leftovers of killed writers of the same path are removed by the next one.
/// Errors: EX-01 (cannot create, write, sync or rename; tells bytes needed and free), EX-02 (target is not a plain
/// file). Checked by tests/core/data/atomic_file_test.cpp.
[[nodiscard]] Result<void> writeFileAtomically(const std::string& path,
                                               std::initializer_list<std::span<const std::byte>> parts);

}  // namespace ropescope
