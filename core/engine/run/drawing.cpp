// SPDX-License-Identifier: Apache-2.0
#include "core/engine/run/drawing.h"

#include <ATen/ATen.h>

#include "core/engine/machine/device.h"
#include "core/engine/network/flow_inputs.h"
#include "core/engine/network/request_checks.h"
#include "core/engine/run/generation_setup.h"
#include "core/engine/run/picture.h"
#include "core/engine/run/run_memory.h"
#include "core/kernel/joint_field.h"
#include "core/sampling/flow_schedule.h"
#include "core/sampling/sampler.h"

namespace ropescope {
namespace {

constexpr std::int64_t kMaxLatents = 1 << 20;  ///< of one channel

/// Thrown out of the sampler's callbacks, caught in this file only.
struct Stopped {};

Result<at::Tensor> firstNoise(const GenerateRequest& request, const Painter& painter) {
    at::Tensor noise;
    if (!request.noiseFile.empty()) {
        auto read = readNoise("--noise", request.noiseFile, {"noise"}, painter.channels());
        if (!read) return failure(read.error());
        noise = *read;
    }
    const int side = painter.latentsPerToken();
    const Grid pixels = request.size == Grid{} ? Grid{kUsualPixels, kUsualPixels} : request.size;
    const Grid size = noise.defined() ? Grid{static_cast<int>(noise.size(2)), static_cast<int>(noise.size(3))}
                                      : Grid{pixels.rows / kPixelsPerLatent, pixels.cols / kPixelsPerLatent};
    const bool whole = noise.defined() || (pixels.rows % kPixelsPerLatent == 0 && pixels.cols % kPixelsPerLatent == 0);
    const std::string found = std::to_string(noise.defined() ? size.rows * kPixelsPerLatent : pixels.rows) + "x" +
                              std::to_string(noise.defined() ? size.cols * kPixelsPerLatent : pixels.cols);
    if (!whole || size.rows < side || size.cols < side || size.rows % side != 0 || size.cols % side != 0 ||
        static_cast<std::int64_t>(size.rows) * size.cols > kMaxLatents)
        return failure(optionError("--size", "not a size for this model", found,
                                   "multiples of " + std::to_string(kPixelsPerLatent * side) + " up to 8192 a side",
                                   "Choose another size"));
    const MmditShape& table = painter.mmdit;
    if (!painter.isFlux() && !table.holds({size.rows / side, size.cols / side}))
        return failure(optionError("--size", "larger than the model's table of positions", found,
                                   "at most " + std::to_string(table.table.rows * side * kPixelsPerLatent) + " a side",
                                   "Choose a smaller size"));
    if (noise.defined() && request.batch > 1 && request.batch != noise.size(0))
        return failure(optionError("--batch", "the noise is of another number of images", std::to_string(request.batch),
                                   std::to_string(noise.size(0)), "Leave it out"));
    if (noise.defined()) return noise;
    if (request.batch < 1 || request.batch > 1024)
        return failure(optionError("--batch", "not a possible number of images", std::to_string(request.batch),
                                   "1 to 1024", "Choose another number"));
    std::vector<at::Tensor> images;
    for (int i = 0; i < request.batch; ++i)
        images.push_back(
            ImageNoise(request.seed + static_cast<std::uint64_t>(i)).draw({painter.channels(), size.rows, size.cols}));
    return at::stack(images);
}

/// The levels that the model's own pipeline uses, or those of the shift that is asked for.
Result<SamplingPlan> planFor(const GenerateRequest& request, const Painter& painter, int tokens) {
    if (!(request.text.shift >= 0))
        return failure(optionError("--shift", "not a possible shift", std::to_string(request.text.shift), "above 0",
                                   "Leave it out"));
    const double own = !painter.isFlux() ? 3.0 : painter.card.guidanceInput ? fluxShift(tokens) : 1.0;
    const double shift = request.text.shift > 0 ? request.text.shift : own;
    return planFlow(request.sampler, shiftedFlowSteps(request.steps, shift,
                                                      painter.isFlux() ? FlowSpacing::Even : FlowSpacing::TrainedEnds));
}

/// w of negative + w (prompt - negative).
double guidanceOf(const GenerateRequest& request, const Painter& painter) {
    return painter.isFlux() ? request.text.trueGuidance : request.guidance;
}

Result<Prompt> readEmbeddings(const GenerateRequest& request, const Painter& painter) {
    const TextRecipe& recipe = painter.text;
    const auto in = NamedInputs::open(request.text.embeddings,
                                      "Embeddings are encoder_hidden_states [1,T,e] and pooled_projections [1,p], of a "
                                      "negative prompt with negative_ before the name");
    if (!in) return failure(in.error());
    Prompt prompt;
    const auto take = [&](const std::string& prefix, at::Tensor& text, at::Tensor& pooled) -> Result<void> {
        const auto words = in->read(prefix + "encoder_hidden_states", {1, -1, recipe.width});
        if (!words) return failure(words.error());
        const auto one = in->read(prefix + "pooled_projections", {1, recipe.pooled});
        if (!one) return failure(one.error());
        for (const auto& [name, values] : {std::pair("encoder_hidden_states", *words), {"pooled_projections", *one}})
            if (!at::isfinite(values).all().item<bool>())
                return failure(in->error(prefix + name, "values are not finite", "", "numbers"));
        text = *words, pooled = *one;
        return {};
    };
    if (auto taken = take("", prompt.text, prompt.pooled); !taken) return failure(taken.error());
    // Guidance without its other side says which tensor is missing.
    if (guidanceOf(request, painter) != 1)
        if (auto taken = take("negative_", prompt.negativeText, prompt.negativePooled); !taken)
            return failure(taken.error());
    return prompt;
}

Result<Prompt> encodePrompts(const GenerateRequest& request, Painter& painter, const JobContext& context) {
    const EncoderRun run{painter.weights.type(),
                         painter.weights.device(),
                         request.text.memory,
                         [&](const std::string& encoder) {
                             if (context.stop.stop_requested()) throw Stopped{};
                             if (context.onShare) context.onShare(-1, "reading the prompt: " + encoder);
                         },
                         [&] {
                             if (context.stop.stop_requested()) throw Stopped{};
                         },
                         [&](std::uint64_t bytes) { return makeRoom(painter.weights, bytes, request.text.memory); }};
    auto own = embedText(request.text.encoders, request.model.path, request.text.prompt, painter.text, run);
    if (!own) return failure(own.error());
    Prompt prompt{own->text, own->pooled, {}, {}, std::move(own->tokens)};
    if (context.onNote)
        for (const EncodedText& part : prompt.tokens.parts) context.onNote(describeTokens(part));
    if (guidanceOf(request, painter) == 1) return prompt;
    const auto other = embedText(request.text.encoders, request.model.path, request.text.negative, painter.text, run);
    if (!other) return failure(other.error());
    prompt.negativeText = other->text, prompt.negativePooled = other->pooled;
    return prompt;
}

/// Listens to the recorded heads of one evaluation.
class Recorder {
public:
    /// `begun` hears every layer and may throw.
    Recorder(const DrawingSetup& setup, std::function<void(int layer)> begun)
        : m_setup(setup), m_begun(std::move(begun)) {
        for (const HeadId& id : setup.heads) m_heads[id.layer].push_back(id.head);
        m_quiet.queryKey = [this](int layer, const at::Tensor&, const at::Tensor&, std::int64_t) { m_begun(layer); };
        m_taps.queryKey = [this](int layer, const at::Tensor& q, const at::Tensor& k, std::int64_t text) {
            m_begun(layer);
            hear(layer, q, k, text);
        };
    }
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    [[nodiscard]] const JointTaps& taps() const { return m_taps; }    ///< of an evaluation that is recorded
    [[nodiscard]] const JointTaps& quiet() const { return m_quiet; }  ///< of the others
    [[nodiscard]] std::vector<HeadField> take() { return std::exchange(m_fields, {}); }

private:
    void hear(int layer, const at::Tensor& q, const at::Tensor& k, std::int64_t text) {
        const auto wanted = m_heads.find(layer);
        if (wanted == m_heads.end()) return;
        const at::Tensor chosen = at::tensor(wanted->second, at::kLong).to(q.device());
        const JointField joint = jointField(q.index_select(1, chosen), k.index_select(1, chosen), text, m_setup.grid);
        const at::Tensor mean = fieldMean(joint.field.sum, m_setup.grid);
        for (std::size_t i = 0; i < wanted->second.size(); ++i) {
            const auto at = static_cast<std::int64_t>(i);
            const auto number = [&](const at::Tensor& values) { return values[at].item<double>(); };
            m_fields.push_back({{layer, static_cast<int>(wanted->second[i])},
                                m_setup.grid,
                                floatsOf(joint.field.sum[at]),
                                floatsOf(mean[at]),
                                number(joint.field.entropy),
                                {static_cast<int>(text), number(joint.imageToText), number(joint.textToImage)}});
        }
    }

