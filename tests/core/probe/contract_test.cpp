// SPDX-License-Identifier: Apache-2.0
// What every positional encoding must keep, through the attention code that the models run.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/data/enum_names.h"
#include "core/encoding/encoding.h"
#include "core/model/dit.h"
#include "tests/core/probe/contract_shapes.h"
#include "tests/core/probe/example_heads.h"

namespace ropescope {
namespace {

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
