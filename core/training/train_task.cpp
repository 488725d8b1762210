// SPDX-License-Identifier: Apache-2.0
#include "core/training/train_task.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "core/engine/machine/device.h"

namespace ropescope {

std::int64_t TrainTask::stepsPerEpoch() const {
    return std::max<std::int64_t>(1, m_data.images.size(0) / m_settings.batch);
}

at::Generator TrainTask::random(Stream stream, std::int64_t step) const {
    return at::make_generator<at::CPUGeneratorImpl>(
        streamSeed(m_settings.seed, stream, static_cast<std::uint64_t>(step)));
}

at::Tensor TrainTask::chosen(std::int64_t step) const {
    const std::int64_t images = m_data.images.size(0), perEpoch = stepsPerEpoch();
    at::Generator order = random(Stream::Order, step / perEpoch);
    const std::int64_t begin = step % perEpoch * m_settings.batch;
    return at::randperm(images, order, at::kLong)
        .narrow(0, begin, std::min<std::int64_t>(m_settings.batch, images - begin));
}

Grid TrainTask::grid() const {
    return {static_cast<int>(m_data.images.size(2)) / m_settings.patch,
            static_cast<int>(m_data.images.size(3)) / m_settings.patch};
}

Result<std::unique_ptr<TrainTask>> makeTask(const TrainSettings& s) {
    const Result<at::Device> device = chooseDevice(s.device);
    if (!device) return failure(device.error());
    const Result<const Encoding*> encoding = findEncoding(s.encoding);
    if (!encoding) return failure(encoding.error());
    Result<Dataset> data = readTrainingSet(s.data);
    if (!data) return failure(data.error());
    if (s.images > 0 && s.images < data->images.size(0)) {
        data->images = data->images.narrow(0, 0, s.images);
        data->labels = data->labels.narrow(0, 0, s.images);
    }
    if (data->images.size(2) % s.patch != 0 || data->images.size(3) % s.patch != 0)
        return failure({ErrorKind::Usage, "patch", "train > --patch", "the patch does not divide the images",
                        std::to_string(s.patch), "a divisor of " + std::to_string(data->images.size(2)),
                        "Choose another --patch"});
    // Bf16 on a GPU: its products take the inputs' upper 19 bits, sums stay float32.
    if (device->is_cuda())
        at::globalContext().setFloat32MatmulPrecision(s.precision == Precision::Bf16 ? "high" : "highest");
    const auto make = s.architecture == "vit" ? makeViTTask : makeDitTask;
    return make(s, std::move(*data), **encoding, *device);
}

}  // namespace ropescope
