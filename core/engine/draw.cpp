// SPDX-License-Identifier: Apache-2.0
#include "core/engine/draw.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/data/enum_names.h"
#include "core/engine/decoder.h"
#include "core/engine/device.h"
#include "core/engine/flow_inputs.h"
#include "core/engine/picture.h"
#include "core/engine/recipe.h"
#include "core/engine/text_prompt.h"
#include "core/model/flux.h"
#include "core/model/mmdit.h"
#include "core/sampling/flow_schedule.h"
#include "core/sampling/sampler.h"

namespace ropescope {
namespace {

constexpr int kPixels = 8;  ///< of a latent's side, in all published models

/// Thrown out of the sampler's callbacks, caught in this file only.
struct Stopped {};

Error usage(const std::string& option, const std::string& reason, const std::string& found, const std::string& expected,
            const std::string& advice) {
    return {ErrorKind::Usage, "bad-option", option, reason, found, expected, advice};
}

/// Embeddings of a prompt and, for guidance against it, of a negative one.
struct Prompt {
    at::Tensor text, pooled;                  ///< [1,T,e], [1,p]
    at::Tensor negativeText, negativePooled;  ///< undefined without
};

/// Whether guidance is an input of the network, as in FLUX.1 dev.
bool isDistilled(const TensorTable& table) {
    return table.find("guidance_in.in_layer.weight") != nullptr;
}

/// How the transformer of `table` is fed.
TextRecipe textRecipe(const TensorTable& table, bool flux) {
    return {flux, inputsOf(table, flux ? "txt_in.weight" : "context_embedder.weight"),
            inputsOf(table, flux ? "vector_in.in_layer.weight" : "y_embedder.mlp.0.weight"),
            isDistilled(table) ? 512 : 256};
}

Result<Prompt> readPrompt(const DrawCommand& command, const TextRecipe& recipe) {
    const auto in = NamedInputs::open(command.embeddings,
                                      "Embeddings are encoder_hidden_states [1,T,e] and pooled_projections [1,p], of a "
                                      "negative prompt with negative_ before the name");
    if (!in) return failure(in.error());
    Prompt prompt;
    const auto take = [&](const std::string& prefix, at::Tensor& text, at::Tensor& pooled) -> Result<void> {
        const auto words = in->read(prefix + "encoder_hidden_states", {1, -1, recipe.width});
        if (!words) return failure(words.error());
        const auto one = in->read(prefix + "pooled_projections", {1, recipe.pooled});
        if (!one) return failure(one.error());
        text = *words, pooled = *one;
        return {};
    };
    if (auto taken = take("", prompt.text, prompt.pooled); !taken) return failure(taken.error());
    if (in->has("negative_encoder_hidden_states"))
        if (auto taken = take("negative_", prompt.negativeText, prompt.negativePooled); !taken)
            return failure(taken.error());
    return prompt;
}

/// Encodes the prompt and, where guidance works against it, the negative one.
Result<Prompt> encodePrompt(const DrawCommand& command, const TextRecipe& recipe, at::Device device) {
    const auto encode = [&](const std::string& text) {
        return embedText(command.model.path, text, recipe, scalarType(command.compute.precision), device,
                         command.memory);
    };
    const auto own = encode(command.prompt);
    if (!own) return failure(own.error());
    Prompt prompt{own->text, own->pooled, {}, {}};
    if (command.note)
        for (const std::string& note : own->notes) command.note(note);
    if (recipe.flux || command.guidance == 1) return prompt;
    const auto other = encode(command.negative);
    if (!other) return failure(other.error());
    prompt.negativeText = other->text, prompt.negativePooled = other->pooled;
    return prompt;
}

/// Latents [1,C,h,w] as tokens [1,N,4C]: channel, then the place inside 2x2.
at::Tensor packed(const at::Tensor& x) {
    const std::int64_t c = x.size(1), h = x.size(2) / 2, w = x.size(3) / 2;
    return x.view({1, c, h, 2, w, 2}).permute({0, 2, 4, 1, 3, 5}).reshape({1, h * w, 4 * c});
}
at::Tensor unpacked(const at::Tensor& tokens, std::int64_t h, std::int64_t w) {
    const std::int64_t c = tokens.size(2) / 4;
    return tokens.view({1, h / 2, w / 2, c, 2, 2}).permute({0, 3, 1, 4, 2, 5}).reshape({1, c, h, w});
}

at::Tensor imageIds(std::int64_t rows, std::int64_t cols) {
    at::Tensor ids = at::zeros({rows * cols, 3});
    auto p = ids.accessor<float, 2>();
    for (std::int64_t n = 0; n < rows * cols; ++n)
        p[n][1] = static_cast<float>(n / cols), p[n][2] = static_cast<float>(n % cols);
    return ids;
}

/// A loaded transformer and what it needs to predict velocities.
struct Painter {
    ModelCard card;
    Prompt prompt;
    double guidance = 1;
    bool distilled = false;  ///< guidance is an input
    WeightStore weights;
    FluxShape flux;
    MmditShape mmdit;

