// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/data/analysis.h"
#include "core/kernel/field.h"
#include "core/probe/head_operator.h"
#include "core/probe/sample_statistic.h"

namespace ropescope {

/// Share of the variance of all logits q_i . k_j that lies between offsets, not inside them, [0,1]; NaN when all logits
/// are equal. q, k [N,D] of one head of one image after map and rotary, float32, tokens of the grid row by row. One
/// N x N matrix at a time. Checked by tests/core/probe/calibration_test.cpp.
[[nodiscard]] double offsetShare(const at::Tensor& q, const at::Tensor& k, Grid grid);

/// The heads of one layer that are measured, with what the weights say of them.
struct CalibratedLayer {
    int layer = 0;
    std::vector<int> heads;               ///< n of them
    std::vector<HeadOperator> operators;  ///< [n]; empty maps where marked
    std::vector<std::string> problems;    ///< [n]
};

/// What attention does in one pass of one image, one layer: image tokens only.
struct AttentionSample {
    at::Tensor fieldSum;              ///< [n, 2h-1, 2w-1]
    at::Tensor entropy;               ///< [n] nats
    std::vector<double> offsetShare;  ///< [n]
};

/// Collects numbers and curves of heads over images (of the head; core/probe/README.md). Every number is taken per
/// image (its steps averaged), then averaged over images with its standard error; second moments, contents and fields
/// are pooled. Holds O(H D^2) numbers whatever the images' size. Used by one thread.
/// Checked by tests/core/probe/calibration_test.cpp against closed forms.
class Calibration {
public:
    /// `steps`: passes of each image, at least 1. `grid`: tokens of one image.
    Calibration(std::vector<CalibratedLayer> layers, Grid grid, int steps);
    ~Calibration();
    Calibration(const Calibration&) = delete;
    Calibration& operator=(const Calibration&) = delete;

    [[nodiscard]] const std::vector<CalibratedLayer>& layers() const { return m_layers; }
    /// Content of one layer (an index of layers()) in one pass: projections before the map [n,N,D], any float type.
    void addContent(int index, int step, const at::Tensor& q, const at::Tensor& k);
    void addAttention(int index, int step, const AttentionSample& sample);
    /// All passes of one image have been added.
    void finishImage();

    [[nodiscard]] int images() const { return m_images; }
    /// layers * heads numbers and the curves; what the engine knows (source, device, times) is left open.
    [[nodiscard]] CalibrationReport report(int layers, int heads) const;

private:
    struct Head;
    [[nodiscard]] HeadCalibration curves(const Head& head) const;

    std::vector<CalibratedLayer> m_layers;
    Grid m_grid;
    int m_steps = 1;
    int m_images = 0;
    std::vector<std::vector<Head>> m_heads;  ///< [layer][slot]
};

}  // namespace ropescope
