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

Result<std::shared_ptr<const LoadedModel>> load(const ModelRef& ref, at::Device device, Precision precision) {
    const auto table = TensorTable::open(ref.path, ref.weights);
    if (!table) return failure(table.error());
    auto card = recognise(*table, ref);
    if (!card) return failure(card.error());
    const auto shape = ditShape(*card);
    if (!shape) return failure(shape.error());
    if (auto complete = checkComplete(*table, *card); !complete) return failure(complete.error());
    const auto weights = loadDitWeights(*table, *shape);
    if (!weights) return failure(weights.error());
    auto model = std::make_shared<LoadedModel>();
    model->dit = std::make_unique<DitInference>(*weights, *shape, device, scalarType(precision));
    model->card = std::move(*card);
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
