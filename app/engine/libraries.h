// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/error.h"
#include "core/engine/core_api.h"
#include "core/media/media_api.h"

namespace ropescope {

// The two heavy libraries, opened on the first call and kept. Thread-safe. Looked for in ../lib beside the program,
// then where the loader looks. Errors: Device "no-library".

[[nodiscard]] Result<CoreApi*> coreLibrary();    ///< libropescope_core.so; LibTorch comes with it
[[nodiscard]] Result<MediaApi*> mediaLibrary();  ///< libropescope_media.so; OpenCV's 140 libraries come with it

}  // namespace ropescope
