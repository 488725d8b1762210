// SPDX-License-Identifier: Apache-2.0
#include "core/engine/network/loaded_model.h"

#include "core/engine/machine/device.h"
#include "core/engine/machine/models_kept.h"
#include "core/engine/network/painter.h"
#include "core/engine/network/variation.h"

namespace ropescope {
namespace {

Result<void> fillDit(LoadedModel& model, const TensorTable& table, at::Device device, at::ScalarType type) {
    if (auto complete = checkComplete(table, model.card); !complete) return complete;
    const auto shape = ditShape(model.card);
    if (!shape) return failure(shape.error());
    const auto weights = loadDitWeights(table, *shape);
    if (!weights) return failure(weights.error());
    model.dit = std::make_unique<DitInference>(*weights, *shape, device, type);
    return {};
}

Result<void> fillViT(LoadedModel& model, const TensorTable& table, at::Device device, at::ScalarType type) {
    if (auto complete = checkComplete(table, model.card); !complete) return complete;
    const auto shape = viTShape(model.card);
    if (!shape) return failure(shape.error());
    auto weights = loadViTWeights(table, *shape);
    if (!weights) return failure(weights.error());
    model.vit = std::make_unique<ViTInference>(*weights, *shape, device, type);
    model.vitShape = *shape;
    for (auto& [name, tensor] : *weights)
        model.vitWeights[name] = tensor.to(device, isPositionParameter(name) ? at::kFloat : type);
    return {};
}

/// What the model keeps: a ViT its weights twice, folded and as they are; with maps the projections before folding too.
std::uint64_t bytesOf(const ModelCard& card, at::ScalarType type) {
    const auto parameters = static_cast<std::uint64_t>(card.parameters), width = static_cast<std::uint64_t>(card.width);
    const std::uint64_t once = parameters * c10::elementSize(type);
    const std::uint64_t unfolded = findMapNames(card.encoding) ? 3 * width * width * card.layers * sizeof(float) : 0;
    return (card.architecture == "vit" ? 2 * once : once) + unfolded;
}

Result<std::shared_ptr<const LoadedModel>> load(const ModelRef& ref, at::Device device, Precision precision,
                                                const std::function<void(std::uint64_t)>& room) {
    const auto table = TensorTable::open(ref);
    if (!table) return failure(table.error());
    auto card = recognise(*table, ref);
    if (!card) return failure(card.error());
    auto model = std::make_shared<LoadedModel>();
    model->card = std::move(*card);
    room(bytesOf(model->card, scalarType(precision)));
    const auto fill = model->card.architecture == "vit" ? fillViT : fillDit;
    if (auto filled = fill(*model, *table, device, scalarType(precision)); !filled) return failure(filled.error());
    return std::shared_ptr<const LoadedModel>(model);
}

std::shared_ptr<const LoadedModel> varied(const std::shared_ptr<const LoadedModel>& stored,
                                          const HeadChangesPtr& changes) {
    auto model = std::make_shared<LoadedModel>();
    model->card = stored->card;
    if (stored->dit) model->dit = std::make_unique<DitInference>(stored->dit->varied(changes));
    if (stored->vit) {
        model->vit = std::make_unique<ViTInference>(stored->vit->varied(changes));
        model->vitShape = stored->vitShape, model->vitWeights = stored->vitWeights;
        model->vitShape.changes = changes;
    }
    model->changes = changes, model->stored = stored;
    return model;
}

ModelsKept<const LoadedModel>& keptModels() {
    static ModelsKept<const LoadedModel> kept;
    return kept;
}

}  // namespace

Result<std::shared_ptr<const LoadedModel>> loadModel(const ModelRef& ref, at::Device device, Precision precision) {
    forgetPainter();  // which may fill the memory
    const ModelRef source = withoutChanges(ref);
    auto stored = keptModels().get(identityOf(source, device, precision), device,
                                   [&](const auto& room) { return load(source, device, precision, room); });
    if (!stored || !ref.changesHeads()) return stored;
    const auto changes = headChanges(ref, (*stored)->card);
    if (!changes) return failure(changes.error());
    return varied(*stored, *changes);
}

void forgetModel() {
    keptModels().forget();
}

}  // namespace ropescope
