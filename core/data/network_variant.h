// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ropescope {

/// Norms: with weight and bias, or by the root of the mean square with a weight. None: without parameters (a DiT's
/// blocks: LayerNorm all the same) or, of queries and keys, no norm at all.
enum class Norm { None, Layer, Rms };
enum class Activation { Gelu, GeluTanh, QuickGelu, Silu, Relu };
/// What a classifier makes of its tokens. Map: attention of one learned query (attn_pool).
enum class Pool { Token, Average, AverageMax, Max, Map };

/// Noisy pictures x = a(u) data + b(u) noise, u = 0 data, u = 1 noise. Linear: 1-u, u. Cosine: cos, sin of pi u / 2
/// (SiT's GVP). Preserving: ln a = -(20-0.1)/4 u^2 - 0.1/2 u, b = sqrt(1-a^2) (SiT's VP).
enum class NoisePath { Linear, Cosine, Preserving };
/// What the network says: the velocity of the path, the score, or the noise.
enum class Prediction { Velocity, Score, Noise };

/// How a flow model counts time and what it predicts (arXiv 2401.08740, 2410.06940).
struct FlowKind {
    NoisePath path = NoisePath::Linear;
    Prediction prediction = Prediction::Velocity;
    bool noiseAtZero = false;  ///< time runs from noise at 0 to data at 1 (SiT); else noise is at 1
    double scale = 1000;       ///< of the time in (0, 1] that the network is given
    bool operator==(const FlowKind&) const = default;
};

/// What `--time` says: "ddpm", "flow" (noise at 1, times 1000), "sit" (noise at 0, unscaled) or "repa" (noise at 1,
/// unscaled), the last two with ":linear|cosine|vp" and ":velocity|score|noise" behind where they differ.
struct TimeChoice {
    std::string objective;  ///< ddpm | flow
    FlowKind flow;
};
/// Nothing for another text.
[[nodiscard]] std::optional<TimeChoice> timeChoice(std::string_view text);
/// The text that gives this choice.
[[nodiscard]] std::string timeText(const std::string& objective, const FlowKind& flow);
/// In words, for notes: "noise at 0, data at 1, linear path, velocity".
[[nodiscard]] std::string describeTime(const FlowKind& flow);

/// Where relatives of the DiT and the ViT differ from the first ones.
struct NetworkVariant {
    Norm norm = Norm::None;      ///< of the blocks
    Norm lastNorm = Norm::None;  ///< before the last projection
    Norm headNorm = Norm::None;  ///< of every head's queries and keys, before positions
    bool gated = false;          ///< MLP w3(act(a) b), (a, b) the halves of w12
    bool qkvBias = true;
    Activation activation = Activation::Gelu;
    double normEps = 1e-6;
    double headNormEps = 1e-6;
    int registers = 0;        ///< tokens without a place behind the class token
    bool distilled = false;   ///< a second class token with a head of its own
    bool normBefore = false;  ///< norm_pre: before the first block
    bool normAfter = false;   ///< fc_norm: behind the pooling, in the place of `norm`
    Pool pool = Pool::Token;
    bool operator==(const NetworkVariant&) const = default;
};

template <class V>
void fields(V& v, FlowKind& f) {
    v("path", f.path), v("prediction", f.prediction), v("noise_at_zero", f.noiseAtZero), v("scale", f.scale);
}
template <class V>
void fields(V& v, NetworkVariant& n) {
    v("norm", n.norm), v("last_norm", n.lastNorm), v("head_norm", n.headNorm), v("gated", n.gated),
        v("qkv_bias", n.qkvBias), v("activation", n.activation), v("norm_eps", n.normEps),
        v("head_norm_eps", n.headNormEps), v("registers", n.registers), v("distilled", n.distilled),
        v("norm_before", n.normBefore), v("norm_after", n.normAfter), v("pool", n.pool);
}

}  // namespace ropescope
