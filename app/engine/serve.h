// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "core/data/error.h"
#include "core/data/request.h"
#include "core/engine/core_api.h"

namespace ropescope {

/// What serving needs and opens on first use only; hello is said before any of it is loaded.
struct ServeParts {
    std::function<Result<CoreApi*>()> core;                      ///< LibTorch comes with it
    std::function<Result<void>(const SavePngRequest&)> savePng;  ///< the media library comes with it
    std::function<Result<PictureSettings>(const std::string& path)> readSettings = {};
};

/// Speaks core/data/wire.h on stdin and stdout until stdin ends. stdout is duplicated for the wire first and then leads
/// to stderr, so nothing a library prints gets between frames. Pictures are generated in a heavy lane, everything else
/// in a light one, so a head is drawn while a picture is made. Leaves by _exit: code 0, or 1 when the other side does
/// not speak the protocol. Checked by tests/app/serve_test.cpp.
[[noreturn]] void serve(const ServeParts& parts);

}  // namespace ropescope
