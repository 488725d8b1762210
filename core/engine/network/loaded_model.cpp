// SPDX-License-Identifier: Apache-2.0
#include "core/engine/network/loaded_model.h"

#include "core/engine/machine/device.h"
#include "core/engine/machine/kept.h"
#include "core/engine/network/painter.h"

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

Result<std::shared_ptr<const LoadedModel>> load(const ModelRef& ref, at::Device device, Precision precision) {
    const auto table = TensorTable::open(ref);
    if (!table) return failure(table.error());
    auto card = recognise(*table, ref);
    if (!card) return failure(card.error());
    auto model = std::make_shared<LoadedModel>();
    model->card = std::move(*card);
    const auto fill = model->card.architecture == "vit" ? fillViT : fillDit;
    if (auto filled = fill(*model, *table, device, scalarType(precision)); !filled) return failure(filled.error());
    return std::shared_ptr<const LoadedModel>(model);
}

Kept<const LoadedModel>& keptModel() {
    static Kept<const LoadedModel> kept;
    return kept;
}

}  // namespace

Result<std::shared_ptr<const LoadedModel>> loadModel(const ModelRef& ref, at::Device device, Precision precision) {
    forgetPainter();  // one model may fill the memory
    return keptModel().get(identityOf(ref, device, precision), [&] { return load(ref, device, precision); });
}

void forgetModel() {
    keptModel().forget();
}

}  // namespace ropescope
