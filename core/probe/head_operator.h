// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/data/model.h"
#include "core/encoding/harope.h"
#include "core/probe/rotary_planes.h"

namespace ropescope {

/// Second moments of the content that a head compares, [D,D] each: E[q q^T], E[k k^T] and E[k q^T].
struct ContentMoments {
    at::Tensor query, key, cross;
};

/// Moments of q = X_q x, k = X_k x for the same white x at both tokens; X = [W, b] is the weights content.
[[nodiscard]] ContentMoments momentsOf(const at::Tensor& query, const at::Tensor& key);

/// The moments after the map: of B_q q and B_k k.
[[nodiscard]] ContentMoments mapped(const HeadMaps& map, const ContentMoments& content);

/// Everything the weight probes need of one head, float64 on the CPU: the logit of a query and a key at an offset is
/// q^T B_q^T R(offset) B_k k / sqrt(D), q = W_q x + b_q. D head dimension.
struct HeadOperator {
    HeadMaps map;       ///< B_q, B_k [D,D]; the identity for encodings without a map
    at::Tensor stored;  ///< [D] singular values in file order; ones without a map
    at::Tensor polar;  ///< [D,D] orthogonal polar factor of gaugeFixedMap() where the factors give it; may be undefined
    Convention convention = Convention::None;  ///< None: no map
    ContentMoments content;  ///< of the projections; undefined behind a q,k norm, where weights say nothing about it
    RotaryPlanes planes;

    [[nodiscard]] bool hasMap() const { return convention != Convention::None; }
    [[nodiscard]] bool hasContent() const { return content.cross.defined(); }
    [[nodiscard]] int dimension() const { return static_cast<int>(map.query.size(0)); }
};

/// No NaN and no infinity; float32 or float64, one pass.
[[nodiscard]] bool allFinite(const at::Tensor& tensor);

/// A contiguous copy, row-major, of a float64 tensor.
[[nodiscard]] std::vector<double> flat(const at::Tensor& tensor);

/// The map with the freedom inside each plane taken out, [D,D]. Under inverse-map a scale inside a plane changes
/// nothing that the model computes, so every plane is rescaled until its query and key blocks are equally large
/// (||M_p||_F = ||(M^-T)_p||_F). Other maps are returned as they are.
[[nodiscard]] at::Tensor gaugeFixedMap(const HeadOperator& head);

}  // namespace ropescope
