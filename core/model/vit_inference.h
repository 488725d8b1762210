// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/encoding/extrapolation.h"
#include "core/model/vit.h"

namespace ropescope {

/// A ViT ready to classify: maps folded into the projections in float64 where the class token allows it, weights in the
/// type and on the device of the run, fused attention, nothing differentiable. Equal to vitForward within rounding
/// (tests/core/model/vit_test.cpp). Thread-safe.
class ViTInference {
public:
    /// `weights` as loaded: float32 on the CPU. `type` float32, bfloat16 or float16.
    ViTInference(const WeightTable& weights, const ViTShape& shape, at::Device device, at::ScalarType type);

    [[nodiscard]] const ViTShape& shape() const { return m_shape; }

    /// As DitInference::varied().
    [[nodiscard]] ViTInference varied(HeadChangesPtr changes) const;

    /// Logits [B, classes], float32 on the device, for normalised x [B, inChannels, h, w] of any device and type.
    /// `stretch`: frequencies for a grid larger than the trained one. A position table is resampled in any case.
    [[nodiscard]] at::Tensor forward(const at::Tensor& x, const Stretch& stretch = {}) const;

private:
    struct Block {
        WeightTable weights;  ///< of one block, names without its prefix
        HeadMaps maps;        ///< of the patches, where they could not be folded
    };
    void takeMaps(int layer);
    [[nodiscard]] at::Tensor attention(const Block& block, const at::Tensor& x, const at::Tensor& rotary) const;
    [[nodiscard]] std::vector<at::Tensor> rotaries(Grid grid, const Stretch& stretch) const;

    ViTShape m_shape;        ///< of the folded model
    ViTShape m_stored;       ///< as loaded, without changes
    WeightTable m_unfolded;  ///< of the attentions, as loaded; empty where not folded
    at::Device m_device;
    at::ScalarType m_type;
    WeightTable m_weights;  ///< of the embedding and the head, and what positions need
    std::vector<Block> m_blocks;
};

}  // namespace ropescope
