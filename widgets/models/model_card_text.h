// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QColor>
#include <QString>

#include "widgets/state/open_models.h"

namespace ropescope {

/// What is known of a model, as HTML in sections: why it does not run, its check, what it is, what was assumed, left
/// out and inferred. Texts of files stand in it as they are, never as markup. A link to kProblemLink is the problem.
[[nodiscard]] QString modelCardHtml(const OpenModel& model, const QColor& muted);
inline constexpr char kProblemLink[] = "problem:";

}  // namespace ropescope
