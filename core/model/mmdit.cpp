// SPDX-License-Identifier: Apache-2.0
#include "core/model/mmdit.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/model/dit.h"

namespace ropescope {
namespace {

using Parts = std::vector<at::Tensor>;

/// The middle of the position table, [1,N,C].
at::Tensor middle(const at::Tensor& table, Grid all, Grid grid) {
    if (grid.rows > all.rows || grid.cols > all.cols)
        throw std::invalid_argument("the position table ends at " + std::to_string(all.rows) + " patches a side");
    return table.view({all.rows, all.cols, -1})
        .narrow(0, (all.rows - grid.rows) / 2, grid.rows)
        .narrow(1, (all.cols - grid.cols) / 2, grid.cols)
        .reshape({1, grid.tokens(), -1});
}

/// The positions of a picture: of the trained size resized where that is asked for.
at::Tensor added(const at::Tensor& table, Grid all, Grid grid, const Stretch& stretch) {
    if (stretch.method != Extrapolation::Interpolation || !stretch.active()) return middle(table, all, grid);
    const auto side = [](double trained, int now) { return std::min(static_cast<int>(trained), now); };
    const Grid trained{side(stretch.length[0], grid.rows), side(stretch.length[1], grid.cols)};
    return resizePositions(middle(table, all, trained), trained, grid);
}

/// Rotary positions of text (all at the origin) and image; none without maps. `scale` [H] of frequencies may be
/// undefined.
RotaryTable rotaryOf(const MmditShape& shape, std::int64_t text, Grid grid, const JointTaps& taps,
                     const at::Tensor& scale) {
    if (!shape.positions.encoding->hasMaps()) return {};
    at::Tensor ids = at::zeros({text + grid.tokens(), 2}, at::kDouble);
    auto p = ids.accessor<double, 2>();
    for (int n = 0; n < grid.tokens(); ++n) p[text + n][0] = n / grid.cols, p[text + n][1] = n % grid.cols;
    const int dims[] = {shape.headDim / 2, shape.headDim / 2};
    const at::Tensor shift = at::tensor({taps.origin.rows, taps.origin.cols}, at::kDouble);
    return rotaryAt(ids + shift, dims, shape.positions.theta, taps.stretch, scale);
}

struct Run {
    WeightStore& weights;
    const MmditShape& shape;
    const JointTaps& taps;
    at::Tensor condition;  ///< after SiLU
    std::int64_t text = 0;
    Grid grid;
    RotaryTable joint, image;  ///< with maps

    [[nodiscard]] Parts heads(const WeightTable& w, const std::string& name, const at::Tensor& x) const {
        Parts parts = headsOf(dense(w, name + "qkv", x), shape.heads);
        if (const auto norm = w.find(name + "ln_q.weight"); norm != w.end()) {
            parts[0] = rmsNorm(parts[0], norm->second);
            parts[1] = rmsNorm(parts[1], w.at(name + "ln_k.weight"));
        }
        return parts;
    }

    /// The second attention of a block, over the image alone. Probes listen to the first one only.
    [[nodiscard]] at::Tensor second(const WeightTable& w, const at::Tensor& x) const {
        const Parts own = heads(w, "x_block.attn2.", x);
        EncodingSpec stored = shape.positions;
        stored.changes = nullptr;  // heads are those of the first attention
        const JointTaps silent;
        const JointAttention a{0,  &silent,        0,    jointPositions(w, "x_block.attn2.", stored, 0).maps,
                               {}, MapTokens::All, image};
        return dense(w, "x_block.attn2.proj", attend(a, own[0], own[1], own[2]));
    }

    void block(int layer, at::Tensor& x, at::Tensor& words) const {
        const WeightTable w = weights.block("joint_blocks." + std::to_string(layer) + ".");
        const Parts mx = dense(w, "x_block.adaLN_modulation.1", condition).split(shape.width(), -1);
        const Parts mc = dense(w, "context_block.adaLN_modulation.1", condition).split(shape.width(), -1);
        const bool last = mc.size() == 2;
        const Parts own = heads(w, "x_block.attn.", modulated(x, mx[0], mx[1]));
        const Parts other = heads(w, "context_block.attn.", modulated(words, mc[0], mc[1]));
        const LayerPositions positions = jointPositions(w, "attn.", shape.positions, layer);
        const at::Tensor& scale = positions.frequencyScale;
        const JointAttention a{layer,
                               &taps,
                               text,
                               positions.maps,
                               positions.output,
                               shape.mapTokens,
                               scale.defined() ? rotaryOf(shape, text, grid, taps, scale) : joint};
        const at::Tensor mixed =
            attend(a, at::cat({other[0], own[0]}, 2), at::cat({other[1], own[1]}, 2), at::cat({other[2], own[2]}, 2));
        const at::Tensor before = x;
        x = x + mx[2].unsqueeze(1) * dense(w, "x_block.attn.proj", mixed.narrow(1, text, mixed.size(1) - text));
        if (mx.size() == 9) x = x + mx[8].unsqueeze(1) * second(w, modulated(before, mx[6], mx[7]));
        x = x + mx[5].unsqueeze(1) * mlp(w, "x_block.", modulated(x, mx[3], mx[4]));
        if (last) return;
        words = words + mc[2].unsqueeze(1) * dense(w, "context_block.attn.proj", mixed.narrow(1, 0, text));
        words = words + mc[5].unsqueeze(1) * mlp(w, "context_block.", modulated(words, mc[3], mc[4]));
    }

