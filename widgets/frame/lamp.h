// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QColor>
#include <QString>

#include "widgets/state/open_models.h"

namespace ropescope {

/// Okabe-Ito colours; the words beside a lamp say the same.
[[nodiscard]] QColor lampColour(LampState state);
/// "ok", "rounding", "wrong", "nothing to compare with".
[[nodiscard]] QString lampWords(LampState state);

// The lamp of a whole model.
[[nodiscard]] LampState lampOf(const OpenModel& model);
/// "check: all ok", "check: running"; empty where nothing is checked.
[[nodiscard]] QString lampText(const OpenModel& model);
/// "running", "all ok", "cannot be computed with", "not checked".
[[nodiscard]] QString stateWords(const OpenModel& model);

/// "Relative positions: ok, 2e-07, bound 1e-05".
[[nodiscard]] QString rowText(const SelfCheckRow& row);

}  // namespace ropescope
