// SPDX-License-Identifier: Apache-2.0
#include "core/engine/network/flow_inputs.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdio>

#include "core/engine/machine/device.h"

namespace ropescope {
namespace {

/// What a process takes beside the weights: LibTorch and the activations of a pass of usual size.
constexpr std::uint64_t kBesideWeights = 1'000'000'000;

/// For weights, of a limit for everything; without a limit of what is free.
std::uint64_t budgetOf(std::uint64_t memory, at::Device device) {
    if (memory == 0) memory = freeBytes(device);
    if (memory == 0) return ~std::uint64_t{0};
    return memory > kBesideWeights ? memory - kBesideWeights : 0;
}

std::string gigabytes(std::uint64_t bytes) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2f GB", static_cast<double>(bytes) / 1e9);
    return text;
}

std::string shapeText(const std::vector<std::int64_t>& shape) {
    std::string out = "[";
    for (std::size_t i = 0; i < shape.size(); ++i)
        out += (i ? "," : "") + (shape[i] < 0 ? std::string("n") : std::to_string(shape[i]));
    return out + "]";
}

}  // namespace

Result<NamedInputs> NamedInputs::open(const std::string& path, std::string expects) {
    auto table = TensorTable::openPlain(path);
    if (!table) return failure(table.error());
    return NamedInputs(std::move(*table), std::move(expects));
}

Result<at::Tensor> NamedInputs::read(const std::string& name, std::vector<std::int64_t> shape) const {
    const TensorEntry* entry = m_table.find(name);
    if (!entry) return failure(error(name, "the input is missing", "", ""));
    bool fits = entry->shape.size() == shape.size() && entry->elements() > 0;
    for (std::size_t i = 0; fits && i < shape.size(); ++i) fits = shape[i] < 0 || shape[i] == entry->shape[i];
    if (!fits) return failure(error(name, "wrong shape", shapeText(entry->shape), shapeText(shape)));
    const auto values = m_table.readFloat(name);
    if (!values) return failure(values.error());
    return at::from_blob(const_cast<float*>(values->data()), entry->shape, at::kFloat).clone();
}

Error NamedInputs::error(const std::string& name, const std::string& reason, const std::string& found,
                         const std::string& expected) const {
    return {ErrorKind::Refused, "bad-input", place({m_table.path(), name}), reason, found, expected, m_expects};
}

std::int64_t inputsOf(const TensorTable& table, const std::string& name) {
    const TensorEntry* entry = table.find(name);
    return entry && entry->shape.size() == 2 ? entry->shape[1] : -1;
}

Result<WeightStore> storeUnder(std::uint64_t memory, const TensorTable& table, at::ScalarType type, at::Device device,
                               LoraSet changes) {
    if (auto possible = checkStorage(table); !possible) return failure(possible.error());
    std::uint64_t budget = budgetOf(memory, device);
    const std::uint64_t loras = device.is_cpu() ? changes.bytes() : 0;
    if (budget != ~std::uint64_t{0}) budget -= std::min(budget, loras);
    WeightStore store(table, type, device, budget, std::move(changes));
    if (store.streams() && 2 * store.largestBlock() > budget)
        return failure(
            {ErrorKind::Device, "memory", memory > 0 ? place({"--memory", table.path()}) : place({table.path()}),
             "too little memory for two blocks of this model", gigabytes(memory > 0 ? memory : freeBytes(device)),
             gigabytes(2 * store.largestBlock() + loras + kBesideWeights + 5'000'000) + " or more",
             "Give more, or a half precision"});
    return store;
}

std::uint64_t beside(std::uint64_t memory) {
    return memory == 0 ? 0 : std::max<std::uint64_t>(1, memory - std::min(memory, kBesideWeights));
}

std::uint64_t makeRoom(WeightStore& kept, std::uint64_t wanted, std::uint64_t memory) {
    const std::uint64_t loras = kept.device().is_cpu() ? kept.changeBytes() : 0;
    const std::uint64_t whole = memory - std::min(memory, loras);  // of a limit, without what stays
    const std::uint64_t left = memory > 0 ? whole - std::min(whole, kept.keptBytes()) : freeBytes(kept.device());
    const bool unknown = memory == 0 && left == 0;
    if (unknown || wanted + kBesideWeights <= left) return memory > 0 ? std::max<std::uint64_t>(1, left) : 0;
    kept.release();
    return memory > 0 ? std::max<std::uint64_t>(1, whole) : 0;
}

Result<WeightStore> storeFor(const TensorTable& table, const ModelRef& model, const Compute& compute,
                             std::uint64_t memory, at::Device device,
                             const std::function<void(const std::string&)>& note) {
    auto changes = readLoras(table, model.loras);
    if (!changes) return failure(changes.error());
    if (note)
        for (const std::string& line : changes->notes) note(line);
    const std::uint64_t loras = changes->bytes();
    auto store = storeUnder(memory, table, scalarType(compute.precision), device, std::move(*changes));
    if (!store || !note) return store;
    const std::uint64_t peak = std::min(budgetOf(memory, device), store->totalBytes() + loras) + kBesideWeights;
    note("weights " + gigabytes(store->totalBytes()) + ", largest block " + gigabytes(store->largestBlock()) +
         (store->streams() ? "; streamed from the file, peak at most " + gigabytes(peak) : "; kept in memory"));
    return store;
}

}  // namespace ropescope
