// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/error.h"
#include "core/media/media_api.h"

namespace ropescope {

/// libropescope_media.so, opened on the first call from beside this library, then where the loader looks. Errors:
/// Device when it is not there (a build without OpenCV): pictures cannot be read or written then.
[[nodiscard]] Result<MediaApi*> openMediaLibrary();

}  // namespace ropescope
