// SPDX-License-Identifier: Apache-2.0
#include "core/training/parameter_store.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace ropescope {
namespace {

bool endsWith(const std::string& text, std::string_view end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Matrices shrink; embeddings, position tables and the class token do not.
bool decays(const std::string& name, const at::Tensor& t) {
    return t.dim() >= 2 && !name.starts_with("y_embedder") && name != "pos_embed" && name != "cls_token";
}

}  // namespace

ParameterStore::ParameterStore(const WeightTable& initial, const OptimizerSettings& settings,
                               const std::set<std::string>& fixed, at::Device device)
    : m_settings(settings) {
    std::int64_t total = 0;
    for (const auto& [name, tensor] : initial) {
        if (fixed.contains(name)) {
            m_fixed[name] = tensor.to(device);
            continue;
        }
        Range range{name, tensor.sizes().vec(), total, tensor.numel()};
        const bool map = isPositionParameter(name);
        if (map)
            range.rateScale = settings.mapRateScale;
        else if (decays(name, tensor))
            range.decay = settings.weightDecay;
        if (endsWith(name, "sigma"))
            range.decay = settings.sigmaDecay, range.decayTarget = tensor.flatten()[0].item<float>();
        m_ranges.push_back(range);
        total += (tensor.numel() + 15) / 16 * 16;  // every tensor starts on a cache line
    }
    const at::TensorOptions options = at::TensorOptions(at::kFloat).device(device);
    m_state = {at::zeros({total}, options), {}, at::zeros({total}, options), at::zeros({total}, options)};
    m_gradient = at::zeros({total}, options);
    if (device != at::kCPU)
        m_rateScale = at::zeros({total}), m_decay = at::zeros({total}), m_target = at::zeros({total});
    for (const Range& r : m_ranges) {
        m_state.weights.narrow(0, r.begin, r.size).copy_(initial.at(r.name).flatten());
        at::Tensor leaf = m_state.weights.narrow(0, r.begin, r.size).view(r.shape).detach();
        leaf.set_requires_grad(true);
        leaf.mutable_grad() = m_gradient.narrow(0, r.begin, r.size).view(r.shape);
        m_leaves[r.name] = leaf;
        if (!m_decay.defined()) continue;
        m_rateScale.narrow(0, r.begin, r.size).fill_(r.rateScale);
        m_decay.narrow(0, r.begin, r.size).fill_(r.decay);
        m_target.narrow(0, r.begin, r.size).fill_(r.decayTarget);
    }
    for (at::Tensor* t : {&m_rateScale, &m_decay, &m_target})
        if (t->defined()) *t = t->to(device);
    m_leaves.insert(m_fixed.begin(), m_fixed.end());
    m_state.average = m_state.weights.clone();
}

WeightTable ParameterStore::average() const {
    WeightTable table = m_fixed;
    for (const Range& r : m_ranges) table[r.name] = m_state.average.narrow(0, r.begin, r.size).view(r.shape);
    return table;
}

double ParameterStore::step(double rate, std::int64_t step) {
    const at::NoGradGuard noGrad;
    const double norm = m_gradient.norm().item<double>(), count = static_cast<double>(step);
    const double decay = std::min(m_settings.averageDecay, (1 + count) / (10 + count));
    const Factors factors{static_cast<float>(norm > m_settings.clipNorm ? m_settings.clipNorm / norm : 1.0),
                          1 - static_cast<float>(decay),
                          static_cast<float>(m_settings.beta1),
                          static_cast<float>(m_settings.beta2),
                          static_cast<float>(1 / std::sqrt(1 - std::pow(m_settings.beta2, count))),
                          static_cast<float>(m_settings.epsilon),
                          rate,
                          1 - std::pow(m_settings.beta1, count)};
    m_decay.defined() ? stepOnDevice(factors) : stepHere(factors);
    return norm;
}

void ParameterStore::stepHere(const Factors& f) {
    for (const Range& r : m_ranges) {
        float* w = m_state.weights.data_ptr<float>() + r.begin;
        float* a = m_state.average.data_ptr<float>() + r.begin;
        float* m = m_state.first.data_ptr<float>() + r.begin;
        float* v = m_state.second.data_ptr<float>() + r.begin;
        float* g = m_gradient.data_ptr<float>() + r.begin;
        const float scaled = static_cast<float>(f.rate * r.rateScale / f.correct1);
        const float shrink = static_cast<float>(f.rate * r.decay), target = static_cast<float>(r.decayTarget);
        for (std::int64_t i = 0; i < r.size; ++i) {
            const float gradient = g[i] * f.clip;
            m[i] += (1 - f.beta1) * (gradient - m[i]);
            v[i] += (1 - f.beta2) * (gradient * gradient - v[i]);
            w[i] -= shrink * (w[i] - target) + scaled * m[i] / (std::sqrt(v[i]) * f.correct2 + f.epsilon);
            a[i] += f.averageShare * (w[i] - a[i]);
            g[i] = 0;
        }
    }
}

void ParameterStore::stepOnDevice(const Factors& f) {
    const auto& [w, a, m, v] = m_state;
    m_gradient.mul_(f.clip);
    m.lerp_(m_gradient, 1 - f.beta1);
    v.lerp_(m_gradient.square(), 1 - f.beta2);
    const at::Tensor move = m_rateScale * m / (v.sqrt() * f.correct2 + f.epsilon) * (f.rate / f.correct1);
    w.sub_(move + m_decay * (w - m_target) * f.rate);
    a.lerp_(w, f.averageShare);
    m_gradient.zero_();
}

void ParameterStore::restore(const State& saved) {
    const at::NoGradGuard noGrad;
    for (const auto& [to, from] : {std::pair(m_state.weights, saved.weights), std::pair(m_state.average, saved.average),
                                   std::pair(m_state.first, saved.first), std::pair(m_state.second, saved.second)}) {
        if (from.numel() != to.numel()) throw std::invalid_argument("the saved state belongs to another model");
        to.copy_(from);
    }
}

}  // namespace ropescope
