// SPDX-License-Identifier: Apache-2.0
// A ViT that learns to say what is on a picture: cross entropy, no augmentation.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include "core/training/fused_vit.h"
#include "core/training/tensor_array.h"
#include "core/training/train_task.h"

namespace ropescope {
namespace {

class ViTTask final : public TrainTask {
public:
    ViTTask(const TrainSettings& s, Dataset data, const Encoding& encoding, at::Device device)
        : TrainTask(s, std::move(data), device),
          m_shape(trainedViTShape(s, encoding, static_cast<int>(m_data.images.size(1)),
                                  static_cast<int>(m_data.classNames.size()), grid())) {}

    WeightTable initialWeights() const override {
        return initialViTWeights(m_shape, grid(), streamSeed(m_settings.seed, Stream::Weights, 0));
    }
    std::set<std::string> fixed() const override { return {}; }

    at::Tensor loss(const WeightTable& leaves, std::int64_t step) const override {
        const at::Tensor which = chosen(step), x = toSignal(m_data.images.index_select(0, which));
        const at::Tensor labels = m_data.labels.index_select(0, which);
        return at::cross_entropy_loss(trainingForward(leaves, m_shape, x.to(m_device), m_settings.precision),
                                      labels.to(m_device));
    }

    Result<void> save(const std::string& path, const WeightTable& weights, std::int64_t step,
                      Share share) const override {
        ModelFile file = modelFile(m_settings, m_data, *m_shape.encoding, step, share);
        file.config["objective"] = "classify";
        file.config["classes"] = m_shape.classes;
        file.config["in_channels"] = m_shape.inChannels;
        file.config["class_token"] = true;
        if (m_shape.encoding->hasMaps()) file.config["map_tokens"] = "all";
        file.config["mean"] = file.config["std"] = std::vector<double>(m_shape.inChannels, 0.5);  // toSignal
        file.config["interpolation"] = "bicubic";
        file.config["crop_pct"] = 1.0;
        return saveModelFile(path, file, weights, share, [&](const WeightTable& stored) { return selfCheck(stored); });
    }

private:
    std::map<std::string, Array> selfCheck(const WeightTable& stored) const {
        const at::NoGradGuard noGrad;
        at::Generator generator = random(Stream::Check, 0);
        const at::Tensor x =
            at::randn({2, m_shape.inChannels, m_data.images.size(2), m_data.images.size(3)}, generator);
        return {{"selfcheck.x", toArray(x, DType::F32)},
                {"selfcheck.out", toArray(vitForward(stored, m_shape, x), DType::F32)}};
    }

    ViTShape m_shape;
};

}  // namespace

ViTShape trainedViTShape(const TrainSettings& s, const Encoding& encoding, int channels, int classes, Grid grid) {
    ViTShape shape;
    shape.layers = s.layers, shape.heads = s.heads, shape.headDim = s.headDim, shape.patch = s.patch;
    shape.inChannels = channels, shape.classes = classes;
    shape.theta = s.theta, shape.encoding = &encoding, shape.convention = s.convention;
    shape.matrix = s.matrix, shape.sharing = s.sharing, shape.order = s.axisOrder;
    if (encoding.added == PositionTable::Added) shape.table = ViTTable::WithClass, shape.tableGrid = grid;
    return shape;
}

std::unique_ptr<TrainTask> makeViTTask(const TrainSettings& settings, Dataset data, const Encoding& encoding,
                                       at::Device device) {
    return std::make_unique<ViTTask>(settings, std::move(data), encoding, device);
}

}  // namespace ropescope
