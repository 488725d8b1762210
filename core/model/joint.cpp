// SPDX-License-Identifier: Apache-2.0
#include "core/model/joint.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>

#include "core/model/variant.h"

namespace ropescope {
namespace {

constexpr double kNormEps = 1e-6;

/// The maps on the tokens they are for. x [B,H,T+N,D].
at::Tensor mapped(const JointAttention& a, const at::Tensor& x, const at::Tensor& map) {
    // In float32 before the rotary positions, which are float32 too.
    const auto turn = [&](const at::Tensor& part) {
        return at::matmul(part.to(at::kFloat), map.to(part.device(), at::kFloat).mT()).to(part.scalar_type());
    };
    if (a.mapTokens == MapTokens::All || a.text == 0) return turn(x);
    return at::cat({x.narrow(2, 0, a.text), turn(x.narrow(2, a.text, x.size(2) - a.text))}, 2);
}

}  // namespace

at::Tensor dense(const WeightTable& w, const std::string& name, const at::Tensor& x) {
    const auto bias = w.find(name + ".bias");
    return at::linear(x, w.at(name + ".weight"), bias != w.end() ? bias->second : at::Tensor());
}

at::Tensor twoLayers(const WeightTable& w, const std::string& first, const std::string& second, const at::Tensor& x) {
    return dense(w, second, at::silu(dense(w, first, x)));
}

at::Tensor modulated(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale) {
    return at::layer_norm(x, {x.size(-1)}, {}, {}, kNormEps) * (1 + scale.unsqueeze(1)) + shift.unsqueeze(1);
}

at::Tensor rmsNorm(const at::Tensor& x, const at::Tensor& weight) {
    const at::Tensor wide = x.to(at::kFloat);
    const at::Tensor size = (wide.square().mean(-1, true) + kNormEps).rsqrt();
    return (wide * size * weight.to(at::kFloat)).to(x.scalar_type());
}

std::vector<at::Tensor> headsOf(const at::Tensor& qkv, int heads) {
    const at::Tensor parts = qkv.view({qkv.size(0), qkv.size(1), 3, heads, -1}).permute({2, 0, 3, 1, 4});
    return {parts[0], parts[1], parts[2]};
}

at::Tensor attend(const JointAttention& a, at::Tensor q, at::Tensor k, const at::Tensor& v) {
    if (a.taps->projected) a.taps->projected(a.layer, q, k, a.text);
    if (a.maps.query.defined()) {
        HeadMaps maps = a.maps;
        if (a.taps->maps) a.taps->maps(a.layer, maps);
        q = mapped(a, q, maps.query), k = mapped(a, k, maps.key);
    }
    if (a.rotary.cos.defined()) q = rotate(q, a.rotary), k = rotate(k, a.rotary);
    if (a.taps->queryKey) a.taps->queryKey(a.layer, q, k, a.text);
    at::Tensor out;
    if (a.taps->attention) {
        const double scale = std::pow(static_cast<double>(q.size(-1)), -0.5);
        const at::Tensor weight = at::softmax(at::matmul(q, k.mT()) * scale, -1);
        a.taps->attention(a.layer, weight, a.text);
        out = at::matmul(weight, v);
    } else {
        out = at::scaled_dot_product_attention(q, k, v);
    }
    return switched(out, a.output).transpose(1, 2).reshape({q.size(0), q.size(2), -1});
}

LayerPositions jointPositions(const WeightTable& block, const std::string& prefix, const EncodingSpec& spec,
                              int layer) {
    EncodingSpec own = spec;
    if (own.encoding->hasMaps()) {
        const std::string maps = prefix + std::string(own.encoding->map->prefix);
        const auto first = block.lower_bound(maps);
        // Maps may have been learned in other layers alone.
        if (first == block.end() || !first->first.starts_with(maps))
            own.encoding = findEncoding("none").value(), own.matrix = MatrixKind::None;
    }
    return layerPositions(block, prefix, own, layer);
}

Result<EncodingSpec> mapsOf(const ModelCard& card) {
    const bool maps = card.encoding == "harope";
    const auto encoding = findEncoding(maps ? "harope" : "none");
    if (!encoding) return failure(encoding.error());
    if (maps && card.convention != Convention::Same && card.convention != Convention::Inverse)
        return failure({ErrorKind::Usage, "convention", place({card.path}), "the file does not say how its maps enter",
                        "", "same or inverse", "Add --convention same or --convention inverse"});
    EncodingSpec spec{*encoding, card.heads, card.headDim, card.theta > 0 ? card.theta : 10000};
    spec.sharing = card.sharing;
    if (maps) spec.convention = card.convention, spec.matrix = card.matrix;
    return spec;
}

RotaryTable rotaryAt(const at::Tensor& positions, std::span<const int> dims, double theta, const Stretch& stretch,
                     const at::Tensor& scale) {
    std::vector<at::Tensor> angles, factors;
    const at::Tensor wide = positions.to(at::kCPU, at::kDouble);
    const int headDim = std::accumulate(dims.begin(), dims.end(), 0), image = static_cast<int>(dims.size()) - 2;
    for (int axis = 0; axis < static_cast<int>(dims.size()); ++axis) {
        const bool still = axis < image;  // no axis of the picture
        const StretchedLadder ladder =
            stretchedLadder(dims[axis], theta, headDim, still ? Stretch() : stretch, still ? 0 : axis - image);
        angles.push_back(at::outer(wide.select(1, axis), ladder.frequency));
        factors.push_back(at::full({dims[axis] / 2}, ladder.factor, at::kDouble));
    }
    at::Tensor angle = at::cat(angles, 1);
    if (scale.defined()) angle = angle * scale.to(angle.options()).view({-1, 1, 1});
    const at::Tensor factor = at::cat(factors);
    return {(angle.cos() * factor).to(at::kFloat), (angle.sin() * factor).to(at::kFloat)};
}

}  // namespace ropescope
