// SPDX-License-Identifier: Apache-2.0
#include "core/model/flux.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/model/dit.h"

namespace ropescope {
namespace {

std::string block(const char* kind, int layer) {
    return kind + std::to_string(layer) + ".";
}

/// exp(-ln(10000) j / 128) sinusoids of 1000 u, then linear, SiLU, linear.
at::Tensor embedded(WeightStore& weights, const std::string& name, const at::Tensor& u) {
    const at::ScalarType type = weights.type();
    // The references multiply in the type of the run: rounding of half types is part of the model.
    const at::Tensor scaled = u.to(weights.device(), type) * 1000;
    return twoLayers(weights.block(name + "."), "in_layer", "out_layer", timeSinusoids(scaled.to(at::kFloat)).to(type));
}

at::Tensor conditionOf(WeightStore& weights, const FluxInput& in) {
    at::Tensor vec = embedded(weights, "time_in", in.time);
    if (in.guidance.defined() && weights.has("guidance_in.in_layer.weight"))
        vec = vec + embedded(weights, "guidance_in", in.guidance);
    return vec + twoLayers(weights.block("vector_in."), "in_layer", "out_layer",
                           in.pooled.to(weights.device(), weights.type()));
}

at::Tensor tanhGelu(const at::Tensor& x) {
    return at::gelu(x, "tanh");
}

/// diffusers clips what half floats cannot hold.
at::Tensor clipped(const at::Tensor& x) {
    return x.scalar_type() == at::kHalf ? x.clamp(-65504, 65504) : x;
}

/// q, k, v with normed q and k. `prefix` "img_attn." or "".
std::vector<at::Tensor> normedHeads(const WeightTable& w, const std::string& prefix, const at::Tensor& qkv, int heads) {
    std::vector<at::Tensor> parts = headsOf(qkv, heads);
    parts[0] = rmsNorm(parts[0], w.at(prefix + "norm.query_norm.scale"));
    parts[1] = rmsNorm(parts[1], w.at(prefix + "norm.key_norm.scale"));
    return parts;
}

struct Run {
    WeightStore& weights;
    const FluxShape& shape;
    const JointTaps& taps;
    at::Tensor ids;  ///< [T+N,3]
    RotaryTable rotary;
    at::Tensor vec;  ///< SiLU of the condition
    std::int64_t text = 0;

    [[nodiscard]] JointAttention attention(int layer, const WeightTable& w) const {
        const LayerPositions positions = jointPositions(w, "attn.", shape.positions, layer);
        const at::Tensor& scale = positions.frequencyScale;
        return {layer,
                &taps,
                text,
                positions.maps,
                positions.output,
                shape.mapTokens,
                scale.defined() ? rotaryAt(ids, shape.axesDims, shape.positions.theta, taps.stretch, scale) : rotary};
    }
    [[nodiscard]] std::vector<at::Tensor> modulation(const WeightTable& w, const std::string& name, int parts) const {
        return dense(w, name, vec).chunk(parts, -1);
    }

    void joint(int layer, at::Tensor& image, at::Tensor& words) {
        const WeightTable w = weights.block(block("double_blocks.", layer));
        const std::vector<at::Tensor> mi = modulation(w, "img_mod.lin", 6), mt = modulation(w, "txt_mod.lin", 6);
        const auto own =
            normedHeads(w, "img_attn.", dense(w, "img_attn.qkv", modulated(image, mi[0], mi[1])), shape.heads);
        const auto other =
            normedHeads(w, "txt_attn.", dense(w, "txt_attn.qkv", modulated(words, mt[0], mt[1])), shape.heads);
        const at::Tensor mixed = attend(attention(layer, w), at::cat({other[0], own[0]}, 2),
                                        at::cat({other[1], own[1]}, 2), at::cat({other[2], own[2]}, 2));
        const auto step = [&](at::Tensor& x, const std::string& stream, const std::vector<at::Tensor>& m,
                              const at::Tensor& attended) {
            x = x + m[2].unsqueeze(1) * dense(w, stream + "_attn.proj", attended);
            const at::Tensor hidden = tanhGelu(dense(w, stream + "_mlp.0", modulated(x, m[3], m[4])));
            x = x + m[5].unsqueeze(1) * dense(w, stream + "_mlp.2", hidden);
        };
        step(image, "img", mi, mixed.narrow(1, text, mixed.size(1) - text));
        step(words, "txt", mt, mixed.narrow(1, 0, text));
        words = clipped(words);
    }

    at::Tensor single(int layer, const at::Tensor& x) {
        const WeightTable w = weights.block(block("single_blocks.", layer));
        const std::vector<at::Tensor> m = modulation(w, "modulation.lin", 3);
        const at::Tensor both = dense(w, "linear1", modulated(x, m[0], m[1]));
        const std::int64_t width = shape.width();
        const auto parts = normedHeads(w, "", both.narrow(2, 0, 3 * width).contiguous(), shape.heads);
        const at::Tensor mixed = attend(attention(shape.jointLayers + layer, w), parts[0], parts[1], parts[2]);
        const at::Tensor hidden = tanhGelu(both.narrow(2, 3 * width, both.size(2) - 3 * width));
        return clipped(x + m[2].unsqueeze(1) * dense(w, "linear2", at::cat({mixed, hidden}, 2)));
    }
};

}  // namespace

Result<FluxShape> fluxShape(const ModelCard& card) {
    if (card.architecture != "flux")
        return failure({ErrorKind::Refused, "flux-shape", place({card.path}), "not a FLUX transformer",
                        card.architecture, "flux", ""});
    FluxShape shape;
    shape.jointLayers = card.jointLayers, shape.singleLayers = card.layers - card.jointLayers;
    shape.heads = card.heads, shape.headDim = card.headDim, shape.axesDims = card.axesDims;
    shape.mapTokens = card.mapTokens;
    const auto spec = mapsOf(card);
    if (!spec) return failure(spec.error());
    shape.positions = *spec;
    return shape;
}

at::Tensor fluxForward(WeightStore& weights, const FluxShape& shape, const FluxInput& in, const JointTaps& taps,
                       const std::function<bool(int layer)>& goOn) {
    const auto here = [&](const at::Tensor& x) { return x.to(weights.device(), weights.type()); };
    at::Tensor image = dense(weights.block("img_in"), "", here(in.image));
    at::Tensor words = dense(weights.block("txt_in"), "", here(in.text));
    const at::Tensor shift = at::tensor({0, taps.origin.rows, taps.origin.cols}, at::kDouble);
    const at::Tensor ids = at::cat({in.textIds.to(at::kDouble), in.imageIds.to(at::kDouble)}, 0) + shift;
    Run run{weights,
            shape,
            taps,
            ids,
            rotaryAt(ids, shape.axesDims, shape.positions.theta, taps.stretch),
            at::silu(conditionOf(weights, in)),
            words.size(1)};
    for (int layer = in.firstLayer; layer < shape.jointLayers; ++layer) {
        if (goOn && !goOn(layer)) return {};
        run.joint(layer, image, words);
    }
    at::Tensor x = at::cat({words, image}, 1);
    for (int layer = std::max(0, in.firstLayer - shape.jointLayers); layer < shape.singleLayers; ++layer) {
        if (goOn && !goOn(shape.jointLayers + layer)) return {};
        x = run.single(layer, x);
    }
    const WeightTable last = weights.block("final_layer.");
    const std::vector<at::Tensor> m = dense(last, "adaLN_modulation.1", run.vec).chunk(2, -1);
    return dense(last, "linear", modulated(x.narrow(1, run.text, image.size(1)), m[0], m[1]));
}

}  // namespace ropescope
