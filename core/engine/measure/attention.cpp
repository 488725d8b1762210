// SPDX-License-Identifier: Apache-2.0
#include "core/engine/measure/attention.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "core/engine/machine/kept.h"
#include "core/engine/measure/classifier_input.h"
#include "core/engine/network/request_checks.h"
#include "core/engine/run/drawing.h"
#include "core/engine/run/generate.h"
#include "core/engine/run/generation_setup.h"
#include "core/engine/run/run_memory.h"
#include "core/kernel/joint_field.h"

namespace ropescope {
namespace {

/// Thrown out of a tap when the layer has been heard, caught in this file only.
struct Heard {};

/// Queries and keys of one layer in one evaluation.
struct Layer {
    at::Tensor queries, keys;  ///< [H,T+N,D] after map and rotary
    std::int64_t text = 0;     ///< T: text tokens; of a ViT the tokens before the patches
    Grid grid;
    double time = 0;
    TokensReport tokens;
};

Result<void> checkPlace(const AttentionRequest& request, int steps, int layers, int heads) {
    if (request.step < 0 || request.step >= steps)
        return failure(optionError("step", "no such step", std::to_string(request.step + 1),
                                   steps == 1 ? "1" : "1 to " + std::to_string(steps), "Choose another step"));
    const HeadId id = request.head;
    if (id.layer < 0 || id.layer >= layers || id.head < 0 || id.head >= heads)
        return failure(optionError("head", "no such head", id.name(),
                                   std::to_string(layers) + " layers of " + std::to_string(heads) + " heads",
                                   "Choose another head"));
    return {};
}

/// A run without fields and pictures, for its latents alone.
GenerateRequest bare(GenerateRequest run) {
    run.record = RecordFields::None, run.recordHeads.clear();
    run.previews = false;
    if (run.noiseFile.empty()) run.batch = 1, run.labels.resize(1);
    return run;
}

JobContext telling(const JobContext& context, int steps) {
    JobContext own;
    own.stop = context.stop;
    if (context.onShare)
        own.onProgress = [&context, steps](const GenerateProgress& p) {
            context.onShare(static_cast<double>(p.step) / steps, "sampling the steps before");
        };
    return own;
}

/// The network has run up to `layer`. Ends it when the job is to end.
void heard(int layer, int wanted, const JobContext& context) {
    if (context.stop.stop_requested()) throw Heard{};
    if (context.onShare)
        context.onShare((layer + 1.0) / (wanted + 1.0), "running the network up to layer " + std::to_string(wanted));
}

Result<Layer> layerOfText(const AttentionRequest& request, const JobContext& context) {
    const GenerateRequest run = bare(request.run);
    auto setup = setUpDrawing(run, {});
    if (!setup) return failure(setup.error());
    Painter& painter = *setup->painter;
    if (auto there = checkPlace(request, setup->plan.steps(), painter.card.layers, painter.card.heads); !there)
        return failure(there.error());
    JobContext quiet;
    quiet.stop = context.stop;
    const auto prompt = readPrompt(run, painter, quiet);
    if (!prompt) return failure(prompt.error());
    at::Tensor x = keptStep(run, request.step);
    if (!x.defined()) {
        const int layers = painter.card.layers;
        const auto tell = [&](int step, int layer) {
            if (context.onShare)
                context.onShare((step + static_cast<double>(layer) / layers) / request.step,
                                "sampling the steps before");
        };
        const auto drawn = drawSteps(run, *setup, *prompt, request.step, context.stop, {{}, tell});
        if (!drawn) return failure(drawn.error());
        x = drawn->narrow(0, 0, 1);
    }
    Layer out;
    out.grid = setup->grid, out.tokens = prompt->tokens;
    out.time = setup->plan.times[request.step * setup->plan.evaluationsPerStep()];
    JointTaps taps;
    taps.queryKey = [&](int layer, const at::Tensor& q, const at::Tensor& k, std::int64_t text) {
        heard(layer, request.head.layer, context);
        if (layer != request.head.layer) return;
        out.queries = q[0].clone(), out.keys = k[0].clone(), out.text = text;
        throw Heard{};
    };
    try {
        (void)painter.predict(x.to(painter.weights.device()), out.time, prompt->text, prompt->pooled, run.guidance,
                              taps);
    } catch (const Heard&) {
    } catch (const ReadFailure& lost) {
        return failure(lost.error);
    }
    return out;
}

Result<Layer> layerOfDit(const AttentionRequest& request, const JobContext& context) {
    const GenerateRequest run = bare(request.run);
    const auto setup = openGeneration(run);
    if (!setup) return failure(setup.error());
    const LoadedModel& model = *setup->model;
    if (auto there = checkPlace(request, setup->plan.steps(), model.card.layers, model.card.heads); !there)
        return failure(there.error());
    at::Tensor x = keptStep(run, request.step);
    if (!x.defined()) {
        // A DiT's run is short; all of it is kept then, for the next step asked about.
        if (auto done = generate(run, telling(context, setup->plan.steps())); !done) return failure(done.error());
        x = keptStep(run, request.step);
    }
    const DitInference& dit = *model.dit;
    Layer out;
    out.grid = setup->grid;
    out.time = setup->plan.times[request.step * setup->plan.evaluationsPerStep()];
    DitRecording recording;
    recording.layers.assign(dit.shape().layers, false);
    recording.watched = request.head.layer;
    const DitConditions conditions =
        dit.conditions({out.time}, {setup->labels[0]}, setup->grid, run.extrapolate, model.card.grid);
    (void)dit.forward(x, conditions, 0, &recording);
    out.queries = recording.queries, out.keys = recording.keys;
    return out;
}

/// What stands before the patches of a ViT, in the place of a text.
TokensReport prefixOf(const ViTShape& shape) {
    EncodedText prefix;
    if (shape.classToken) prefix.pieces.push_back("class token");
    if (shape.variant.distilled) prefix.pieces.push_back("distillation token");
    for (int i = 1; i <= shape.variant.registers; ++i) prefix.pieces.push_back("register " + std::to_string(i));
    if (prefix.pieces.empty()) return {};
    prefix.encoder = "prefix tokens", prefix.first = 0;
    prefix.length = prefix.used = shape.leadTokens();
    return {{prefix}};
}

Result<Layer> layerOfViT(const AttentionRequest& request, const JobContext& context) {
    if (request.image.empty())
        return failure(optionError("image", "a ViT looks at a picture", "none", "a picture file", "Choose a picture"));
    const auto classifier = openClassifier(request.run.model, request.run.compute);
    if (!classifier) return failure(classifier.error());
    const LoadedModel& model = *classifier->model;
    if (auto there = checkPlace(request, 1, model.card.layers, model.card.heads); !there) return failure(there.error());
    const auto input = readInput(*classifier, request.run.compute.precision, request.image);
    if (!input) return failure(input.error());
    Layer out;
    out.grid = input->grid, out.text = model.vitShape.leadTokens(), out.tokens = prefixOf(model.vitShape);
    ViTTaps taps;
    taps.queryKey = [&](int layer, const at::Tensor& q, const at::Tensor& k) {
        heard(layer, request.head.layer, context);
        if (layer != request.head.layer) return;
        out.queries = q[0].clone(), out.keys = k[0].clone();
        throw Heard{};
    };
    try {
        (void)vitForward(model.vitWeights, model.vitShape, input->values, taps);
    } catch (const Heard&) {
    }
    return out;
}

Result<Layer> layerOfRun(const AttentionRequest& request, const ModelCard& card, const JobContext& context) {
    if (!request.image.empty())
        return failure(optionError("image", "only a ViT looks at a picture file", card.architecture, "vit",
                                   "Leave the picture out, or open a ViT"));
    return card.takesText() ? layerOfText(request, context) : layerOfDit(request, context);
}

/// The last layer asked about.
struct KeptLayer {
    std::string key;
    Layer layer;
};

Result<Layer> layerOf(const AttentionRequest& request, const JobContext& context) {
    static KeptLayer kept;  // of the heavy lane, which is one thread
    const auto card = openCard(request.run.model);
    if (!card) return failure(card.error());
    const std::string key = runKey(request.run) + " " + std::to_string(request.step) + " " +
                            std::to_string(request.head.layer) + " " + request.image +
                            stampText(stampOf(request.image));
    if (kept.key == key && request.head.head >= 0 && request.head.head < card->heads) return kept.layer;
    kept = {};
    auto layer = card->architecture == "vit" ? layerOfViT(request, context) : layerOfRun(request, *card, context);
    if (!layer) return layer;
    if (context.stop.stop_requested() || !layer->queries.defined()) return failure(cancelled());
    kept = {key, *layer};
    return layer;
}

/// Numbers among all tokens, text first.
Result<std::vector<std::int64_t>> chosen(const AttentionRequest& request, const Layer& layer) {
    std::vector<std::int64_t> tokens;
    const auto add = [&](const std::vector<int>& numbers, std::int64_t first, std::int64_t count,
                         const char* kind) -> Result<void> {
        for (const int number : numbers) {
            if (number < 0 || number >= count)
                return failure(optionError(kind, "no such token", std::to_string(number),
                                           count == 0 ? "none" : "0 to " + std::to_string(count - 1),
                                           "Choose another"));
            tokens.push_back(first + number);
        }
        return {};
    };
    const std::int64_t patches = layer.grid.tokens();
    if (auto done = add(request.words, 0, layer.text, "words"); !done) return failure(done.error());
    if (auto done = add(request.patches, layer.text, patches, "patches"); !done) return failure(done.error());
    for (std::int64_t i = 0; i < patches && request.words.empty() && request.patches.empty(); ++i)
        tokens.push_back(layer.text + i);
    // Given twice (both CLIPs number theirs from 0) it is still one token.
    std::sort(tokens.begin(), tokens.end());
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    return tokens;
}

TokenWeights parted(const at::Tensor& weights, std::int64_t text) {
    const at::Tensor dense = weights.to(at::kFloat).contiguous();
    const float* first = dense.const_data_ptr<float>();
    return {{first + text, first + dense.numel()}, {first, first + text}};
}

}  // namespace

Result<AttentionReport> attentionOf(const AttentionRequest& request, const JobContext& context) {
    const c10::InferenceMode inference;
    const auto layer = layerOf(request, context);
    if (!layer) return failure(layer.error());
    const auto tokens = chosen(request, *layer);
    if (!tokens) return failure(tokens.error());
    const ChosenTokens result = chosenTokens(layer->queries[request.head.head], layer->keys[request.head.head],
                                             layer->text, layer->grid, *tokens);
    AttentionReport report;
    report.grid = layer->grid, report.time = layer->time, report.tokens = layer->tokens;
    report.shares = {static_cast<int>(layer->text), result.all.imageToText.item<double>(),
                     result.all.textToImage.item<double>()};
    report.entropy = result.all.field.entropy.item<double>();
    report.looks = parted(result.looks, layer->text), report.seen = parted(result.seen, layer->text);
    return report;
}

}  // namespace ropescope
