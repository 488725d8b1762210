// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/error.h"
#include "core/engine/core_api.h"

namespace ropescope {

/// libropescope_core.so, opened on the first call (LibTorch comes with it: ~0.4 s and ~120 MB) and kept. Thread-safe.
/// Looked for in ../lib beside the program, then where the loader looks. Errors: Device "no-core".
[[nodiscard]] Result<CoreApi*> coreLibrary();

}  // namespace ropescope
