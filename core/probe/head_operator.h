// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/data/model.h"
#include "core/encoding/harope.h"
#include "core/probe/rotary_planes.h"

namespace ropescope {

/// Everything the weight probes need of one head, float64 on the CPU: the logit of a query and a key at an offset is
/// q^T B_q^T R(offset) B_k k / sqrt(D), q = W_q x + b_q. D head dimension, C model width.
struct HeadOperator {
    HeadMaps map;                              ///< B_q, B_k [D,D]; the identity for encodings without a map
    at::Tensor stored;                         ///< [D] singular values in file order; ones without a map
    Convention convention = Convention::None;  ///< None: no map
    at::Tensor queryContent;  ///< [D, C+1]: W_q with b_q as the last column, so that W W^T + b b^T is its own
                              ///< product; undefined behind a q,k norm, where weights say nothing about content
    at::Tensor keyContent;    ///< [D, C+1]
    RotaryPlanes planes;

    [[nodiscard]] bool hasMap() const { return convention != Convention::None; }
    [[nodiscard]] bool hasContent() const { return queryContent.defined(); }
    [[nodiscard]] int dimension() const { return static_cast<int>(map.query.size(0)); }
};

/// A contiguous copy, row-major, of a float64 tensor.
[[nodiscard]] std::vector<double> flat(const at::Tensor& tensor);

/// The map with the freedom inside each plane taken out, [D,D]. Under inverse-map a scale inside a plane changes
/// nothing that the model computes, so every plane is rescaled until its query and key blocks are equally large
/// (||M_p||_F = ||(M^-T)_p||_F). Other maps are returned as they are.
[[nodiscard]] at::Tensor gaugeFixedMap(const HeadOperator& head);

}  // namespace ropescope
