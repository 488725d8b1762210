// SPDX-License-Identifier: Apache-2.0
#include "core/model/variant.h"

#include <ATen/ATen.h>

namespace ropescope {

at::Tensor normed(const WeightTable& w, const std::string& name, Norm norm, double eps, const at::Tensor& x) {
    if (norm == Norm::None) return at::layer_norm(x, {x.size(-1)}, {}, {}, eps);
    const at::Tensor& weight = w.at(name + ".weight");
    if (norm == Norm::Layer) {
        const auto bias = w.find(name + ".bias");
        return at::layer_norm(x, {x.size(-1)}, weight, bias != w.end() ? bias->second : at::Tensor(), eps);
    }
    const at::ScalarType work = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const at::Tensor wide = x.to(work);
    return (wide * (wide.square().mean(-1, true) + eps).rsqrt() * weight.to(work)).to(x.scalar_type());
}

at::Tensor headNormed(const WeightTable& w, const std::string& name, const NetworkVariant& variant,
                      const at::Tensor& x) {
    return variant.headNorm == Norm::None ? x : normed(w, name, variant.headNorm, variant.headNormEps, x);
}

at::Tensor activated(const at::Tensor& x, Activation activation) {
    switch (activation) {
        case Activation::Gelu:
            return at::gelu(x);
        case Activation::GeluTanh:
            return at::gelu(x, "tanh");
        case Activation::QuickGelu:
            return x * at::sigmoid(1.702 * x);
        case Activation::Silu:
            return at::silu(x);
        case Activation::Relu:
            return at::relu(x);
    }
    return x;
}

at::Tensor switched(const at::Tensor& heads, const at::Tensor& factor) {
    return factor.defined() ? heads * factor.to(heads.options()).view({1, -1, 1, 1}) : heads;
}

at::Tensor linearOf(const WeightTable& w, const std::string& name, const at::Tensor& x) {
    const auto bias = w.find(name + ".bias");
    return at::linear(x, w.at(name + ".weight"), bias != w.end() ? bias->second : at::Tensor());
}

at::Tensor mlpOf(const WeightTable& w, const std::string& prefix, bool gated, Activation activation,
                 const at::Tensor& x) {
    if (!gated) return linearOf(w, prefix + "fc2", activated(linearOf(w, prefix + "fc1", x), activation));
    const std::vector<at::Tensor> halves = linearOf(w, prefix + "w12", x).chunk(2, -1);
    return linearOf(w, prefix + "w3", activated(halves[0], activation) * halves[1]);
}

}  // namespace ropescope
