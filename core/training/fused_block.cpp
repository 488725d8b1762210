// SPDX-License-Identifier: Apache-2.0
#include "core/training/fused_block.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "core/training/elementwise_cpu.h"

namespace ropescope {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
namespace ew = elementwise;

ew::Bf16* half(const at::Tensor& t) {
    return reinterpret_cast<ew::Bf16*>(t.data_ptr<at::BFloat16>());
}

ew::Chunk chunk(const at::Tensor& modulation, int which, std::int64_t width) {
    return {modulation.data_ptr<float>() + which * width, modulation.size(1)};
}
ew::ChunkGradient gradientChunk(const at::Tensor& modulation, int which, std::int64_t width) {
    return {modulation.data_ptr<float>() + which * width, modulation.size(1)};
}

at::Tensor halfLike(std::initializer_list<std::int64_t> size) {
    return at::empty(size, at::kBFloat16);
}

// Order of a block's inputs, gradients included.
enum In { X, Modulation, QkvWeight, QkvBias, ProjWeight, ProjBias, Fc1Weight, Fc1Bias, Fc2Weight, Fc2Bias, Cos, Sin };
// Order of what the forward keeps beyond its inputs.
enum Kept {
    Norm1 = Sin + 1,
    Mean1,
    Inverse1,
    Q,
    K,
    V,
    Weights,
    Joined,
    Projected,
    Middle,
    Norm2,
    Mean2,
    Inverse2,
    Slope,
    Hidden,
    Out2
};

struct Sizes {
    ew::Rows rows;
    ew::Heads heads;
    [[nodiscard]] std::int64_t tokens() const { return rows.images * rows.tokens; }
    [[nodiscard]] float scale() const { return 1.0f / std::sqrt(static_cast<float>(heads.dim)); }
};

Sizes sizesOf(const at::Tensor& x, std::int64_t heads) {
    return {{x.size(0), x.size(1), x.size(2)}, {x.size(0), x.size(1), heads, x.size(2) / heads}};
}

ew::Turns turnsOf(const variable_list& kept) {
    const at::Tensor &cos = kept[Cos], &sin = kept[Sin];
    if (cos.numel() == 0) return {};
    return {cos.data_ptr<float>(), sin.data_ptr<float>(), cos.dim() == 3 ? cos.size(1) * cos.size(2) : 0};
}

// Only learned frequencies want it. Cosine and sine get the two parts whose sum is the angle's gradient.
void angleBackward(const Sizes& s, const variable_list& kept, const at::Tensor& dQ, const at::Tensor& dK,
                   variable_list& gradients) {
    const at::Tensor &cos = kept[Cos], &sin = kept[Sin];
    if (!cos.requires_grad()) return;
    const at::Tensor dAngle = at::zeros(cos.sizes());
    const std::int64_t stride = turnsOf(kept).headStride;
    ew::addAngleGradient(s.heads, half(kept[Q]), half(dQ), stride, dAngle.data_ptr<float>());
    ew::addAngleGradient(s.heads, half(kept[K]), half(dK), stride, dAngle.data_ptr<float>());
    gradients[Cos] = -sin.detach() * dAngle;
    gradients[Sin] = cos.detach() * dAngle;
}

// Norm, attention and gated addition: fills kept[Norm1 .. Projected], returns the tokens after them.
at::Tensor attentionForward(const Sizes& s, variable_list& kept) {
    const std::int64_t t = s.tokens(), c = s.rows.width, n = s.rows.tokens, bh = s.rows.images * s.heads.heads;
    const at::Tensor &x = kept[X], &m = kept[Modulation];
    kept[Norm1] = halfLike({t, c});
    kept[Mean1] = at::empty({t}), kept[Inverse1] = at::empty({t});
    ew::modulatedNorm(s.rows, x.data_ptr<float>(), chunk(m, 0, c), chunk(m, 1, c), half(kept[Norm1]),
                      kept[Mean1].data_ptr<float>(), kept[Inverse1].data_ptr<float>());
    const at::Tensor qkv = at::mm(kept[Norm1], kept[QkvWeight].t());
    for (const Kept part : {Q, K, V}) kept[part] = halfLike({bh, n, s.heads.dim});
    ew::splitHeads(s.heads, half(qkv), half(kept[QkvBias]), turnsOf(kept), half(kept[Q]), half(kept[K]), half(kept[V]));
    kept[Weights] = at::bmm(kept[Q], kept[K].mT());
    ew::softmaxRows(bh * n, n, s.scale(), half(kept[Weights]));
    const at::Tensor mixed = at::bmm(kept[Weights], kept[V]);
    kept[Joined] = halfLike({t, c});
    ew::joinHeads(s.heads, half(mixed), half(kept[Joined]));
    kept[Projected] = at::mm(kept[Joined], kept[ProjWeight].t());
    at::Tensor out = at::empty_like(x);
    ew::gatedAdd(s.rows, x.data_ptr<float>(), chunk(m, 2, c), half(kept[ProjBias]), half(kept[Projected]),
                 out.data_ptr<float>());
    return out;
}

// Norm, MLP and gated addition on kept[Middle].
at::Tensor mlpForward(const Sizes& s, variable_list& kept) {
    const std::int64_t t = s.tokens(), c = s.rows.width;
    const at::Tensor &x = kept[Middle], &m = kept[Modulation];
    kept[Norm2] = halfLike({t, c});
    kept[Mean2] = at::empty({t}), kept[Inverse2] = at::empty({t});
    ew::modulatedNorm(s.rows, x.data_ptr<float>(), chunk(m, 3, c), chunk(m, 4, c), half(kept[Norm2]),
                      kept[Mean2].data_ptr<float>(), kept[Inverse2].data_ptr<float>());
    kept[Slope] = at::mm(kept[Norm2], kept[Fc1Weight].t());
    kept[Hidden] = at::empty_like(kept[Slope]);
    ew::gelu(t, kept[Slope].size(1), half(kept[Fc1Bias]), half(kept[Slope]), half(kept[Hidden]));
    kept[Out2] = at::mm(kept[Hidden], kept[Fc2Weight].t());
    at::Tensor out = at::empty_like(x);
    ew::gatedAdd(s.rows, x.data_ptr<float>(), chunk(m, 5, c), half(kept[Fc2Bias]), half(kept[Out2]),
                 out.data_ptr<float>());
    return out;
}

// `d` is the gradient of the tokens after the MLP and becomes that of the tokens before it.
void mlpBackward(const Sizes& s, const variable_list& kept, const at::Tensor& d, variable_list& gradients) {
    const std::int64_t t = s.tokens(), c = s.rows.width;
    const at::Tensor &m = kept[Modulation], &dm = gradients[Modulation];
    const at::Tensor dOut = halfLike({t, c});
    ew::gatedAddGradient(s.rows, d.data_ptr<float>(), chunk(m, 5, c), half(kept[Fc2Bias]), half(kept[Out2]), half(dOut),
                         gradientChunk(dm, 5, c), gradients[Fc2Bias].data_ptr<float>());
    gradients[Fc2Weight] = at::mm(dOut.t(), kept[Hidden]);
    const at::Tensor dHidden = at::mm(dOut, kept[Fc2Weight]);
    ew::geluGradient(t, dHidden.size(1), half(kept[Slope]), half(dHidden), gradients[Fc1Bias].data_ptr<float>());
    gradients[Fc1Weight] = at::mm(dHidden.t(), kept[Norm2]);
    const at::Tensor dNorm = at::mm(dHidden, kept[Fc1Weight]);
    ew::modulatedNormGradient(s.rows, half(dNorm), kept[Middle].data_ptr<float>(), kept[Mean2].data_ptr<float>(),
                              kept[Inverse2].data_ptr<float>(), chunk(m, 4, c), d.data_ptr<float>(),
                              gradientChunk(dm, 3, c), gradientChunk(dm, 4, c));
}

// The same for the attention part.
void attentionBackward(const Sizes& s, const variable_list& kept, const at::Tensor& d, variable_list& gradients) {
    const std::int64_t t = s.tokens(), c = s.rows.width, n = s.rows.tokens, bh = s.rows.images * s.heads.heads;
    const at::Tensor &m = kept[Modulation], &dm = gradients[Modulation];
    const at::Tensor dProjected = halfLike({t, c});
    ew::gatedAddGradient(s.rows, d.data_ptr<float>(), chunk(m, 2, c), half(kept[ProjBias]), half(kept[Projected]),
                         half(dProjected), gradientChunk(dm, 2, c), gradients[ProjBias].data_ptr<float>());
    gradients[ProjWeight] = at::mm(dProjected.t(), kept[Joined]);
    const at::Tensor dJoined = at::mm(dProjected, kept[ProjWeight]);
    const at::Tensor dMixed = halfLike({bh, n, s.heads.dim});
    ew::unjoinHeads(s.heads, half(dJoined), half(dMixed));
    const at::Tensor dV = at::bmm(kept[Weights].mT(), dMixed);
    const at::Tensor dScores = at::bmm(dMixed, kept[V].mT());
    ew::softmaxRowsGradient(bh * n, n, s.scale(), half(kept[Weights]), half(dScores));
    const at::Tensor dQ = at::bmm(dScores, kept[K]), dK = at::bmm(dScores.mT(), kept[Q]);
    const at::Tensor dQkv = halfLike({t, 3 * c});
    ew::packHeads(s.heads, half(dQ), half(dK), half(dV), turnsOf(kept), half(dQkv),
                  gradients[QkvBias].data_ptr<float>());
    angleBackward(s, kept, dQ, dK, gradients);
    gradients[QkvWeight] = at::mm(dQkv.t(), kept[Norm1]);
    const at::Tensor dNorm = at::mm(dQkv, kept[QkvWeight]);
    ew::modulatedNormGradient(s.rows, half(dNorm), kept[X].data_ptr<float>(), kept[Mean1].data_ptr<float>(),
                              kept[Inverse1].data_ptr<float>(), chunk(m, 1, c), d.data_ptr<float>(),
                              gradientChunk(dm, 0, c), gradientChunk(dm, 1, c));
}

// One block whose gradient is written by hand: inputs in the order of In, then the number of heads.
struct FusedBlock : torch::autograd::Function<FusedBlock> {
    static at::Tensor forward(AutogradContext* context, at::TensorList inputs, std::int64_t heads) {
        variable_list kept = inputs.vec();
        kept.resize(Out2 + 1);
        const Sizes sizes = sizesOf(inputs[X], heads);
        kept[Middle] = attentionForward(sizes, kept);
        const at::Tensor out = mlpForward(sizes, kept);
        context->save_for_backward(kept);
        context->saved_data["heads"] = heads;
        return out;
    }

