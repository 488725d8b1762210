// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <chrono>

#include "core/engine/bench/bench.h"
#include "core/engine/machine/device.h"
#include "core/model/vit_inference.h"

namespace ropescope {
namespace {

using Clock = std::chrono::steady_clock;

struct Candidate {
    const char* row;
    const char* what;
    ViTInference model;
    std::vector<double> seconds = {};
};

/// ViT-B/16 at 224 x 224, 1000 classes, random weights.
ViTInference baseModel(const char* encoding, ViTTable table, bool layerScale, at::Device device) {
    ViTShape shape;
    shape.layers = 12, shape.heads = 12, shape.headDim = 64, shape.patch = 16, shape.classes = 1000;
    shape.encoding = findEncoding(encoding).value();
    shape.order = AxisOrder::ColumnFirst;
    shape.table = table, shape.tableGrid = {14, 14}, shape.layerScale = layerScale;
    return {initialViTWeights(shape, {14, 14}, 1), shape, device, at::kFloat};
}

}  // namespace

std::vector<BenchRow> benchViTB16(const BenchOptions& options) {
    const c10::InferenceMode inference;
    const at::Device device = chooseDevice(options.device).value();
    Candidate candidates[] = {
        {"vit_b16_forward", "vit_base_patch16_224, one picture",
         baseModel("absolute", ViTTable::WithClass, false, device)},
        {"vit_b16_rope_forward", "vit_base_patch16_rope_224, one picture",
         baseModel("axial", ViTTable::None, true, device)},
        {"vit_b16_rope_mixed_forward", "vit_base_patch16_rope_mixed_224, one picture",
         baseModel("mixed", ViTTable::None, true, device)},
    };
    const at::Tensor x = at::zeros({1, 3, 224, 224}, device);
    for (int i = -1; i < options.repeat; ++i) {  // one round to warm up
        for (Candidate& c : candidates) {
            const Clock::time_point start = Clock::now();
            (void)c.model.forward(x).sum().item<float>();  // waits for a GPU
            if (i >= 0) c.seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
        }
    }
    std::vector<BenchRow> rows;
    for (const Candidate& c : candidates) rows.push_back({c.row, "s", c.what, {}, median(c.seconds), ""});
    return rows;
}

}  // namespace ropescope
