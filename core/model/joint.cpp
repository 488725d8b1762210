// SPDX-License-Identifier: Apache-2.0
#include "core/model/joint.h"

#include <ATen/ATen.h>

#include <cmath>

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
    if (a.maps.query.defined()) {
        HeadMaps maps = a.maps;
        if (a.taps->maps) a.taps->maps(a.layer, maps);
        q = mapped(a, q, maps.query), k = mapped(a, k, maps.key);
    }
    if (a.rotary) q = rotate(q, *a.rotary), k = rotate(k, *a.rotary);
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
    return out.transpose(1, 2).reshape({q.size(0), q.size(2), -1});
}

HeadMaps jointMaps(const WeightTable& block, const std::string& prefix, const EncodingSpec& spec) {
    if (!spec.encoding || !spec.encoding->hasMaps()) return {};
    const std::string own = prefix + std::string(spec.encoding->map->prefix);
    const auto first = block.lower_bound(own);
    if (first == block.end() || !first->first.starts_with(own)) return {};
    return matrixMaps(spec.matrix, matrixWeights(block, prefix, spec), spec.convention);
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

RotaryTable rotaryAt(const at::Tensor& positions, std::span<const int> dims, double theta) {
    std::vector<at::Tensor> angles;
    const at::Tensor wide = positions.to(at::kCPU, at::kDouble);
    for (std::size_t axis = 0; axis < dims.size(); ++axis) {
        const at::Tensor k = at::arange(dims[axis] / 2, at::kDouble);
        const at::Tensor frequency = at::exp(k * (-2.0 / dims[axis] * std::log(theta)));
        angles.push_back(at::outer(wide.select(1, static_cast<std::int64_t>(axis)), frequency));
    }
    const at::Tensor angle = at::cat(angles, 1);
    return {angle.cos().to(at::kFloat), angle.sin().to(at::kFloat)};
}

}  // namespace ropescope
