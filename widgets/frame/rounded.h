// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

namespace ropescope {

/// A measured value with its standard error, neither more precise than the error allows: "2.97 \u00b1 0.04".
///
/// The error keeps two significant digits where the first one is 1 or 2 (there a single digit would be off by up to a
/// third), else one; the value ends at the same place. Together very small or very large, both share one power of ten:
/// "(2.97 \u00b1 0.04)e-7". An error that needs more than six decimals stands on its own: "0.5 \u00b1 1e-09". Without
/// an error (NaN, infinite) the value stands alone, as shortNumber writes it. Checked by
/// tests/widgets/rounded_test.cpp.
[[nodiscard]] QString rounded(double value, double error);

}  // namespace ropescope
