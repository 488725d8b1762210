// SPDX-License-Identifier: Apache-2.0
#include "core/engine/network/painter.h"

#include <algorithm>
#include <mutex>
#include <string_view>
#include <utility>

#include "core/engine/machine/device.h"
#include "core/engine/machine/kept.h"
#include "core/engine/network/flow_inputs.h"
#include "core/engine/network/loaded_model.h"
#include "core/engine/network/request_checks.h"

namespace ropescope {
namespace {

struct Kind {
    std::string_view architecture;
    Result<PainterMaker> (*of)(const ModelCard&);
};
constexpr Kind kKinds[] = {{"flux", fluxPainter}, {"mmdit", sd3Painter}};

struct Painters {
    Kept<Painter> kept;
    std::mutex mutex;
    std::vector<std::weak_ptr<Painter>> living;  ///< what they are still to read of their weights is no longer free
};
Painters& painters() {
    static Painters all;
    return all;
}

std::uint64_t claimed(at::Device device) {
    Painters& all = painters();
    const std::lock_guard lock(all.mutex);
    std::erase_if(all.living, [](const auto& one) { return one.expired(); });
    std::uint64_t bytes = 0;
    for (const auto& one : all.living) {
        const std::shared_ptr<Painter> painter = one.lock();
        if (!painter || painter->weights().device() != device || painter->weights().streams()) continue;
        bytes += painter->weights().totalBytes() - painter->weights().keptBytes();
    }
    return bytes;
}

/// The limit of another painter: `memory`, or what is free and not claimed. 0: what is free.
std::uint64_t limitBeside(std::uint64_t memory, at::Device device) {
    const std::uint64_t others = claimed(device);
    if (memory > 0 || others == 0) return memory;
    const std::uint64_t free = freeBytes(device);
    return free == 0 ? 0 : std::max<std::uint64_t>(1, free - std::min(free, others));
}

Result<std::shared_ptr<Painter>> open(const ModelRef& ref, const Compute& compute, std::uint64_t memory,
                                      at::Device device, const std::function<void(const std::string&)>& note) {
    const auto table = TensorTable::open(ref);
    if (!table) return failure(table.error());
    auto card = recognise(*table, ref);
    if (!card) return failure(card.error());
    const auto kind = std::ranges::find(kKinds, card->architecture, &Kind::architecture);
    if (kind == std::end(kKinds))
        return failure(optionError("--prompt", "this model takes no text", card->architecture, "a FLUX or SD3",
                                   "Use --class with a class-conditional DiT"));
    if (card->inChannels != card->outChannels && card->outChannels > 0)
        return failure(
            {ErrorKind::Refused, "needs-picture", place({ref.path}),
             "this model takes a picture or a mask beside the noise (FLUX.1 Fill, Canny, Depth, ...)",
             std::to_string(card->inChannels) + " channels in, " + std::to_string(card->outChannels) + " out",
             "as many", "It can be inspected; draw with a model that starts from noise alone"});
    if (auto complete = checkComplete(*table, *card); !complete) return failure(complete.error());
    const auto make = kind->of(*card);
    if (!make) return failure(make.error());
    std::vector<std::string> told;  // LoRAs first, then how the memory is used
    auto weights = storeFor(*table, ref, compute, limitBeside(memory, device), device, [&](const std::string& line) {
        told.push_back(line);
        if (note) note(line);
    });
    if (!weights) return failure(weights.error());
    told.resize(std::min(told.size(), ref.loras.size()));
    const TextRecipe text = textRecipeOf(*table, *card);
    auto painter = (*make)({std::move(*card), text, std::move(*weights), std::move(told)});
    Painters& all = painters();
    const std::lock_guard lock(all.mutex);
    all.living.push_back(painter);
    return painter;
}

}  // namespace

Result<std::shared_ptr<Painter>> openPainter(const ModelRef& ref, const Compute& compute, std::uint64_t memory,
                                             at::Device device, const std::function<void(const std::string&)>& note) {
    forgetModel();  // one model may fill the memory
    ModelRef source = withoutChanges(ref);
    std::vector<double> strengths;
    for (LoraRef& lora : source.loras) strengths.push_back(std::exchange(lora.strength, 1));
    const auto load = [&] { return open(ref, compute, memory, device, note); };
    const Identity identity = identityOf(source, device, compute.precision, memory);
    auto painter = painters().kept.get(identity, load);
    if (!painter || (*painter)->weights().changes().strengths == strengths) return painter;
    if ((*painter)->weights().changes().dials() && painter->use_count() <= 2) {  // ours and the kept one
        (*painter)->weights().setStrengths(std::move(strengths));
        return painter;
    }
    // A run that goes on keeps its own, and DoRA's has no other strength.
    painter = {};
    forgetPainter();
    return painters().kept.get(identity, load);
}

std::shared_ptr<Painter> lastPainter() {
    return painters().kept.peek();
}

void forgetPainter() {
    painters().kept.forget();
}

}  // namespace ropescope
