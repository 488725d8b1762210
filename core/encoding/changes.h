// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <vector>

#include "core/data/error.h"
#include "core/data/variation.h"
#include "core/encoding/harope.h"

// What a variation does to the maps of heads (analysis: interventions). float64 on the CPU, one head at a time.

namespace ropescope {

/// A head's map before its turn, so that it can be dialled: U diag(s) V^T with U = expm(generatorU), V =
/// expm(generatorV), or a matrix where there are no generators.
struct HeadMap {
    at::Tensor generatorU, generatorV;  ///< [D,D] skew; both undefined: `matrix` alone
    at::Tensor logValues;               ///< [D] ln s, in the order of the file; with generators
    bool halfSplit = false;             ///< the generators are between half-split features
    at::Tensor matrix;                  ///< [D,D] between interleaved features; without generators
    [[nodiscard]] bool generated() const { return generatorU.defined(); }
    /// What multiplies queries; between interleaved features, as the key's.
    [[nodiscard]] at::Tensor query() const;
    /// What multiplies keys: the query's, or its inverse transpose.
    [[nodiscard]] at::Tensor key(Convention convention) const;
    /// [D]: the file's order where there are generators, else descending.
    [[nodiscard]] at::Tensor singularValues() const;
};

/// A change that cannot be made, found while maps are made. Caught by whoever answers requests.
struct RefusedChange : std::runtime_error {
    explicit RefusedChange(Error why) : std::runtime_error(why.message()), error(std::move(why)) {}
    Error error;
};

/// The changes of a model's heads, as layerPositions() makes them: checked by checkVariation(), donors read.
struct HeadChanges {
    std::vector<HeadChange> list;           ///< those that are on, in order
    std::map<std::size_t, HeadMap> donors;  ///< of transplants, by their place in `list`
    double progress = 0;                    ///< share of a run that is over
    [[nodiscard]] bool touchMap(HeadId id) const;
    [[nodiscard]] bool touchLayer(int layer) const;
    [[nodiscard]] bool ofFrequencies() const;
};
using HeadChangesPtr = std::shared_ptr<const HeadChanges>;

/// The same at another share of the run; the same object where nothing follows a curve.
[[nodiscard]] HeadChangesPtr changesAt(const HeadChangesPtr& changes, double progress);
/// Only those that change frequencies: what is left after maps are folded and outputs switched off. Null: none.
[[nodiscard]] HeadChangesPtr frequencyChanges(const HeadChangesPtr& changes);

/// `map` after all changes of that head. Dial: generators and ln s times tau, which composes (0.5 and then 0.5 is
/// 0.25); without generators the polar form W P of the map, expm(tau log W) P^tau. tau = 1 returns what it is given.
/// Throws RefusedChange: no real logarithm (det W < 0, or W turns a plane by half a circle), or a result that is not
/// finite.
[[nodiscard]] HeadMap changedMap(HeadMap map, const HeadChanges& changes, HeadId id);

/// Factor on the frequencies of a head, 1 without changes; and on its output, 1 or 0.
[[nodiscard]] double frequencyFactor(const HeadChanges& changes, HeadId id);
[[nodiscard]] double outputFactor(const HeadChanges& changes, HeadId id);

/// Principal logarithm of an orthogonal matrix [D,D], skew. Throws RefusedChange as above.
[[nodiscard]] at::Tensor rotationLogarithm(const at::Tensor& rotation);

}  // namespace ropescope
