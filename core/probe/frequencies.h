// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/head_report.h"
#include "core/probe/head_operator.h"

namespace ropescope {

/// e_p = sqrt(tr(S_q,pp) tr(S_k,pp)), [P], S_pp the 2x2 diagonal blocks of the moments of mapped content: e_p/sqrt(2)
/// is the rms over phase of plane p's logit for independent content. Not normalised. Checked by
/// tests/core/probe/frequencies_test.cpp.
[[nodiscard]] std::vector<double> planeEnergies(const ContentMoments& mapped);

/// Divided by the sum; NaN where that is not positive.
[[nodiscard]] std::vector<double> normalised(std::vector<double> energy);

/// Fills the numbers of e.weights (and its distance to e.reference), both [P] with sum 1, from whatever content they
/// are: mean, spread, shares. Shares per axis need two axes and planes of one
/// axis each: empty otherwise.
void summariseEnergy(FrequencyEnergy& e, const RotaryPlanes& planes, Grid grid);

/// Energy over (axis, frequency) and its numbers. `map` alone is of the map; `weights` and the numbers of it are of the
/// head; `reference` and the Wasserstein distance to it rest on the projections' own basis, hence of the map.
/// Without content (behind a q,k norm) `weights` and `reference` are empty and their numbers NaN. Grid: tokens of one
/// image, for wavelengths beyond four times its side. Under inverse-map the unnormalised `map` energy is >= 2 per plane
/// and its excess is obliqueness or ellipticity, not reallocation.
/// Checked by tests/core/probe/frequencies_test.cpp.
[[nodiscard]] FrequencyEnergy measureEnergy(const HeadOperator& head, Grid grid);
/// The same from moments that are there already: of the mapped white content and, with content, of its own.
[[nodiscard]] FrequencyEnergy measureEnergy(const HeadOperator& head, const ContentMoments& white,
                                            const ContentMoments& content, Grid grid);

/// 1-Wasserstein distance over ln|omega| between two distributions over the same planes; still planes left out, the
/// rest normalised. NaN when either has no turning energy. Checked by tests/core/probe/frequencies_test.cpp.
[[nodiscard]] double logFrequencyDistance(const RotaryPlanes& planes, const std::vector<double>& first,
                                          const std::vector<double>& second);

}  // namespace ropescope
