// SPDX-License-Identifier: Apache-2.0
#include "core/engine/network/painter.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/engine/machine/kept.h"
#include "core/engine/network/flow_inputs.h"
#include "core/engine/network/loaded_model.h"
#include "core/engine/network/request_checks.h"
#include "core/sampling/schedule.h"

namespace ropescope {
namespace {

/// Latents [B,C,h,w] as tokens [B,N,4C]: channel, then the place inside 2x2.
at::Tensor packed(const at::Tensor& x) {
    const std::int64_t b = x.size(0), c = x.size(1), h = x.size(2) / 2, w = x.size(3) / 2;
    return x.reshape({b, c, h, 2, w, 2}).permute({0, 2, 4, 1, 3, 5}).reshape({b, h * w, 4 * c});
}
at::Tensor unpacked(const at::Tensor& tokens, std::int64_t h, std::int64_t w) {
    const std::int64_t b = tokens.size(0), c = tokens.size(2) / 4;
    return tokens.view({b, h / 2, w / 2, c, 2, 2}).permute({0, 3, 1, 4, 2, 5}).reshape({b, c, h, w});
}

at::Tensor imageIds(std::int64_t rows, std::int64_t cols) {
    at::Tensor ids = at::zeros({rows * cols, 3});
    auto p = ids.accessor<float, 2>();
    for (std::int64_t n = 0; n < rows * cols; ++n)
        p[n][1] = static_cast<float>(n / cols), p[n][2] = static_cast<float>(n % cols);
    return ids;
}

Result<std::shared_ptr<Painter>> open(const ModelRef& ref, const Compute& compute, std::uint64_t memory,
                                      at::Device device, const std::function<void(const std::string&)>& note) {
    const auto table = TensorTable::open(ref);
    if (!table) return failure(table.error());
    auto card = recognise(*table, ref);
    if (!card) return failure(card.error());
    const bool flux = card->architecture == "flux";
    if (!flux && card->architecture != "mmdit")
        return failure(optionError("--prompt", "this model takes no text", card->architecture, "a FLUX or SD3",
                                   "Use --class with a class-conditional DiT"));
    if (card->inChannels != card->outChannels && card->outChannels > 0)
        return failure(
            {ErrorKind::Refused, "needs-picture", place({ref.path}),
             "this model takes a picture or a mask beside the noise (FLUX.1 Fill, Canny, Depth, ...)",
             std::to_string(card->inChannels) + " channels in, " + std::to_string(card->outChannels) + " out",
             "as many", "It can be inspected; draw with a model that starts from noise alone"});
    if (auto complete = checkComplete(*table, *card); !complete) return failure(complete.error());
    auto fluxOwn = flux ? fluxShape(*card) : FluxShape{};
    if (!fluxOwn) return failure(fluxOwn.error());
    auto mmditOwn = flux ? MmditShape{} : mmditShape(*card);
    if (!mmditOwn) return failure(mmditOwn.error());
    std::vector<std::string> told;  // LoRAs first, then how the memory is used
    auto weights = storeFor(*table, ref, compute, memory, device, [&](const std::string& line) {
        told.push_back(line);
        if (note) note(line);
    });
    if (!weights) return failure(weights.error());
    told.resize(std::min(told.size(), ref.loras.size()));
    const TextRecipe text = textRecipeOf(*table, *card);
    return std::make_shared<Painter>(Painter{std::move(*card), text, std::move(*weights), std::move(*fluxOwn),
                                             std::move(*mmditOwn), std::move(told)});
}

Kept<Painter>& keptPainter() {
    static Kept<Painter> kept;
    return kept;
}

}  // namespace

at::Tensor Painter::predict(const at::Tensor& x, double time, const at::Tensor& words, const at::Tensor& pooled,
                            double guidance, const JointTaps& taps) {
    const std::int64_t batch = x.size(0);
    const at::Tensor states = words.expand({batch, -1, -1}), vector = pooled.expand({batch, -1});
    const auto times = [&](double value) { return at::full({batch}, value, at::kFloat); };
    if (!isFlux()) return mmditForward(weights, mmdit, {x, states, vector, times(time)}, taps).to(at::kFloat);
    FluxInput in{packed(x),
                 states,
                 vector,
                 times(time / kTrainedSteps),
                 card.guidanceInput ? times(guidance) : at::Tensor(),
                 imageIds(x.size(2) / 2, x.size(3) / 2),
                 at::zeros({states.size(1), 3})};
    return unpacked(fluxForward(weights, flux, in, taps).to(at::kFloat), x.size(2), x.size(3));
}

Result<std::shared_ptr<Painter>> openPainter(const ModelRef& ref, const Compute& compute, std::uint64_t memory,
                                             at::Device device, const std::function<void(const std::string&)>& note) {
    forgetModel();  // one model may fill the memory
    return keptPainter().get(identityOf(ref, device, compute.precision, memory),
                             [&] { return open(ref, compute, memory, device, note); });
}

std::shared_ptr<Painter> lastPainter() {
    return keptPainter().peek();
}

void forgetPainter() {
    keptPainter().forget();
}

}  // namespace ropescope
