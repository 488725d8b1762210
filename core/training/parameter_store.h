// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <set>
#include <string>
#include <vector>

#include "core/encoding/encoding.h"

namespace ropescope {

/// AdamW's constants (arXiv 1711.05101) and what differs between kinds of parameters.
struct OptimizerSettings {
    double beta1 = 0.9;
    double beta2 = 0.99;
    double epsilon = 1e-8;
    double weightDecay = 0.01;    ///< on matrices of the network; biases, embeddings and maps are left alone
    double mapRateScale = 1;      ///< learning rate of the encoding's maps relative to the rest
    double sigmaDecay = 0;        ///< decay of sigma towards its start, singular value 1
    double clipNorm = 1;          ///< gradient norm above which the gradient is scaled down
    double averageDecay = 0.999;  ///< of the exponential moving average, shorter during the first steps
};

/// All trained numbers of a model in four flat float32 arrays (weights, their moving average, AdamW's two moments), so
/// that a step is one pass over memory and a checkpoint is four tensors. They lie on one device. Not copyable: the
/// leaves share its memory.
class ParameterStore {
public:
    /// Tensors named in `fixed` are handed through and never trained. On at::kCPU a step is one loop, elsewhere (and on
    /// a processor given by number) tensor operations.
    ParameterStore(const WeightTable& initial, const OptimizerSettings& settings,
                   const std::set<std::string>& fixed = {}, at::Device device = at::kCPU);
    ParameterStore(const ParameterStore&) = delete;
    ParameterStore& operator=(const ParameterStore&) = delete;

    /// Leaves that share the store's memory; backward() adds into the store's gradient.
    [[nodiscard]] const WeightTable& leaves() const { return m_leaves; }
    /// Views of the moving average, without gradient.
    [[nodiscard]] WeightTable average() const;
    /// One AdamW step with the gathered gradient, which is zeroed; `step` counts from 1. Returns the gradient's norm.
    double step(double rate, std::int64_t step);

    struct State {
        at::Tensor weights, average, first, second;  ///< flat float32
    };
    [[nodiscard]] State state() const { return m_state; }
    /// Copies a saved state in. Throws std::invalid_argument when the sizes differ.
    void restore(const State& saved);

private:
    /// What one step multiplies and adds, the same for all parameters.
    struct Factors {
        float clip, averageShare, beta1, beta2, correct2, epsilon;
        double rate, correct1;
    };
    void stepHere(const Factors& f);
    void stepOnDevice(const Factors& f);

    struct Range {
        std::string name;
        std::vector<std::int64_t> shape;
        std::int64_t begin = 0;
        std::int64_t size = 0;
        double rateScale = 1;
        double decay = 0;
        double decayTarget = 0;
    };
    OptimizerSettings m_settings;
    std::vector<Range> m_ranges;
    WeightTable m_fixed;
    WeightTable m_leaves;
    State m_state;
    at::Tensor m_gradient;
    at::Tensor m_rateScale, m_decay, m_target;  ///< per number; undefined where a loop does it
};

}  // namespace ropescope
