// SPDX-License-Identifier: Apache-2.0
#include "core/engine/measure/classify.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "core/engine/machine/device.h"
#include "core/engine/measure/classifier_input.h"
#include "core/probe/token_field.h"

namespace ropescope {
namespace {

std::vector<float> listOf(const at::Tensor& t) {
    const at::Tensor flat = t.to(at::kCPU, at::kFloat).contiguous();
    return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

Array inColour(const Array& input) {
    if (input.shape[2] == 3) return input;
    std::vector<std::uint8_t> all;
    for (const std::uint8_t grey : input.as<std::uint8_t>()) all.insert(all.end(), {grey, grey, grey});
    return makeArray(std::span<const std::uint8_t>(all), {input.shape[0], input.shape[1], 3});
}

std::vector<ClassScore> bestOf(const at::Tensor& logits, const ModelCard& card, int top) {
    const std::vector<float> values = listOf(logits);
    const std::vector<float> shares = listOf(at::softmax(logits.to(at::kDouble), -1));
    std::vector<int> order(values.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return values[a] > values[b]; });
    order.resize(std::min<std::size_t>(order.size(), top));
    std::vector<ClassScore> best;
    for (const int i : order) {
        const bool named = i < static_cast<int>(card.classNames.size());
        best.push_back({i, named ? card.classNames[i] : std::to_string(i), shares[i], values[i]});
    }
    return best;
}

HeadAttention attentionOf(const TokenField& field, HeadId id, Grid grid) {
    HeadAttention own;
    own.field.id = id;
    own.field.grid = grid;
    own.field.sum = listOf(field.patches.sum[id.head]);
    own.field.mean = listOf(fieldMean(field.patches.sum, grid)[id.head]);
    own.field.entropy = field.patches.entropy[id.head].item<float>();
    own.classShare = field.classShare[id.head].item<float>();
    own.classToItself = field.classToItself[id.head].item<float>();
    own.ofClass = listOf(field.ofClass[id.head]);
    return own;
}

/// The slower pass whose attention can be looked at.
at::Tensor recorded(const LoadedModel& model, const at::Tensor& x, const ClassifyRequest& request, Grid grid,
                    std::vector<HeadAttention>& heads) {
    heads.resize(request.heads.size());
    ViTTaps taps;
    taps.attention = [&](int layer, const at::Tensor& attention) {
        const bool wanted =
            std::any_of(request.heads.begin(), request.heads.end(), [&](HeadId id) { return id.layer == layer; });
        if (!wanted) return;
        const TokenField field = fieldOfTokens(attention.to(at::kCPU), grid);
        for (std::size_t i = 0; i < heads.size(); ++i)
            if (request.heads[i].layer == layer) heads[i] = attentionOf(field, request.heads[i], grid);
    };
    return vitForward(model.vitWeights, model.vitShape, x, taps);
}

Result<void> checkRequest(const ClassifyRequest& request, const ModelCard& card) {
    for (const HeadId id : request.heads)
        if (id.layer < 0 || id.layer >= card.layers || id.head < 0 || id.head >= card.heads)
            return failure({ErrorKind::Usage, "head", place({card.path, id.name()}), "the model has no such head",
                            id.name(), "L0.H0 to " + HeadId{card.layers - 1, card.heads - 1}.name(),
                            "Choose one of its heads"});
    if (request.top < 1)
        return failure(
            {ErrorKind::Usage, "top", {}, "no class is asked for", std::to_string(request.top), "1 or more", {}});
    return {};
}

}  // namespace

Result<ClassifyResult> classify(const ClassifyRequest& request) {
    const c10::InferenceMode inference;
    const auto classifier = openClassifier(request.model, request.compute);
    if (!classifier) return failure(classifier.error());
    const LoadedModel& model = *classifier->model;
    if (auto fits = checkRequest(request, model.card); !fits) return failure(fits.error());
    const Precision precision = request.compute.precision;
    const auto input = readInput(*classifier, precision, request.image, request.pixels);
    if (!input) return failure(input.error());
    ClassifyResult result;
    result.grid = input->grid;
    const auto start = std::chrono::steady_clock::now();
    const at::Tensor logits = request.heads.empty()
                                  ? model.vit->forward(input->values)
                                  : recorded(model, input->values, request, result.grid, result.heads);
    result.top = bestOf(logits[0].to(at::kCPU, at::kFloat), model.card, request.top);
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    result.input = inColour(input->pixels);
    result.device = describeCompute(classifier->device, precision, classifier->threads);
    return result;
}

}  // namespace ropescope
