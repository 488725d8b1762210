// SPDX-License-Identifier: Apache-2.0
// What every positional encoding must keep, through the attention code that the models run.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/data/enum_names.h"
#include "core/encoding/encoding.h"
#include "core/model/dit.h"
#include "tests/core/probe/example_heads.h"

namespace ropescope {
namespace {

constexpr Grid kGrid{4, 6};

DitShape shapeOf(const Encoding& encoding, Convention convention) {
    DitShape shape;
    shape.layers = 1, shape.heads = 3, shape.headDim = 16, shape.patch = 2;
    shape.inChannels = shape.outChannels = 4, shape.classes = 5;
    shape.theta = 100;
    shape.encoding = &encoding;
    shape.convention = convention;
    return shape;
}

/// Weights with every parameter drawn, so that nothing is zero by initialisation.
WeightTable randomWeights(const DitShape& shape) {
    WeightTable w = initialDitWeights(shape, kGrid, 3);
    std::uint64_t seed = 100;
    for (auto& [name, tensor] : w) tensor = (draw(tensor.sizes(), ++seed) * 0.3).to(at::kFloat);
    return w;
}

struct Seen {
    at::Tensor logits, scale, output;  ///< [B,H,N,N], |q||k| likewise, tokens after the block
};

/// One block with the position table moved by `origin`.
Seen throughBlock(const WeightTable& w, const DitShape& shape, Grid origin) {
    Seen seen;
    DitTaps taps;
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
std::vector<DitShape> allShapes() {
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

const Encoding& encoding(const char* name) {
    return **findEncoding(name);
}

double largest(const at::Tensor& t) {
    return t.abs().max().item<double>();
}

TEST(Contract, LogitsDependOnTheOffsetAlone) {
    int checked = 0;
    for (const DitShape& shape : allShapes()) {
        const WeightTable w = randomWeights(shape);
        const Seen here = throughBlock(w, shape, {});
        for (Grid move : {Grid{1, 0}, Grid{0, 1}, Grid{-7, 19}, Grid{256, -256}, Grid{255, 256}}) {
            const Seen there = throughBlock(w, shape, move);
            EXPECT_LE(largest((there.logits - here.logits) / here.scale), 1e-5) << shape.encoding->name;
            ++checked;
        }
    }
    EXPECT_GE(checked, 300);  // harope alone: 9 kinds, 3 sharings, 2 conventions, 5 moves
}

TEST(Contract, FoldingTheMapsGivesTheSameModelOfRotationsAlone) {
    for (const DitShape& shape : allShapes()) {
        if (!shape.encoding->hasMaps()) continue;
        SCOPED_TRACE(testing::Message() << shape.encoding->name << " " << enumName(shape.matrix) << " of every "
                                        << enumName(shape.sharing) << ", " << enumName(shape.convention));
        const WeightTable w = randomWeights(shape), plain = foldMaps(w, shape);
        for (const auto& [name, tensor] : plain)
            EXPECT_TRUE(!isPositionParameter(name) || name.ends_with("freqs")) << name;
        const Seen mapped = throughBlock(w, shape, {}), same = throughBlock(plain, folded(shape), {});
        // Logits relative to |q||k|, as float32 computes them.
        EXPECT_LE(largest((mapped.logits - same.logits) / mapped.scale), 1e-5);
        EXPECT_LE(largest(mapped.output - same.output), 1e-4 * std::max(1.0, largest(mapped.output)));
    }
}

/// A_u drawn, A_v = 0 and s = 1: the map is one rotation U.
WeightTable orthogonalWeights(const DitShape& shape, bool shared) {
    WeightTable w = randomWeights(shape);
    const std::string rot = "blocks.0.attn.learnable_rot.";
    if (shared) w[rot + "A_u"] = w[rot + "A_u"][0].expand_as(w[rot + "A_u"]).contiguous();
    w[rot + "A_v"].zero_();
    w[rot + "sigma"].fill_(std::log(std::expm1(1.0 - 1e-6)));
    return w;
}

TEST(Contract, AnOrthogonalMapIsTheSameUnderBothConventions) {
    const DitShape same = shapeOf(encoding("harope"), Convention::Same);
    const WeightTable w = orthogonalWeights(same, false);
    const Seen a = throughBlock(w, same, {}), b = throughBlock(w, shapeOf(encoding("harope"), Convention::Inverse), {});
    EXPECT_LE(largest((a.logits - b.logits) / a.scale), 1e-5);
}

TEST(Contract, ASharedOrthogonalSameMapIsString) {
    // STRING (arXiv 2502.02562): one rotation P of the basis for all heads, z -> RoPE(position) P z for q and k.
    const DitShape shape = shapeOf(encoding("harope"), Convention::Same);
    const WeightTable w = orthogonalWeights(shape, true);
    const Seen harope = throughBlock(w, shape, {});
    const at::Tensor skew = w.at("blocks.0.attn.learnable_rot.A_u")[0].to(at::kDouble);
    const at::Tensor p = at::matrix_exp((skew - skew.mT()) / 2);
    WeightTable rotated = w;  // P acts on every head's rows of W_q and W_k
    const std::int64_t rows = 2 * shape.width();
    for (const char* name : {"blocks.0.attn.qkv.weight", "blocks.0.attn.qkv.bias"}) {
        at::Tensor t = w.at(name).to(at::kDouble);
        const at::Tensor heads = t.narrow(0, 0, rows).reshape({2 * shape.heads, shape.headDim, -1});
        t.narrow(0, 0, rows).copy_(at::matmul(p, heads).reshape(t.narrow(0, 0, rows).sizes()));
        rotated[name] = t.to(at::kFloat);
    }
    const Seen string = throughBlock(rotated, shapeOf(encoding("axial"), Convention::None), {});
    EXPECT_LE(largest((harope.logits - string.logits) / harope.scale), 1e-5);
}

TEST(Contract, AnIdentityMapIsRope) {
    for (Convention c : {Convention::Same, Convention::Inverse}) {
        const DitShape shape = shapeOf(encoding("harope"), c);
        WeightTable w = orthogonalWeights(shape, false);
        w["blocks.0.attn.learnable_rot.A_u"].zero_();
        const Seen harope = throughBlock(w, shape, {});
        const Seen rope = throughBlock(w, shapeOf(encoding("axial"), Convention::None), {});
        EXPECT_LE(largest((harope.logits - rope.logits) / rope.scale), 1e-6);
    }
}

}  // namespace
}  // namespace ropescope