    const DrawingSetup& m_setup;
    std::function<void(int layer)> m_begun;
    std::map<int, std::vector<std::int64_t>> m_heads;
    JointTaps m_taps, m_quiet;
    std::vector<HeadField> m_fields;
};

}  // namespace

Result<DrawingSetup> setUpDrawing(const GenerateRequest& request, const JobContext& context) {
    const auto device = chooseDevice(request.compute.device);
    if (!device) return failure(device.error());
    if (auto possible = checkSampling(request); !possible) return failure(possible.error());
    DrawingSetup setup;
    setup.threads = useThreads(request.compute.threads);
    auto painter = openPainter(request.model, request.compute, request.text.memory, *device, context.onNote);
    if (!painter) return failure(painter.error());
    setup.painter = *painter;
    if (!request.stepNoiseFile.empty() || request.extrapolate.method != Extrapolation::None)
        return failure(optionError(request.stepNoiseFile.empty() ? "--extrapolation" : "--step-noise",
                                   "not for text-to-image models", "", "", "Leave it out"));
    const auto noise = firstNoise(request, **painter);
    if (!noise) return failure(noise.error());
    setup.noise = *noise;
    const int side = (*painter)->latentsPerToken();
    setup.grid = {static_cast<int>(noise->size(2)) / side, static_cast<int>(noise->size(3)) / side};
    const auto plan = planFor(request, **painter, setup.grid.tokens());
    if (!plan) return failure(plan.error());
    setup.plan = *plan;
    auto heads = recordedHeads(request, (*painter)->card.layers, (*painter)->card.heads);
    if (!heads) return failure(heads.error());
    setup.heads = std::move(*heads);
    const auto decoder = decoderFor(request.vae, request.model.path, (*painter)->channels(), *device,
                                    usualLatents((*painter)->card, (*painter)->channels()));
    if (!decoder) return failure(decoder.error());
    setup.decoder = *decoder;
    return setup;
}

Result<Prompt> readPrompt(const GenerateRequest& request, Painter& painter, const JobContext& context) {
    try {
        return request.text.embeddings.empty() ? encodePrompts(request, painter, context)
                                               : readEmbeddings(request, painter);
    } catch (const Stopped&) {
        return failure(cancelled());
    } catch (const ReadFailure& lost) {
        return failure(lost.error);
    }
}

Result<at::Tensor> drawSteps(const GenerateRequest& request, DrawingSetup& setup, const Prompt& prompt, int steps,
                             const std::stop_token& stop, const DrawingWatch& watch) {
    Painter& painter = *setup.painter;
    const SamplingPlan& plan = setup.plan;
    beginRun(request);
    int current = 0;
    Recorder recorder(setup, [&](int layer) {
        if (stop.stop_requested()) throw Stopped{};
        if (watch.layer) watch.layer(current, layer);
    });
    const double guidance = guidanceOf(request, painter);
    const auto network = [&](const at::Tensor& x, int evaluation) {
        const bool first = evaluation % plan.evaluationsPerStep() == 0;
        const double time = plan.times[evaluation];
        const at::Tensor with = painter.predict(x, time, prompt.text, prompt.pooled, request.guidance,
                                                first ? recorder.taps() : recorder.quiet());
        if (guidance == 1) return with;
        const at::Tensor without =
            painter.predict(x, time, prompt.negativeText, prompt.negativePooled, request.guidance, recorder.quiet());
        return without + guidance * (with - without);
    };
    at::Tensor x = setup.noise.to(painter.weights.device()), before;
    try {
        for (int i = 0; i < steps; ++i) {
            current = i;
            keepStep(x);
            // Heun ends with a plain step: there is no network at level 0.
            SamplingPlan last;
            const bool plain = plan.sampler == Sampler::Heun && plan.flow[i].next == 0;
            if (plain) last = {Sampler::Euler, {}, {plan.flow[i]}, plan.kind, {plan.times[2 * i]}};
            const StepResult result =
                plain ? sampleStep(last, 0, x, [&](const at::Tensor& l, int) { return network(l, 2 * i); }, {})
                      : sampleStep(plan, i, x, network, {}, before);
            if (!at::isfinite(result.latents).all().item<bool>()) return failure(notFinite(request, i + 1));
            keepClean(result.clean);
            x = result.latents, before = result.clean;
            if (watch.step)
                watch.step(
                    {i, result.clean, {i, plan.steps(), plan.times[i * plan.evaluationsPerStep()], recorder.take()}});
        }
    } catch (const Stopped&) {
        return failure(cancelled());
    } catch (const ReadFailure& lost) {
        return failure(lost.error);
    }
    if (steps < plan.steps()) keepStep(x);
    return x;
}

}  // namespace ropescope
