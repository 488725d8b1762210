// SPDX-License-Identifier: Apache-2.0
#include "core/engine/loaded_model.h"

#include <sys/stat.h>

#include <mutex>

#include "core/engine/device.h"

namespace ropescope {
namespace {

/// What must not change for a loaded model to be the file's.
struct Identity {
    ModelRef ref;
    std::uint64_t file = 0, size = 0;
    std::int64_t seconds = 0, nanoseconds = 0;
    at::Device device = at::kCPU;
    Precision precision = Precision::Fp32;
    bool operator==(const Identity&) const = default;
};

Identity identityOf(const ModelRef& ref, at::Device device, Precision precision) {
    Identity id{ref, 0, 0, 0, 0, device, precision};
    struct stat status {};
    if (::stat(ref.path.c_str(), &status) == 0) {
        id.file = status.st_ino, id.size = static_cast<std::uint64_t>(status.st_size);
        id.seconds = status.st_mtim.tv_sec, id.nanoseconds = status.st_mtim.tv_nsec;
    }
    return id;
}

Result<void> fillDit(LoadedModel& model, const TensorTable& table, at::Device device, at::ScalarType type) {
    const auto shape = ditShape(model.card);
    if (!shape) return failure(shape.error());
    if (auto complete = checkComplete(table, model.card); !complete) return complete;
    const auto weights = loadDitWeights(table, *shape);
    if (!weights) return failure(weights.error());
    model.dit = std::make_unique<DitInference>(*weights, *shape, device, type);
    return {};
}

Result<void> fillViT(LoadedModel& model, const TensorTable& table, at::Device device, at::ScalarType type) {
    const auto shape = viTShape(model.card);
    if (!shape) return failure(shape.error());
    if (auto complete = checkComplete(table, model.card); !complete) return complete;
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

struct Kept {
    std::mutex mutex;
    Identity identity;
    std::shared_ptr<const LoadedModel> model;
};

Kept& keptModel() {
    static Kept kept;
    return kept;
}

}  // namespace

Result<std::shared_ptr<const LoadedModel>> loadModel(const ModelRef& ref, at::Device device, Precision precision) {
    Kept& kept = keptModel();
    const std::lock_guard lock(kept.mutex);
    const Identity identity = identityOf(ref, device, precision);
    if (kept.model && kept.identity == identity) return kept.model;
    kept.model = nullptr;  // first, so that two models never lie in memory together
    auto loaded = load(ref, device, precision);
    if (loaded) kept.model = *loaded, kept.identity = identity;
    return loaded;
}

void forgetModel() {
    Kept& kept = keptModel();
    const std::lock_guard lock(kept.mutex);
    kept.model = nullptr;
}

}  // namespace ropescope
