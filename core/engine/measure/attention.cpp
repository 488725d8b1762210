// SPDX-License-Identifier: Apache-2.0
#include "core/engine/measure/attention.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "core/engine/machine/kept.h"
#include "core/engine/measure/classifier_input.h"
#include "core/engine/network/known_card.h"
#include "core/engine/network/request_checks.h"
#include "core/engine/run/run.h"
#include "core/engine/run/run_memory.h"
#include "core/kernel/joint_field.h"

namespace ropescope {
namespace {

/// Queries and keys of one layer in one evaluation; of a ViT the tokens before the patches stand in the text's place.
struct Layer {
    LayerAttention attention;
    Grid grid;
    double time = 0;
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

/// The network has come to `layer`.
void tellLayer(int layer, int wanted, const JobContext& context) {
    if (context.onShare)
        context.onShare((layer + 1.0) / (wanted + 1.0), "running the network up to layer " + std::to_string(wanted));
}

/// The latents before a step, which are kept then. A class-conditional model's run is short: all of it is kept, for the
/// next step asked about.
Result<at::Tensor> sampledBefore(int step, Run& run, const GenerateRequest& request, const JobContext& context) {
    const bool text = run.card().takesText();
    const int steps = text ? step : run.steps();
    const auto tell = [&](double done) {
        if (context.onShare) context.onShare(done / steps, "sampling the steps before");
    };
    const double layers = run.card().layers;
    beginRun(request);
    while (run.stepsDone() < steps) {
        const auto done = stepKept(run, [&](int layer) { tell(run.stepsDone() + layer / layers); });
        if (!done) return failure(done.error());
        if (!text) tell(run.stepsDone());
    }
    if (text) {
        keepStep(run.latents());
        return run.latents().narrow(0, 0, 1);
    }
    return keptStep(request, step);
}

Result<Layer> layerOfRun(const AttentionRequest& request, const JobContext& context) {
    const GenerateRequest bareRun = bare(request.run);
    auto network = openNetwork(bareRun, {});
    if (!network) return failure(network.error());
    const ModelCard& card = (*network)->card();
    const SamplingPlan& plan = (*network)->setting().plan;
    if (auto there = checkPlace(request, plan.steps(), card.layers, card.heads); !there) return failure(there.error());
    JobContext quiet;
    quiet.stop = context.stop;
    auto run = Run::over(std::move(*network), bareRun, quiet);
    if (!run) return failure(run.error());
    at::Tensor x = keptStep(bareRun, request.step);
    if (!x.defined()) {
        const auto sampled = sampledBefore(request.step, *run, bareRun, context);
        if (!sampled) return failure(sampled.error());
        x = *sampled;
    }
    const int evaluation = request.step * run->plan().evaluationsPerStep();
    const Watch watch{context.stop, [&](int layer) { tellLayer(layer, request.head.layer, context); }};
    auto heard = run->network().attention(x.to(run->network().device()), evaluation, request.head.layer, watch);
    if (!heard) return failure(heard.error());
    return Layer{std::move(*heard), run->grid(), run->plan().times[evaluation]};
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
    Layer out{{{}, {}, model.vitShape.leadTokens(), prefixOf(model.vitShape)}, input->grid};
    ViTTaps taps;
    taps.goOn = [&](int layer) {
        if (layer > request.head.layer || context.stop.stop_requested()) return false;
        tellLayer(layer, request.head.layer, context);
        return true;
    };
    taps.queryKey = [&](int layer, const at::Tensor& q, const at::Tensor& k) {
        if (layer == request.head.layer) out.attention.queries = q[0].clone(), out.attention.keys = k[0].clone();
    };
    (void)vitForward(model.vitWeights, model.vitShape, input->values, taps);
    return out;
}

/// The last layer asked about.
struct KeptLayer {
    std::string key;
    Layer layer;
};

Result<Layer> layerOf(const AttentionRequest& request, const JobContext& context) {
    static KeptLayer kept;  // of the heavy lane, which is one thread
    const auto card = knownCard(request.run.model);
    if (!card) return failure(card.error());
    const std::string key = runKey(request.run) + " " + std::to_string(request.step) + " " +
                            std::to_string(request.head.layer) + " " + request.image +
                            stampText(stampOf(request.image));
    if (kept.key == key && request.head.head >= 0 && request.head.head < card->heads) return kept.layer;
    kept = {};
    if (card->architecture != "vit" && !request.image.empty())
        return failure(optionError("image", "only a ViT looks at a picture file", card->architecture, "vit",
                                   "Leave the picture out, or open a ViT"));
    auto layer = card->architecture == "vit" ? layerOfViT(request, context) : layerOfRun(request, context);
    if (!layer) return layer;
    if (context.stop.stop_requested() || !layer->attention.queries.defined()) return failure(cancelled());
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
    if (auto done = add(request.words, 0, layer.attention.text, "words"); !done) return failure(done.error());
    if (auto done = add(request.patches, layer.attention.text, patches, "patches"); !done) return failure(done.error());
    for (std::int64_t i = 0; i < patches && request.words.empty() && request.patches.empty(); ++i)
        tokens.push_back(layer.attention.text + i);
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
    const ChosenTokens result =
        chosenTokens(layer->attention.queries[request.head.head], layer->attention.keys[request.head.head],
                     layer->attention.text, layer->grid, *tokens);
    AttentionReport report;
    report.grid = layer->grid, report.time = layer->time, report.tokens = layer->attention.tokens;
    report.shares = {static_cast<int>(layer->attention.text), result.all.imageToText.item<double>(),
                     result.all.textToImage.item<double>()};
    report.entropy = result.all.field.entropy.item<double>();
    report.looks = parted(result.looks, layer->attention.text),
    report.seen = parted(result.seen, layer->attention.text);
    return report;
}

}  // namespace ropescope
