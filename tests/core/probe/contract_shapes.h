// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "core/encoding/encoding.h"
#include "core/model/dit.h"
#include "tests/core/probe/example_heads.h"

// One block of a small DiT with every positional encoding, for contract tests.

namespace ropescope {

inline constexpr Grid kGrid{4, 6};

inline DitShape shapeOf(const Encoding& encoding, Convention convention) {
    DitShape shape;
    shape.layers = 1, shape.heads = 3, shape.headDim = 16, shape.patch = 2;
    shape.inChannels = shape.outChannels = 4, shape.classes = 5;
    shape.theta = 100;
    shape.encoding = &encoding;
    shape.convention = convention;
    return shape;
}

/// Weights with every parameter drawn, so that nothing is zero by initialisation.
inline WeightTable randomWeights(const DitShape& shape) {
    WeightTable w = initialDitWeights(shape, kGrid, 3);
    std::uint64_t seed = 100;
    for (auto& [name, tensor] : w) tensor = (draw(tensor.sizes(), ++seed) * 0.3).to(at::kFloat);
    return w;
}

struct Seen {
    at::Tensor logits, scale, output;  ///< [B,H,N,N], |q||k| likewise, tokens after the block
};

/// One block with the position table moved by `origin`.
inline Seen throughBlock(const WeightTable& w, const DitShape& shape, Grid origin, DitTaps taps = {}) {
    Seen seen;
    taps.queryKey = [&](int, at::Tensor& q, at::Tensor& k) {
        seen.logits = at::matmul(q.to(at::kDouble), k.to(at::kDouble).mT());
        seen.scale = at::matmul(q.norm(2, {-1}, true), k.norm(2, {-1}, true).mT()).to(at::kDouble);
    };
    const at::Tensor tokens = draw({2, kGrid.tokens(), shape.width()}, 7).to(at::kFloat);
    const at::Tensor modulation = (draw({2, 6 * shape.width()}, 8) * 0.2).to(at::kFloat);
    seen.output = ditBlock(w, shape, 0, tokens, modulation, kGrid, taps, origin);
    return seen;
}

/// Every encoding with every matrix, convention and sharing it can have.
inline std::vector<DitShape> allShapes() {
    std::vector<DitShape> shapes;
    for (const Encoding& e : encodings()) {
        if (!e.hasMaps()) {
            shapes.push_back(shapeOf(e, Convention::None));
            continue;
        }
        for (const MatrixKind kind : e.map->kinds)
            for (const MapSharing sharing : {MapSharing::Head, MapSharing::Layer, MapSharing::Model})
                for (const Convention c : {Convention::Same, Convention::Inverse}) {
                    if (!e.conventions && c == Convention::Inverse) continue;
                    if (e.frequencies == Frequencies::Learned && sharing == MapSharing::Model) continue;
                    DitShape shape = shapeOf(e, e.conventions ? c : Convention::None);
                    shape.matrix = kind, shape.sharing = sharing;
                    shapes.push_back(shape);
                }
    }
    return shapes;
}

inline const Encoding& encoding(const char* name) {
    return **findEncoding(name);
}

inline double largest(const at::Tensor& t) {
    return t.abs().max().item<double>();
}

}  // namespace ropescope