    [[nodiscard]] bool isFlux() const { return card.architecture == "flux"; }

    at::Tensor once(const at::Tensor& x, double time, const at::Tensor& text, const at::Tensor& pooled) {
        if (!isFlux()) {
            const at::Tensor t = at::tensor({static_cast<float>(time)});
            return mmditForward(weights, mmdit, {x, text, pooled, t}).to(at::kFloat);
        }
        FluxInput in{packed(x),
                     text,
                     pooled,
                     at::tensor({static_cast<float>(time / kTrainedSteps)}),
                     {},
                     imageIds(x.size(2) / 2, x.size(3) / 2),
                     at::zeros({text.size(1), 3})};
        if (distilled) in.guidance = at::tensor({static_cast<float>(guidance)});
        return unpacked(fluxForward(weights, flux, in).to(at::kFloat), x.size(2), x.size(3));
    }

    /// Against the negative prompt where there is one.
    at::Tensor velocity(const at::Tensor& x, double time) {
        const at::Tensor with = once(x, time, prompt.text, prompt.pooled);
        const bool against = prompt.negativeText.defined() && !distilled && guidance != 1;
        if (!against) return with;
        const at::Tensor without = once(x, time, prompt.negativeText, prompt.negativePooled);
        return without + guidance * (with - without);
    }
};

Result<at::Tensor> firstNoise(const DrawCommand& command, const ModelCard& card, int channels) {
    const int side = card.architecture == "flux" ? 2 : card.patch;
    at::Tensor noise;
    if (!command.noise.empty()) {
        const auto in = NamedInputs::open(command.noise, "Noise is a tensor `noise` [1,C,h,w]");
        if (!in) return failure(in.error());
        auto read = in->read("noise", {1, channels, -1, -1});
        if (!read) return failure(read.error());
        noise = *read;
    }
    const Grid size = noise.defined() ? Grid{static_cast<int>(noise.size(2)), static_cast<int>(noise.size(3))}
                                      : Grid{command.size.rows / kPixels, command.size.cols / kPixels};
    const bool even = noise.defined() || (command.size.rows % kPixels == 0 && command.size.cols % kPixels == 0);
    if (!even || size.rows < side || size.cols < side || size.rows % side != 0 || size.cols % side != 0 ||
        static_cast<std::int64_t>(size.rows) * size.cols > (1 << 20))
        return failure(usage("--size", "not a size for this model",
                             std::to_string(command.size.rows) + "x" + std::to_string(command.size.cols),
                             "multiples of " + std::to_string(kPixels * side) + " up to 8192 a side",
                             "Choose another size"));
    return noise.defined() ? noise : ImageNoise(command.seed).draw({channels, size.rows, size.cols}).unsqueeze(0);
}

/// The levels that the model's own pipeline uses, or those of the shift that is asked for.
Result<SamplingPlan> planFor(const DrawCommand& command, const Painter& painter, const at::Tensor& noise) {
    if (command.steps < 1 || command.steps > kTrainedSteps)
        return failure(usage("--steps", "not a possible number", std::to_string(command.steps), "1 to 1000", ""));
    if (command.shift && !(*command.shift > 0))
        return failure(usage("--shift", "not a possible shift", std::to_string(*command.shift), "above 0", ""));
    const bool flux = painter.isFlux();
    const int tokens = static_cast<int>(noise.size(2) / 2 * (noise.size(3) / 2));
    const double own = !flux ? 3.0 : painter.distilled ? fluxShift(tokens) : 1.0;
    return planFlow(command.sampler, shiftedFlowSteps(command.steps, command.shift.value_or(own),
                                                      flux ? FlowSpacing::Even : FlowSpacing::TrainedEnds));
}

/// In pixels.
std::string sizeText(const at::Tensor& noise) {
    return std::to_string(noise.size(2) * kPixels) + "x" + std::to_string(noise.size(3) * kPixels);
}

/// An equal command line.
std::string commandOf(const DrawCommand& c, const SamplingPlan& plan, const at::Tensor& noise, const Decoder* decoder) {
    std::ostringstream text;
    text << "ropescope generate " << shellWord(c.model.path) << modelOptions(c.model);
    if (c.embeddings.empty()) {
        text << " --prompt " << shellWord(c.prompt);
        if (!c.negative.empty()) text << " --negative " << shellWord(c.negative);
    } else {
        text << " --embeddings " << shellWord(c.embeddings);
    }
    text << " --seed " << c.seed << " --steps " << c.steps << " --guidance " << c.guidance << " --sampler "
         << samplerName(plan.sampler);
    if (c.shift) text << " --shift " << *c.shift;
    c.noise.empty() ? text << " --size " << sizeText(noise) : text << " --noise " << shellWord(c.noise);
    if (decoder) text << " --vae " << shellWord(decoder->path);
    text << " --precision " << enumName(c.compute.precision) << " --out IMAGE.png";
    return text.str();
}

std::string recipeFor(const DrawCommand& c, const ModelCard& card, const SamplingPlan& plan, const at::Tensor& noise,
                      const Decoder* decoder, const std::string& device) {
    nlohmann::ordered_json json = {{"program", "ropescope"},
                                   {"version", ROPESCOPE_VERSION},
                                   {"model", c.model.path},
                                   {"model_name", card.name},
                                   {"model_hash", card.fileSha256},
                                   {"encoding", card.encoding},
                                   {"convention", enumName(card.convention)},
                                   {"seed", c.seed},
                                   {"steps", c.steps},
                                   {"guidance", c.guidance},
                                   {"sampler", samplerName(plan.sampler)},
                                   {"first_levels", {plan.flow.front().time, plan.flow.front().next}},
                                   {"size", sizeText(noise)},
                                   {"precision", enumName(c.compute.precision)},
                                   {"device", device}};
    if (c.embeddings.empty()) json["prompt"] = c.prompt, json["negative_prompt"] = c.negative;
    if (!c.embeddings.empty()) json["embeddings"] = c.embeddings;
    if (!c.model.adapter.empty()) json["adapter"] = c.model.adapter;
    for (const LoraRef& lora : c.model.loras)
        json["loras"].push_back({{"path", lora.path}, {"strength", lora.strength}});
    if (c.shift) json["shift"] = *c.shift;
    if (!c.noise.empty()) json["noise"] = c.noise;
    if (decoder) json["vae"] = decoder->path;
    json["command"] = commandOf(c, plan, noise, decoder);
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<at::Tensor> sample(const SamplingPlan& plan, at::Tensor x, Painter& painter, const JobContext& context) {
    const auto start = std::chrono::steady_clock::now();
    const auto network = [&](const at::Tensor& latents, int evaluation) {
        if (context.stop.stop_requested()) throw Stopped{};
        // Heun ends with a plain step: there is no network at level 0.
        return painter.velocity(latents, plan.times[evaluation]);
    };
    for (int i = 0; i < plan.steps(); ++i) {
        const FlowStep& step = plan.flow[i];
        if (plan.sampler == Sampler::Heun && step.next == 0) {
            x = x + network(x, 2 * i) * (step.next - step.time);
        } else {
            x = sampleStep(plan, i, x, network, {}).latents;
        }
        if (!at::isfinite(x).all().item<bool>())
            return failure({ErrorKind::Refused, "GP-07", place({painter.card.path}),
                            "the latents are not finite after step " + std::to_string(i + 1), "NaN or infinity",
                            "numbers", "Lower the guidance or try --precision fp32"});
        if (!context.onProgress) continue;
        GenerateProgress p;
        p.step = i + 1, p.steps = plan.steps();
        p.secondsPerStep = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / p.step;
        p.secondsLeft = p.secondsPerStep * (p.steps - p.step);
        context.onProgress(p);
    }
    return x;
}

Result<GenerateResult> draw(const DrawCommand& command, const JobContext& context) {
    const auto start = std::chrono::steady_clock::now();
    const auto device = chooseDevice(command.compute.device);
    if (!device) return failure(device.error());
    const int threads = useThreads(command.compute.threads);
    const auto table = TensorTable::open(command.model);
    if (!table) return failure(table.error());
    const auto card = recognise(*table, command.model);
    if (!card) return failure(card.error());
    const bool flux = card->architecture == "flux";
    if (!flux && card->architecture != "mmdit")
        return failure(usage("--prompt", "this model takes no text", card->architecture, "a FLUX or SD3",
                             "Use --class with a class-conditional DiT"));
    if (auto complete = checkComplete(*table, *card); !complete) return failure(complete.error());
    auto fluxOwn = flux ? fluxShape(*card) : FluxShape{};
    if (!fluxOwn) return failure(fluxOwn.error());
    auto mmditOwn = flux ? MmditShape{} : mmditShape(*card);
    if (!mmditOwn) return failure(mmditOwn.error());
    const int channels = flux ? card->inChannels / 4 : card->inChannels;
    const auto noise = firstNoise(command, *card, channels);
    if (!noise) return failure(noise.error());
    const int patch = std::max(1, card->patch), most = mmditOwn->table.rows * patch * kPixels;
    if (!flux && !mmditOwn->holds({static_cast<int>(noise->size(2)) / patch, static_cast<int>(noise->size(3)) / patch}))
        return failure(usage("--size", "larger than the model's table of positions", sizeText(*noise),
                             "at most " + std::to_string(most) + " a side", "Choose a smaller size"));
    const std::pair<double, double> usual = flux ? std::pair(0.3611, 0.1159) : std::pair(1.5305, 0.0609);
    const auto decoder =
        decoderFor(command.vae, command.model.path, channels, *device, channels == 16 ? usual : std::pair(0.0, 0.0));
    if (!decoder) return failure(decoder.error());
    auto weights = storeFor(*table, command.model, command.compute, command.memory, *device, command.note);
    if (!weights) return failure(weights.error());
    const TextRecipe recipe = textRecipe(*table, flux);
    const auto prompt =
        command.embeddings.empty() ? encodePrompt(command, recipe, *device) : readPrompt(command, recipe);
    if (!prompt) return failure(prompt.error());
    Painter painter{*card,
                    *prompt,
                    command.guidance,
                    isDistilled(*table),
                    std::move(*weights),
                    std::move(*fluxOwn),
                    std::move(*mmditOwn)};
    const auto plan = planFor(command, painter, *noise);
    if (!plan) return failure(plan.error());
    const auto latents = sample(*plan, noise->to(*device), painter, context);
    if (!latents) return failure(latents.error());
    GenerateResult result;
    result.device = describeCompute(*device, command.compute.precision, threads);
    result.latents = arrayOf(*latents);
    const at::Tensor own = (*latents)[0];
    const at::Tensor picture = *decoder ? decoded(**decoder, own, context.stop) : own;
    if (!picture.defined()) throw Stopped{};
    result.note = *decoder ? "" : pictureNote(channels);
    result.images.push_back(
        {command.seed, 0, pictureOf(picture), recipeFor(command, *card, *plan, *noise, decoder->get(), result.device)});
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
}

}  // namespace

Result<GenerateResult> drawFromEmbeddings(const DrawCommand& command, const JobContext& context) {
    const c10::InferenceMode inference;
    try {
        return draw(command, context);
    } catch (const Stopped&) {
        return failure({ErrorKind::Cancelled, "cancelled", "", "cancelled", "", "", ""});
    } catch (const ReadFailure& lost) {
        return failure(lost.error);
    }
}

}  // namespace ropescope
