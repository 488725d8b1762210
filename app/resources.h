// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QStringList>

namespace ropescope {

/// The folder with models/ and icons: $ROPESCOPE_RESOURCES, else resources/ in a folder above the program (the source
/// tree it was built in), else share/ropescope beside bin/. Empty when there is none.
[[nodiscard]] QString resourcesFolder();
/// The model files that come with the program, the one to open first in front.
[[nodiscard]] QStringList shippedModels();
/// ropescope-engine beside this program, with `serve`.
[[nodiscard]] QStringList defaultEngine();

}  // namespace ropescope
