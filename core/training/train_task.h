// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <set>
#include <string>

#include "core/encoding/encoding.h"
#include "core/training/counter_random.h"
#include "core/training/dataset.h"
#include "core/training/model_file.h"
#include "core/training/train_settings.h"

namespace ropescope {

/// What a training is about: the network, its batches, its loss and its file. The trainer (steps, states, series) knows
/// nothing else of it. Made for one device.
class TrainTask {
public:
    virtual ~TrainTask() = default;
    [[nodiscard]] virtual WeightTable initialWeights() const = 0;   ///< drawn from the seed, on the processor
    [[nodiscard]] virtual std::set<std::string> fixed() const = 0;  ///< of these, what is never trained
    /// Loss of the batch of that step, which counts from 0; differentiable. Random in (seed, step) alone.
    [[nodiscard]] virtual at::Tensor loss(const WeightTable& leaves, std::int64_t step) const = 0;
    [[nodiscard]] virtual Result<void> save(const std::string& path, const WeightTable& weights, std::int64_t step,
                                            Share share) const = 0;
    [[nodiscard]] const Dataset& data() const { return m_data; }
    /// Full batches in one pass over the data, at least one.
    [[nodiscard]] std::int64_t stepsPerEpoch() const;

protected:
    TrainTask(const TrainSettings& settings, Dataset data, at::Device device)
        : m_settings(settings), m_data(std::move(data)), m_device(device) {}
    /// A fresh generator (on the processor, whatever the device) for one purpose at one step.
    [[nodiscard]] at::Generator random(Stream stream, std::int64_t step) const;
    /// Indices of the images of that step: every pass over the data in an order of its own.
    [[nodiscard]] at::Tensor chosen(std::int64_t step) const;
    [[nodiscard]] Grid grid() const;

    TrainSettings m_settings;
    Dataset m_data;
    at::Device m_device;
};

// Arguments: settings, data and the row of the encoding's table.
[[nodiscard]] std::unique_ptr<TrainTask> makeDitTask(const TrainSettings& settings, Dataset data,
                                                     const Encoding& encoding, at::Device device);
[[nodiscard]] std::unique_ptr<TrainTask> makeViTTask(const TrainSettings& settings, Dataset data,
                                                     const Encoding& encoding, at::Device device);

/// Reads the data and makes the task of settings.architecture ("dit" or "vit"). Errors: those of the data, of the
/// device, and Usage when the patch does not divide the images.
[[nodiscard]] Result<std::unique_ptr<TrainTask>> makeTask(const TrainSettings& settings);

}  // namespace ropescope
