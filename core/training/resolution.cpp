// SPDX-License-Identifier: Apache-2.0
#include "core/training/resolution.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>

#include "core/encoding/extrapolation.h"
#include "core/engine/machine/device.h"
#include "core/engine/network/loaded_model.h"

namespace ropescope {
namespace {

constexpr std::int64_t kBatch = 250;

Error unfit(ErrorKind kind, const std::string& where, std::string reason, std::string found, std::string expected) {
    return {kind,
            kind == ErrorKind::Usage ? "bad-option" : "not-a-classifier",
            where,
            std::move(reason),
            std::move(found),
            std::move(expected),
            "Choose another"};
}

Result<void> checkSettings(const ResolutionSettings& s, const LoadedModel& model, const Dataset& test) {
    const ModelCard& card = model.card;
    if (!model.vit)
        return failure(
            unfit(ErrorKind::Refused, place({card.path}), "this model classifies nothing", card.architecture, "vit"));
    if (test.images.size(1) != card.inChannels)
        return failure(unfit(ErrorKind::Refused, place({card.path}), "the model takes other images",
                             std::to_string(card.inChannels) + " channels",
                             std::to_string(test.images.size(1)) + " channels"));
    for (const int side : s.sides)
        if (side < card.patch || side % card.patch != 0 || side > 4096)
            return failure(unfit(ErrorKind::Usage, "--resolutions", "sides must be multiples of the patch",
                                 std::to_string(side), std::to_string(card.patch)));
    for (const Extrapolation method : s.methods)
        if (auto possible = checkExtrapolation(model.vit->shape().positions(), method); !possible) return possible;
    return {};
}

/// Wilson's interval for a share of n, 95 %.
void addInterval(ResolutionPoint& point) {
    const double n = point.images, p = point.top1, z = 1.959964;
    const double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
    const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    point.low = centre - half, point.high = centre + half;
}

double accuracy(const LoadedModel& model, const Dataset& test, std::int64_t count, int side, const Stretch& stretch) {
    std::int64_t right = 0;
    for (std::int64_t first = 0; first < count; first += kBatch) {
        const std::int64_t n = std::min(kBatch, count - first);
        at::Tensor x = toSignal(test.images.narrow(0, first, n));
        if (x.size(2) != side || x.size(3) != side) x = at::_upsample_bicubic2d_aa(x, {side, side}, false).clamp(-1, 1);
        const at::Tensor best = model.vit->forward(x, stretch).argmax(1).to(at::kCPU);
        right += best.eq(test.labels.narrow(0, first, n)).sum().item<std::int64_t>();
    }
    return static_cast<double>(right) / static_cast<double>(count);
}

}  // namespace

Result<std::vector<ResolutionPoint>> accuracyAtSides(const ResolutionSettings& s, const Dataset& test,
                                                     const std::function<void(const ResolutionPoint&)>& onPoint) {
    const c10::InferenceMode inference;
    const auto device = chooseDevice(s.compute.device);
    if (!device) return failure(device.error());
    useThreads(s.compute.threads);
    const auto model = loadModel(s.model, *device, s.compute.precision);
    if (!model) return failure(model.error());
    if (auto fits = checkSettings(s, **model, test); !fits) return failure(fits.error());
    const ModelCard& card = (*model)->card;
    const std::int64_t all = test.images.size(0), count = s.images > 0 ? std::min<std::int64_t>(s.images, all) : all;
    const int axes = (*model)->vit->shape().encoding->axes;
    std::vector<ResolutionPoint> points;
    for (const int side : s.sides)
        for (const Extrapolation method : s.methods) {
            const Grid grid{side / card.patch, side / card.patch};
            const Stretch stretch = stretchOf({method, {}, s.coupled, 1}, card.grid, grid, axes);
            ResolutionPoint point{side, method, static_cast<int>(count), 0, 0, 0};
            point.top1 = accuracy(**model, test, count, side, stretch);
            addInterval(point);
            points.push_back(point);
            if (onPoint) onPoint(point);
        }
    return points;
}

}  // namespace ropescope
