// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/head_report.h"
#include "core/probe/head_operator.h"

namespace ropescope {

/// Singular values of a head's map and their numbers (of the map; unchanged by the left gauge, except `stored` under
/// inverse-map). Everything but `stored` is of the gauge-fixed map.
///
/// The map must be finite (std::invalid_argument): the SVD of NaN may return finite values.
/// Checked by tests/core/probe/spectrum_test.cpp.
[[nodiscard]] Spectrum measureSpectrum(const HeadOperator& head);

/// Distance from plain RoPE in [0,1]: sqrt(1 - (1/D) sum_p |(w11+w22) + i(w21-w12)|), w the diagonal 2x2 block of plane
/// p of the orthogonal polar factor of `map` [D,D]. 0 exactly when the polar factor only turns inside the planes.
/// Checked by tests/core/probe/spectrum_test.cpp.
[[nodiscard]] double ropeDistance(const at::Tensor& map);

/// A relative gap below this between neighbouring singular values makes their vectors arbitrary.
inline constexpr double kDegenerateGap = 1e-3;

}  // namespace ropescope