    [[nodiscard]] static at::Tensor mlp(const WeightTable& w, const std::string& stream, const at::Tensor& x) {
        return dense(w, stream + "mlp.fc2", at::gelu(dense(w, stream + "mlp.fc1", x), "tanh"));
    }
};

at::Tensor embedded(WeightStore& weights, const MmditInput& in) {
    const at::ScalarType type = weights.type();
    const at::Tensor time = timeSinusoids(in.time.to(weights.device(), at::kFloat)).to(type);
    return twoLayers(weights.block("t_embedder."), "mlp.0", "mlp.2", time) +
           twoLayers(weights.block("y_embedder."), "mlp.0", "mlp.2", in.pooled.to(weights.device(), type));
}

}  // namespace

Result<MmditShape> mmditShape(const ModelCard& card) {
    const auto refused = [&](const std::string& reason, const std::string& found, const std::string& expected) {
        return failure({ErrorKind::Refused, "mmdit-shape", place({card.path}), reason, found, expected, ""});
    };
    if (card.architecture != "mmdit") return refused("not an MMDiT", card.architecture, "mmdit");
    MmditShape shape;
    shape.layers = card.layers, shape.heads = card.heads, shape.headDim = card.headDim, shape.patch = card.patch;
    shape.inChannels = card.inChannels, shape.outChannels = card.outChannels, shape.mapTokens = card.mapTokens;
    const int side = static_cast<int>(std::lround(std::sqrt(card.positionRows)));
    if (side * side != card.positionRows)
        return refused("pos_embed is not square", std::to_string(card.positionRows) + " rows", "a square number");
    shape.table = {side, side};
    const auto spec = mapsOf(card);
    if (!spec) return failure(spec.error());
    shape.positions = *spec;
    if (spec->encoding->hasMaps() && card.headDim % 4 != 0)
        return refused("a head does not hold the rotary planes of two axes", std::to_string(card.headDim) + " features",
                       "a multiple of 4");
    return shape;
}

at::Tensor mmditForward(WeightStore& weights, const MmditShape& shape, const MmditInput& in, const JointTaps& taps,
                        const std::function<bool(int layer)>& goOn) {
    const auto here = [&](const at::Tensor& x) { return x.to(weights.device(), weights.type()); };
    const int p = shape.patch;
    const at::Tensor latents = here(in.latents);
    const std::int64_t batch = latents.size(0);
    if (latents.size(2) % p != 0 || latents.size(3) % p != 0)
        throw std::invalid_argument("sides must be multiples of " + std::to_string(p));
    const Grid grid{static_cast<int>(latents.size(2)) / p, static_cast<int>(latents.size(3)) / p};
    const WeightTable patches = weights.block("x_embedder.");
    at::Tensor x = at::linear(latents.reshape({batch, shape.inChannels, grid.rows, p, grid.cols, p})
                                  .permute({0, 2, 4, 1, 3, 5})
                                  .reshape({batch, grid.tokens(), -1}),
                              patches.at("proj.weight").flatten(1), patches.at("proj.bias"));
    if (shape.table.tokens() > 0) x = x + added(weights.block("pos_embed").at(""), shape.table, grid, taps.stretch);
    at::Tensor words = dense(weights.block("context_embedder"), "", here(in.text));
    Run run{weights, shape, taps, at::silu(embedded(weights, in)), words.size(1), grid, {}, {}};
    run.joint = rotaryOf(shape, run.text, grid, taps, {}), run.image = rotaryOf(shape, 0, grid, taps, {});
    for (int layer = in.firstLayer; layer < shape.layers; ++layer) {
        if (goOn && !goOn(layer)) return {};
        run.block(layer, x, words);
    }
    const WeightTable last = weights.block("final_layer.");
    const Parts m = dense(last, "adaLN_modulation.1", run.condition).chunk(2, -1);
    return unpatchify(dense(last, "linear", modulated(x, m[0], m[1])), grid, p);
}

}  // namespace ropescope
