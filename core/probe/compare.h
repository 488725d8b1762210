// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/data/analysis.h"
#include "core/probe/rotary_planes.h"

namespace ropescope {

// How heads differ. Matrices are [n,n], row-major; NaN marks what cannot be compared. Checked by
// tests/core/probe/compare_test.cpp.

/// Offsets of a grid weighted by the number of token pairs that have them, [(2h-1)(2w-1)], sum 1.
[[nodiscard]] std::vector<double> pairWeights(Grid grid);

/// Correlations of all pairs of rows under the weights (sum 1). A row that holds a NaN or does not vary correlates with
/// nothing, not even itself.
[[nodiscard]] std::vector<double> correlations(const std::vector<std::vector<double>>& rows,
                                               const std::vector<double>& weights);

/// The part of a map over offsets [2h-1,2w-1] that a smaller grid has too; `from` is at least `to` in both sides
/// (std::invalid_argument).
[[nodiscard]] std::vector<double> cutOffsets(const std::vector<double>& values, Grid from, Grid to);

/// Energy over ln|omega| of one head: [P] each; still planes are left out of the distance.
struct EnergySpectrum {
    RotaryPlanes planes;
    std::vector<double> energy;
};
/// 1-Wasserstein distances over ln|omega| (nats) of all pairs; the planes may differ from head to head. A head without
/// turning energy has no distance.
[[nodiscard]] std::vector<double> frequencyDistances(const std::vector<EnergySpectrum>& heads);

/// Classical scaling of distances [n,n] to two dimensions: eigenvectors of -1/2 J D^2 J (Torgerson 1952). Items whose
/// row is all NaN are left out (NaN positions). `share`: each axis' eigenvalue over the sum of absolute eigenvalues,
/// so distances that no space has lower it. Signs: the largest entry of each axis is positive.
struct Embedding {
    std::vector<double> positions;  ///< [n,2]
    std::vector<double> share;      ///< [2]
};
[[nodiscard]] Embedding classicalScaling(const std::vector<double>& distances, int count);

/// Mean over turning planes of their overlaps [P], undefined ones (NaN) left out.
[[nodiscard]] double meanOverTurning(const std::vector<double>& overlaps, const RotaryPlanes& planes);

}  // namespace ropescope
