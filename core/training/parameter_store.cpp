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

constexpr const char* kFixed = "pos_embed";

bool endsWith(const std::string& text, std::string_view end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

ParameterStore::ParameterStore(const WeightTable& initial, const OptimizerSettings& settings) : m_settings(settings) {
    std::int64_t total = 0;
    for (const auto& [name, tensor] : initial) {
        if (name == kFixed) {
            m_fixed[name] = tensor;
            continue;
        }
        Range range{name, tensor.sizes().vec(), total, tensor.numel()};
        const bool map = isPositionParameter(name);
        if (map)
            range.rateScale = settings.mapRateScale;
        else if (tensor.dim() >= 2 && !name.starts_with("y_embedder"))
            range.decay = settings.weightDecay;
        if (endsWith(name, "sigma"))
            range.decay = settings.sigmaDecay, range.decayTarget = tensor.flatten()[0].item<float>();
        m_ranges.push_back(range);
        total += (tensor.numel() + 15) / 16 * 16;  // every tensor starts on a cache line
    }
    m_state = {at::zeros({total}), {}, at::zeros({total}), at::zeros({total})};
    m_gradient = at::zeros({total});
    for (const Range& r : m_ranges) {
        m_state.weights.narrow(0, r.begin, r.size).copy_(initial.at(r.name).flatten());
        at::Tensor leaf = m_state.weights.narrow(0, r.begin, r.size).view(r.shape).detach();
        leaf.set_requires_grad(true);
        leaf.mutable_grad() = m_gradient.narrow(0, r.begin, r.size).view(r.shape);
        m_leaves[r.name] = leaf;
    }
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
    const double norm = m_gradient.norm().item<double>();
    const float clip = static_cast<float>(norm > m_settings.clipNorm ? m_settings.clipNorm / norm : 1.0);
    const double count = static_cast<double>(step);
    const float decay = static_cast<float>(std::min(m_settings.averageDecay, (1 + count) / (10 + count)));
    const float b1 = static_cast<float>(m_settings.beta1), b2 = static_cast<float>(m_settings.beta2);
    const float correct2 = static_cast<float>(1 / std::sqrt(1 - std::pow(m_settings.beta2, count)));
    const float epsilon = static_cast<float>(m_settings.epsilon);
    for (const Range& r : m_ranges) {
        float* w = m_state.weights.data_ptr<float>() + r.begin;
        float* a = m_state.average.data_ptr<float>() + r.begin;
        float* m = m_state.first.data_ptr<float>() + r.begin;
        float* v = m_state.second.data_ptr<float>() + r.begin;
        float* g = m_gradient.data_ptr<float>() + r.begin;
        const float scaled = static_cast<float>(rate * r.rateScale / (1 - std::pow(m_settings.beta1, count)));
        const float shrink = static_cast<float>(rate * r.decay), target = static_cast<float>(r.decayTarget);
        for (std::int64_t i = 0; i < r.size; ++i) {
            const float gradient = g[i] * clip;
            m[i] += (1 - b1) * (gradient - m[i]);
            v[i] += (1 - b2) * (gradient * gradient - v[i]);
            w[i] -= shrink * (w[i] - target) + scaled * m[i] / (std::sqrt(v[i]) * correct2 + epsilon);
            a[i] += (1 - decay) * (w[i] - a[i]);
            g[i] = 0;
        }
    }
    return norm;
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