    static variable_list backward(AutogradContext* context, const variable_list& outputs) {
        const variable_list kept = context->get_saved_variables();
        const Sizes sizes = sizesOf(kept[X], context->saved_data["heads"].toInt());
        variable_list gradients(Sin + 2);  // one more for the number of heads
        gradients[X] = outputs[0].clone(at::MemoryFormat::Contiguous);
        gradients[Modulation] = at::empty_like(kept[Modulation]);
        for (const In bias : {QkvBias, ProjBias, Fc1Bias, Fc2Bias}) gradients[bias] = at::empty(kept[bias].sizes());
        mlpBackward(sizes, kept, gradients[X], gradients);
        attentionBackward(sizes, kept, gradients[X], gradients);
        for (const In bias : {QkvBias, ProjBias, Fc1Bias, Fc2Bias}) gradients[bias] = gradients[bias].to(at::kBFloat16);
        return gradients;
    }
};

}  // namespace

at::Tensor fusedBlock(const WeightTable& w, const std::string& prefix, int heads, const at::Tensor& tokens,
                      const at::Tensor& modulation, const RotaryTable& rotary) {
    const auto cast = [&](const char* name) { return w.at(prefix + name).to(at::kBFloat16); };
    const variable_list inputs = {tokens,
                                  modulation,
                                  cast("attn.qkv.weight"),
                                  cast("attn.qkv.bias"),
                                  cast("attn.proj.weight"),
                                  cast("attn.proj.bias"),
                                  cast("mlp.fc1.weight"),
                                  cast("mlp.fc1.bias"),
                                  cast("mlp.fc2.weight"),
                                  cast("mlp.fc2.bias"),
                                  rotary.cos.contiguous(),
                                  rotary.sin.contiguous()};
    // A TensorList and nothing else: LibTorch looks for variables in no other container.
    return FusedBlock::apply(at::TensorList(inputs), heads);
}

RotaryTable layerTable(const WeightTable& w, int layer, const EncodingSpec& spec, Grid grid) {
    if (!spec.encoding->turns()) return {at::empty({0}), at::empty({0})};
    return rotaryTable(layerPositions(w, "blocks." + std::to_string(layer) + ".attn.", spec, layer).turning(), grid);
}

bool onProcessor(const WeightTable& w) {
    return w.begin()->second.is_cpu();
}

}  // namespace ropescope
