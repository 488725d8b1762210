// SPDX-License-Identifier: Apache-2.0
// A class-conditional DiT that learns to draw. Flow matching: x_t = (1-t) x0 + t eps, target v = eps - x0,
// t = sigmoid(normal), model time 1000 t.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include "core/training/fused_dit.h"
#include "core/training/tensor_array.h"
#include "core/training/train_task.h"

namespace ropescope {
namespace {

class DitTask final : public TrainTask {
public:
    DitTask(const TrainSettings& s, Dataset data, const Encoding& encoding, at::Device device)
        : TrainTask(s, std::move(data), device) {
        const int channels = static_cast<int>(m_data.images.size(1));
        m_shape = {s.layers,
                   s.heads,
                   s.headDim,
                   s.patch,
                   channels,
                   channels,
                   static_cast<int>(m_data.classNames.size()),
                   s.theta,
                   &encoding,
                   s.convention,
                   s.matrix,
                   s.sharing,
                   s.axisOrder};
    }

    WeightTable initialWeights() const override {
        return initialDitWeights(m_shape, grid(), streamSeed(m_settings.seed, Stream::Weights, 0));
    }
    std::set<std::string> fixed() const override { return {"pos_embed"}; }

    at::Tensor loss(const WeightTable& leaves, std::int64_t step) const override {
        const at::Tensor which = chosen(step), clean = toSignal(m_data.images.index_select(0, which));
        at::Generator noiseRandom = random(Stream::Noise, step), timeRandom = random(Stream::Times, step),
                      labelRandom = random(Stream::Labels, step);
        const at::Tensor noise = at::randn(clean.sizes(), noiseRandom);
        const at::Tensor time = at::sigmoid(at::randn({clean.size(0)}, timeRandom));
        const at::Tensor dropped = at::rand({clean.size(0)}, labelRandom) < m_settings.labelDropout;
        const at::Tensor t = time.view({-1, 1, 1, 1}), noisy = (1 - t) * clean + t * noise;
        const at::Tensor labels = m_data.labels.index_select(0, which).masked_fill(dropped, m_shape.classes);
        const at::Tensor out = trainingForward(leaves, m_shape, noisy.to(m_device), (time * 1000).to(m_device),
                                               labels.to(m_device), m_settings.precision);
        return at::mse_loss(out, (noise - clean).to(m_device));
    }

    Result<void> save(const std::string& path, const WeightTable& weights, std::int64_t step,
                      Share share) const override {
        ModelFile file = modelFile(m_settings, m_data, *m_shape.encoding, step, share);
        file.config["objective"] = "flow";
        file.config["classes"] = m_shape.classes;
        file.config["in_channels"] = file.config["out_channels"] = m_shape.inChannels;
        return saveModelFile(path, file, weights, share, [&](const WeightTable& stored) { return selfCheck(stored); });
    }

private:
    std::map<std::string, Array> selfCheck(const WeightTable& stored) const {
        const at::NoGradGuard noGrad;
        at::Generator generator = random(Stream::Check, 0);
        const at::Tensor x =
            at::randn({2, m_shape.inChannels, m_data.images.size(2), m_data.images.size(3)}, generator);
        const at::Tensor t = at::full({2}, 900.0);
        t[1] = 300.0;
        const at::Tensor y = at::full({2}, m_shape.classes, at::kLong);
        y[0] = 0;
        return {{"selfcheck.x", toArray(x, DType::F32)},
                {"selfcheck.t", toArray(t, DType::F32)},
                {"selfcheck.y", toArray(y, DType::I64)},
                {"selfcheck.out", toArray(ditForward(stored, m_shape, x, t, y), DType::F32)}};
    }

    DitShape m_shape;
};

}  // namespace

std::unique_ptr<TrainTask> makeDitTask(const TrainSettings& settings, Dataset data, const Encoding& encoding,
                                       at::Device device) {
    return std::make_unique<DitTask>(settings, std::move(data), encoding, device);
}

}  // namespace ropescope
