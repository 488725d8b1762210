// SPDX-License-Identifier: Apache-2.0
#include "app/engine/run_options.h"

#include <charconv>

#include "app/engine/model_options.h"
#include "core/checkpoint/tensor_table.h"
#include "core/data/usual_run.h"

namespace ropescope {

void RunOptions::addTo(CLI::App& command) {
    GenerateRequest& r = values;
    addModelOptions(command, r.model);
    addVariationOption(command, r.model);
    addComputeOptions(command, r.compute);
    const std::size_t shared = command.get_options().size();
    CLI::Option* classes = command.add_option("--class", r.labels, "class number; 1,5,7: one per image");
    CLI::Option* prompt =
        command.add_option("--prompt", m_prompt, "text, for a diffusers folder of FLUX or SD3 with its encoders");
    classes->excludes(prompt)->check(CLI::Range(0, 1'000'000))->delimiter(',')->allow_extra_args(false);
    command.add_option("--negative", r.text.negative, "text to stay away from (FLUX: with --true-guidance)");
    CLI::Option* embeddings = command.add_option(
        "--embeddings", r.text.embeddings,
        "FLUX, SD3: safetensors file with encoder_hidden_states and pooled_projections, and negative_...");
    embeddings->excludes(prompt);
    command
        .add_option("--true-guidance", r.text.trueGuidance, "FLUX: weight against the negative text; 1: none (default)")
        ->check(CLI::Range(0.0, 100.0));
    command.add_option("--shift", r.text.shift, "FLUX, SD3: of the noise levels (default: the model's usual one)")
        ->check(CLI::Range(1e-3, 1e3));
    command.add_option(
        "--encoders", r.text.encoders,
        "FLUX, SD3: folder with text encoders and tokenizers, of diffusers or as files (default: the model's own)");
    addMemoryOption(command, r.text.memory);
    command.add_option("--seed", r.seed, "image i uses seed + i (default 0)")->check([](const std::string& text) {
        std::uint64_t seed = 0;
        const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), seed);
        const bool fits = wrong == std::errc() && end == text.data() + text.size();
        return fits ? std::string() : "a seed is 0 to 18446744073709551615, found " + printable(text, 40);
    });
    m_steps = command.add_option("--steps", r.steps, "sampling steps (default 20; FLUX, SD3: 28; FLUX schnell: 4)")
                  ->check(CLI::Range(1, 1000));
    m_guidance = command
                     .add_option("--guidance", r.guidance,
                                 "weight against no class or the negative text; FLUX dev: its input; 1: none "
                                 "(default 2; FLUX, SD3: 3.5; FLUX schnell has none)")
                     ->check(CLI::Range(0.0, 100.0));
    addChoice<GuidanceChannels>(command, "--guidance-channels", r.guidanceChannels,
                                {{"3", GuidanceChannels::First3}, {"all", GuidanceChannels::All}},
                                "which channels it changes (default 3 for DiT latents)");
    addSamplerOption(command, r.sampler);
    addSizeOption(command, "--size", r.size, "height x width in pixels of the model's own input");
    addExtrapolationOptions(command, r.extrapolate, false);
    command.add_option("--batch", r.batch, "images (default 1)")->check(CLI::Range(1, 1024));
    command.add_option(
        "--vae", r.vae,
        "autoencoder that makes pictures of latents, a file or folder (default: that of a diffusers folder)");
    command.add_option("--noise", r.noiseFile, "safetensors file with the first noise [B,C,h,w]");
    command.add_option("--step-noise", r.stepNoiseFile, "safetensors file with the steps' noises [steps,C,h,w]");
    const std::vector<CLI::Option*> all = command.get_options();
    m_sampling.assign(all.begin() + static_cast<std::ptrdiff_t>(shared), all.end());
}

Result<GenerateRequest> RunOptions::request() const {
    GenerateRequest r = values;
    const bool given = m_prompt || !r.text.embeddings.empty();
    const auto card = openCard(r.model);
    if (!card) return failure(card.error());
    const bool text = card->takesText();
    if (given != text)
        return failure({ErrorKind::Usage, "bad-option", place({r.model.path}),
                        text ? "this model takes text" : "this model takes no text", "", "",
                        text ? "Give --prompt, or --embeddings" : "Use --class with a class-conditional DiT"});
    if (!text && m_guidance->count() == 0) r.guidance = usualRun(*card).guidance;
    if (!text) return r;
    if (card->architecture == "flux" && !r.text.negative.empty() && r.text.trueGuidance == 1)
        return failure({ErrorKind::Usage, "bad-option", "--negative", "FLUX does not look at it", "no --true-guidance",
                        "", "Add --true-guidance 2, which takes twice the time, or leave it out"});
    r.text.prompt = m_prompt.value_or("");
    if (m_steps->count() == 0) r.steps = usualRun(*card).steps;
    if (m_guidance->count() == 0) r.guidance = usualRun(*card).guidance;
    return r;
}

}  // namespace ropescope
