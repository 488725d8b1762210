// SPDX-License-Identifier: Apache-2.0
#include "core/engine/run/run.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <utility>

#include "core/engine/machine/device.h"
#include "core/engine/network/request_checks.h"
#include "core/engine/run/picture.h"
#include "core/engine/run/recipe.h"

namespace ropescope {
namespace {

/// What the recipes of all pictures of a run say alike.
Decided decidedBy(const RunSetting& setting, const std::string& device) {
    Decided decided;
    decided.sampler = setting.plan.sampler, decided.guidedChannels = setting.guided;
    decided.size = {setting.size.rows * setting.pixelsPerLatent, setting.size.cols * setting.pixelsPerLatent};
    decided.batch = setting.batch, decided.device = device;
    if (!setting.plan.flow.empty()) decided.levels = {setting.plan.flow.front().time, setting.plan.flow.front().next};
    return decided;
}

}  // namespace

Run::Run(std::unique_ptr<Network> network, std::shared_ptr<const Decoder> decoder, GenerateRequest request,
         std::vector<std::uint64_t> seeds, std::stop_token stop)
    : m_network(std::move(network)),
      m_decoder(std::move(decoder)),
      m_request(std::move(request)),
      m_seeds(std::move(seeds)),
      m_stop(std::move(stop)) {
    const RunSetting& set = setting();
    for (auto i = static_cast<std::uint64_t>(m_seeds.size()); std::cmp_less(i, set.batch); ++i)
        m_seeds.push_back(m_request.seed + i);
    for (const std::uint64_t seed : m_seeds) m_noise.emplace_back(seed);
    // Drawn even when a file gives the noise: the step noises then are the same stream's.
    const at::Tensor first = drawn();
    m_latents = (set.noise.defined() ? set.noise : first).to(m_network->device());
    m_device = describeCompute(m_network->device(), m_request.compute.precision, set.threads);
    if (!m_decoder) m_note = pictureNote(set.channels);
    for (const std::string& line : m_network->notes()) addNote(line);
}

Result<Run> Run::start(const GenerateRequest& request, const JobContext& context) {
    const c10::InferenceMode inference;
    auto network = openNetwork(request, context);
    if (!network) return failure(network.error());
    const int channels = (*network)->setting().channels;
    auto decoder = decoderFor(request.vae, request.model.path, channels, (*network)->device(),
                              usualLatents((*network)->card(), channels));
    if (!decoder) return failure(decoder.error());
    return over(std::move(*network), request, context, std::move(*decoder));
}

Result<Run> Run::over(std::unique_ptr<Network> network, const GenerateRequest& request, const JobContext& context,
                      std::shared_ptr<const Decoder> decoder, std::vector<std::uint64_t> seeds) {
    const c10::InferenceMode inference;
    if (auto ready = network->prepare(context); !ready) return failure(ready.error());
    return Run(std::move(network), std::move(decoder), request, std::move(seeds), context.stop);
}

Result<RunStep> Run::step(const LayerFn& onLayer) {
    const c10::InferenceMode inference;
    const int perStep = plan().evaluationsPerStep();
    RunStep out;
    out.step = m_done;
    out.fields = {m_done, steps(), plan().times[m_done * perStep], {}};
    Error ended;
    const auto predict = [&](const at::Tensor& x, int evaluation) {
        const bool first = evaluation % perStep == 0;
        auto said = m_network->predict(x, evaluation, {m_stop, onLayer, first ? &out.fields.heads : nullptr});
        if (said) return *said;
        ended = said.error();
        return at::Tensor();
    };
    const StepResult result = sampleStep(
        plan(), m_done, m_latents, predict, [this](int step) { return stepNoise(step); }, m_clean);
    if (!result.latents.defined()) return failure(ended);
    if (!at::isfinite(result.latents).all().item<bool>()) return failure(notFinite(m_request, m_done + 1));
    m_latents = out.latents = result.latents;
    m_clean = out.clean = result.clean;
    ++m_done;
    return out;
}

Result<std::vector<GeneratedImage>> Run::pictures() {
    const c10::InferenceMode inference;
    const std::uint64_t memory = m_network->store() ? m_request.text.memory : 0;
    Decided decided = decidedBy(setting(), m_device);
    GenerateRequest named = m_request;
    if (m_decoder) named.vae = m_decoder->path;
    std::vector<GeneratedImage> images;
    for (int i = 0; i < setting().batch; ++i) {
        if (m_stop.stop_requested()) return failure(cancelled());
        const DecodedPicture picture = m_decoder
                                           ? decodedBeside(m_network->store(), *m_decoder, m_latents[i], memory, m_stop)
                                           : DecodedPicture{m_latents[i]};
        if (!picture.pixels.defined()) return failure(cancelled());
        if (picture.tiled && m_note.find(kTiledNote) == std::string::npos) addNote(kTiledNote);
        decided.note = m_note, decided.image = i;
        decided.label = setting().labels.empty() ? 0 : setting().labels[i];
        images.push_back({m_seeds[i], decided.label,
                          pictureOf(picture.pixels, card().architecture), recipeOf(named, card(), decided)});
    }
    return images;
}

/// One draw of every image's stream, [B,C,h,w].
at::Tensor Run::drawn() {
    std::vector<at::Tensor> images;
    for (ImageNoise& noise : m_noise)
        images.push_back(noise.draw({setting().channels, setting().size.rows, setting().size.cols}));
    return at::stack(images);
}

at::Tensor Run::stepNoise(int step) {
    const at::Tensor noise = setting().stepNoise.defined() ? setting().stepNoise[step].unsqueeze(0) : drawn();
    return noise.to(m_network->device());
}

void Run::addNote(const std::string& words) {
    m_note += (m_note.empty() ? "" : "; ") + words;
}

}  // namespace ropescope
