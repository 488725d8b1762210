// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

#include "core/data/generation.h"

namespace ropescope {

struct Run;

/// "Sneaker, seed 42": which picture it is.
[[nodiscard]] QString runName(const Run& run);
/// "28 x 28 px, 7 x 7 patches, positions as trained": what it was made with.
[[nodiscard]] QString runDetails(const Run& run);
/// "step 11 of 20, t = 450"; steps count from 1.
[[nodiscard]] QString stepText(const Run& run, int step);

}  // namespace ropescope
