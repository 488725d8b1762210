// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/encoding/extrapolation.h"
#include "core/kernel/field.h"
#include "core/model/dit.h"

namespace ropescope {

/// Everything of a sampling run that does not depend on the picture, computed before its loop.
struct DitConditions {
    std::vector<at::Tensor> blocks;  ///< per layer [E*U, 6C]: shift, scale, gate (attention), then of the MLP
    at::Tensor last;                 ///< [E*U, 2C]: shift, scale of the final norm
    std::int64_t distinct = 1;       ///< U: label rows that differ
    at::Tensor rowOf;                ///< [B] which of the U each image of the batch takes
    std::vector<at::Tensor> rotary;  ///< complex [N,1,1 or H,P]: none, one for all layers, or one per layer ..
    bool rotaryOfTime = false;       ///< .. times as many, in the order of the times
    at::Tensor added;                ///< [1,N,C] in the place of pos_embed; undefined: pos_embed itself
    Grid grid;
};

/// Layers whose attention is recorded, for the first `batch` images (the conditional half under guidance).
struct DitRecording {
    std::vector<bool> layers;
    std::int64_t batch = 1;
    std::vector<AttentionField> fields;  ///< result: per layer, undefined tensors where not asked for
    int watched = -1;                    ///< a layer whose queries and keys are wanted
    at::Tensor queries = {}, keys = {};  ///< result: of its first image, [H,N,D] after map and rotary
};

/// A DiT ready to sample: maps folded into the projections in float64, weights in the type and on the device of the
/// run, nothing differentiable. Equal to ditForward (tests/core/model/dit_inference_test.cpp). Thread-safe.
class DitInference {
public:
    /// `weights` as loaded: float32 on the CPU. `type` float32, bfloat16 or float16.
    DitInference(const WeightTable& weights, const DitShape& shape, at::Device device, at::ScalarType type);

    [[nodiscard]] const DitShape& shape() const { return m_shape; }
    [[nodiscard]] at::Device device() const { return m_device; }

    /// This network with changes of heads, from the network as stored: only the layers that they touch are folded anew,
    /// all other weights are shared. Null: as stored. Throws RefusedChange.
    [[nodiscard]] DitInference varied(HeadChangesPtr changes) const;

    /// Conditions of every model time for a batch with these labels (the null class is shape().classes). With a method
    /// of extrapolation, positions for `grid` are made from those of the `trained` one.
    [[nodiscard]] DitConditions conditions(const std::vector<double>& times, const std::vector<int>& labels, Grid grid,
                                           const Extrapolate& extrapolate = {}, Grid trained = {}) const;
    /// Bytes that the conditions of one model time take: long runs are conditioned in pieces.
    [[nodiscard]] std::int64_t conditionBytes(const std::vector<int>& labels) const;

    /// Output [B, outChannels, h, w], float32 on the device, for x [B, inChannels, h, w] of the conditions' grid.
    [[nodiscard]] at::Tensor forward(const at::Tensor& x, const DitConditions& conditions, int time,
                                     DitRecording* recording = nullptr) const;

private:
    struct Block {
        at::Tensor qkvWeight, qkvBias, projWeight, projBias, fc1Weight, fc1Bias, fc2Weight, fc2Bias;
        HeadMaps maps;  ///< transposed; undefined where they are folded or there are none
    };
    /// Maps that could not be folded, into the layer's block.
    void takeMaps(int layer);
    void addPositions(DitConditions& conditions, const std::vector<double>& times, const Extrapolate& extrapolate,
                      Grid trained) const;
    [[nodiscard]] at::Tensor attention(int layer, const at::Tensor& x, const DitConditions& conditions, int time,
                                       DitRecording* recording) const;

    /// Norms queries and keys in qkv [B,N,3,H,D] and maps them where the maps could not be folded; in place.
    void prepareHeads(int layer, const at::Tensor& qkv) const;
    /// Tokens behind a norm and its modulation.
    [[nodiscard]] at::Tensor tokensNormed(const std::string& name, Norm norm, double eps, const at::Tensor& x,
                                          const at::Tensor& shift, const at::Tensor& scale) const;

    DitShape m_shape;        ///< of the folded model: its encoding has no maps unless a norm stands before them
    DitShape m_stored;       ///< as loaded, without changes
    WeightTable m_unfolded;  ///< of the attentions, as loaded: what folding a layer anew needs; empty where not folded
    at::Device m_device;
    at::ScalarType m_type;
    WeightTable m_weights;
    std::vector<Block> m_blocks;
};

}  // namespace ropescope
