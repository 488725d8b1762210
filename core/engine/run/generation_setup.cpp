// SPDX-License-Identifier: Apache-2.0
#include "core/engine/run/generation_setup.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/encoding/extrapolation.h"
#include "core/engine/machine/device.h"
#include "core/engine/network/request_checks.h"

namespace ropescope {
namespace {

constexpr int kMaxTokens = 1 << 16;
constexpr int kMaxBatch = 4096;

std::string sizeText(std::int64_t rows, std::int64_t cols) {
    return std::to_string(rows) + "x" + std::to_string(cols);
}

std::string shapeText(const std::vector<std::int64_t>& shape) {
    std::string text;
    for (const std::int64_t side : shape) text += (text.empty() ? "[" : ",") + std::to_string(side);
    return text.empty() ? "[]" : text + "]";
}

Result<void> readNoises(const GenerateRequest& request, GenerationSetup& setup) {
    if (!request.noiseFile.empty()) {
        const auto noise = readNoise("--noise", request.noiseFile, {"noise"}, setup.channels);
        if (!noise) return failure(noise.error());
        setup.noise = *noise;
    }
    if (!request.stepNoiseFile.empty()) {
        const auto noise = readNoise("--step-noise", request.stepNoiseFile,
                                     {"step_noise", "step_noises", "ddpm_noises", "noise"}, setup.channels);
        if (!noise) return failure(noise.error());
        setup.stepNoise = *noise;
    }
    return {};
}

Result<void> chooseSize(const GenerateRequest& request, GenerationSetup& setup) {
    const ModelCard& card = setup.model->card;
    const DitShape& shape = setup.model->dit->shape();
    setup.size = request.size;
    if (request.size == Grid{}) setup.size = {card.grid.rows * card.patch, card.grid.cols * card.patch};
    if (setup.noise.defined())
        setup.size = {static_cast<int>(setup.noise.size(2)), static_cast<int>(setup.noise.size(3))};
    const Grid size = setup.size;
    const std::string found = sizeText(size.rows, size.cols);
    if (size.rows <= 0 || size.cols <= 0 || size.rows % card.patch != 0 || size.cols % card.patch != 0) {
        return failure(optionError("--size", "the sides must be multiples of the patch", found,
                                   std::to_string(card.patch), "Choose another size"));
    }
    setup.grid = {size.rows / card.patch, size.cols / card.patch};
    if (setup.grid.tokens() / setup.grid.cols != setup.grid.rows || setup.grid.tokens() > kMaxTokens)
        return failure(
            optionError("--size", "the picture is too large", found, "at most 65536 tokens", "Choose a smaller size"));
    const Extrapolation method = request.extrapolate.method;
    if (auto possible = checkExtrapolation(shape.positions(), method); !possible) return possible;
    if (method == Extrapolation::TimeAware && card.objective == "flow" && card.flow.scale == 1)
        return failure(optionError("--extrapolation", "time-aware positions are made for times up to 1000",
                                   "a model whose time is unscaled", "another method", "Choose another method"));
    const bool resized = method == Extrapolation::Interpolation;
    if (shape.addsTable() && setup.grid != card.grid && !resized) {
        return failure(optionError("--size", "absolute positions exist only for the trained size", found,
                                   sizeText(card.grid.rows * card.patch, card.grid.cols * card.patch),
                                   "Leave --size out or add --extrapolation interpolation"));
    }
    const at::Tensor& step = setup.stepNoise;
    const std::vector<std::int64_t> expected = {setup.plan.steps(), setup.channels, size.rows, size.cols};
    if (step.defined() && step.sizes().vec() != expected) {
        return failure(optionError("--step-noise", "the noise does not fit the run", shapeText(step.sizes().vec()),
                                   shapeText(expected), "Give one noise per step"));
    }
    return {};
}

Result<void> chooseLabels(const GenerateRequest& request, GenerationSetup& setup) {
    const int classes = setup.model->card.classes;
    const int batch = setup.noise.defined() ? static_cast<int>(setup.noise.size(0)) : request.batch;
    if (batch < 1 || batch > kMaxBatch) {
        return failure(optionError("--batch", "not a possible number of images", std::to_string(batch),
                                   "1 to " + std::to_string(kMaxBatch), "Choose another number"));
    }
    if (request.labels.size() != 1 && request.labels.size() != static_cast<std::size_t>(batch)) {
        return failure(optionError("--class", "one class, or one per image", std::to_string(request.labels.size()),
                                   std::to_string(batch), "Give as many classes as images"));
    }
    const int last = setup.model->card.nullClass ? classes : classes - 1;
    const std::string null = last == classes ? " (" + std::to_string(classes) + " is no class)" : "";
    for (const int label : request.labels) {
        if (label < 0 || label > last) {
            return failure(optionError("--class", "no such class", std::to_string(label),
                                       "0 to " + std::to_string(last) + null, "Choose another class"));
        }
    }
    setup.labels = request.labels;
    if (request.labels.size() == 1) setup.labels.assign(batch, request.labels[0]);
    return {};
}

Result<void> chooseGuidance(const GenerateRequest& request, GenerationSetup& setup) {
    if (request.guidance == 1) return {};  // the conditional prediction itself
    if (!setup.model->card.nullClass)
        return failure(optionError("--guidance",
                                   "the model was trained without \"no class\": its label table has no row for it",
                                   std::to_string(request.guidance), "1", "Draw with --guidance 1"));
    const bool first3 = request.guidanceChannels == GuidanceChannels::First3 ||
                        (request.guidanceChannels == GuidanceChannels::Auto && setup.channels == 4 &&
                         setup.model->card.learnedVariance);
    setup.guided = first3 ? std::min<std::int64_t>(3, setup.channels) : setup.channels;
    return {};
}

Result<void> chooseHeads(const GenerateRequest& request, GenerationSetup& setup) {
    const DitShape& shape = setup.model->dit->shape();
    auto heads = recordedHeads(request, shape.layers, shape.heads);
    if (!heads) return failure(heads.error());
    setup.heads = std::move(*heads);
    if (!setup.heads.empty()) setup.layers.assign(shape.layers, false);
    for (const HeadId& id : setup.heads) setup.layers[id.layer] = true;
    return {};
}

}  // namespace

Result<at::Tensor> readNoise(const std::string& option, const std::string& path,
                             std::initializer_list<std::string_view> names, std::int64_t channels) {
    const auto table = TensorTable::open(path);
    if (!table) return failure(table.error());
    const TensorEntry* entry = table->tensors().size() == 1 ? table->tensors().data() : nullptr;
    for (const std::string_view name : names) entry = entry ? entry : table->find(name);
    if (!entry) {
        return failure(optionError(option, "the file holds several tensors and none of the expected name",
                                   std::to_string(table->tensors().size()) + " tensors", std::string(*names.begin()),
                                   "Store the noise under that name or alone"));
    }
    if (entry->shape.size() != 4 || entry->shape[1] != channels || entry->elements() == 0) {
        return failure(optionError(option, "the noise does not fit the model", shapeText(entry->shape),
                                   "[n," + std::to_string(channels) + ",h,w]", "Give noise of that shape"));
    }
    const auto values = table->readFloat(entry->name);
    if (!values) return failure(values.error());
    return at::from_blob(const_cast<float*>(values->data()), entry->shape, at::kFloat).clone();
}

Result<GenerationSetup> setUpGeneration(const GenerateRequest& request, std::shared_ptr<const LoadedModel> model) {
    GenerationSetup setup;
    setup.model = std::move(model);
    setup.channels = setup.model->card.inChannels;
    if (auto possible = checkSampling(request); !possible) return failure(possible.error());
    const auto plan = planSampling(request.sampler, setup.model->card.objective, request.steps, setup.model->card.flow);
    if (!plan) return failure(plan.error());
    setup.plan = *plan;
    if (auto done = readNoises(request, setup); !done) return failure(done.error());
    if (auto done = chooseSize(request, setup); !done) return failure(done.error());
    if (auto done = chooseLabels(request, setup); !done) return failure(done.error());
    if (auto done = chooseGuidance(request, setup); !done) return failure(done.error());
    if (auto done = chooseHeads(request, setup); !done) return failure(done.error());
    return setup;
}

Result<GenerationSetup> openGeneration(const GenerateRequest& request) {
    const auto device = chooseDevice(request.compute.device);
    if (!device) return failure(device.error());
    const int threads = useThreads(request.compute.threads);
    const auto model = loadModel(request.model, *device, request.compute.precision);
    if (!model) return failure(model.error());
    if (!(*model)->dit)
        return failure({ErrorKind::Refused, "not-a-generator", place({request.model.path}), "this model draws nothing",
                        (*model)->card.architecture, "dit, flux or mmdit", "Open a model that generates"});
    auto setup = setUpGeneration(request, *model);
    if (setup) setup->threads = threads;
    return setup;
}

}  // namespace ropescope
