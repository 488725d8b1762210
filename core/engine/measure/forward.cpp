// SPDX-License-Identifier: Apache-2.0
#include "core/engine/measure/forward.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>

#include "core/checkpoint/finite.h"
#include "core/data/safetensors.h"
#include "core/encoding/extrapolation.h"
#include "core/engine/machine/device.h"
#include "core/engine/machine/host_copy.h"
#include "core/engine/measure/forward_flow.h"
#include "core/engine/network/variation.h"
#include "core/kernel/field.h"
#include "core/model/dit.h"
#include "core/model/vit.h"
#include "core/probe/token_field.h"

namespace ropescope {
namespace {

struct Inputs {
    at::Tensor x, t, y;
};

Error inputError(const std::string& path, const std::string& name, const std::string& reason, const std::string& found,
                 const std::string& expected) {
    return {ErrorKind::Refused,
            "bad-input",
            place({path, name}),
            reason,
            found,
            expected,
            "A DiT needs x [B,C,h,w], t [B] and y [B], a ViT x"};
}

Result<at::Tensor> readInput(const TensorTable& table, const std::string& name, std::size_t rank) {
    const TensorEntry* entry = table.find(name);
    if (!entry) return failure(inputError(table.path(), name, "the input is missing", "", ""));
    if (entry->shape.size() != rank || entry->elements() == 0) {
        return failure(inputError(table.path(), name, "wrong shape", "rank " + std::to_string(entry->shape.size()),
                                  "rank " + std::to_string(rank)));
    }
    const auto values = table.readDouble(name);
    if (!values) return failure(values.error());
    return at::from_blob(const_cast<double*>(values->data()), entry->shape, at::kDouble).clone();
}

Result<void> fitsPatches(const std::string& path, const at::Tensor& x, int channels, int patch) {
    if (x.size(1) == channels && x.size(2) % patch == 0 && x.size(3) % patch == 0) return {};
    return failure(inputError(
        path, "x", "does not fit the model",
        std::to_string(x.size(1)) + " channels, " + std::to_string(x.size(2)) + "x" + std::to_string(x.size(3)),
        std::to_string(channels) + " channels, sides in steps of " + std::to_string(patch)));
}

Result<Inputs> readInputs(const std::string& path, const DitShape& shape) {
    const auto table = TensorTable::open(path);
    if (!table) return failure(table.error());
    const auto x = readInput(*table, "x", 4), t = readInput(*table, "t", 1), y = readInput(*table, "y", 1);
    for (const auto* input : {&x, &t, &y})
        if (!*input) return failure(input->error());
    const std::int64_t batch = x->size(0);
    if (auto fits = fitsPatches(path, *x, shape.inChannels, shape.patch); !fits) return failure(fits.error());
    if (t->size(0) != batch || y->size(0) != batch)
        return failure(inputError(path, "t, y", "one number per image", "", std::to_string(batch)));
    const at::Tensor labels = y->to(at::kLong);
    if (labels.min().item<std::int64_t>() < 0 ||
        labels.max().item<std::int64_t>() >= shape.classes + (shape.nullClass ? 1 : 0))
        return failure(inputError(path, "y", "no such class", "",
                                  "0 to " + std::to_string(shape.classes - (shape.nullClass ? 0 : 1))));
    return Inputs{x->to(at::kFloat), *t, labels};
}

Grid gridOf(const at::Tensor& x, int patch) {
    return {static_cast<int>(x.size(2)) / patch, static_cast<int>(x.size(3)) / patch};
}

/// Frequencies for the input's grid. TimeAware takes a DiT's own time `t`, which then must be one.
Result<Stretch> stretchFor(const ForwardCommand& command, const EncodingSpec& spec, const ModelCard& card, Grid grid,
                           const at::Tensor& t) {
    Extrapolate how = command.extrapolate;
    if (auto possible = checkExtrapolation(spec, how.method); !possible) return failure(possible.error());
    if (how.method == Extrapolation::TimeAware && t.defined()) {
        if (t.min().item<double>() != t.max().item<double>())
            return failure(inputError(command.in, "t", "time-aware positions need one time for all images", "", ""));
        how.time = imageShare(t[0].item<double>());
    }
    return stretchOf(how, card.grid, grid, spec.encoding->axes);
}

void addStretch(DitTaps& taps, const EncodingSpec& spec, const Stretch& stretch) {
    if (!stretch.active()) return;
    taps.positions = [spec, stretch](int, LayerPositions& positions) { stretchPositions(positions, spec, stretch); };
}

/// Resizes the table of absolute positions where that was asked for.
void resizeTable(const ForwardCommand& command, WeightTable& weights, const ModelCard& card, const at::Tensor& x) {
    const auto table = weights.find("pos_embed");
    if (table == weights.end() || command.extrapolate.method != Extrapolation::Interpolation) return;
    const Grid& said = command.extrapolate.trained;
    table->second = resizePositions(table->second, said == Grid{} ? card.grid : said, gridOf(x, card.patch));
}

/// A table of positions is for its own grid alone, unless it was resized for the input.
Result<void> fitsPositions(const ForwardCommand& command, const WeightTable& weights, const at::Tensor& x,
                           const ModelCard& card) {
    const std::string& path = command.in;
    const auto table = weights.find("pos_embed");
    const Grid grid = gridOf(x, card.patch);
    const std::int64_t tokens = grid.tokens();
    const bool resized = command.extrapolate.method == Extrapolation::Interpolation;
    if (table == weights.end()) return {};
    if (table->second.size(1) == tokens && (resized || grid == card.grid)) return {};
    if (table->second.size(1) == tokens)
        return failure(inputError(path, "x", "absolute positions are for another grid (else --grid)",
                                  std::to_string(grid.rows) + "x" + std::to_string(grid.cols),
                                  std::to_string(card.grid.rows) + "x" + std::to_string(card.grid.cols)));
    return failure(inputError(path, "x", "absolute positions do not fit", std::to_string(tokens) + " tokens",
                              std::to_string(table->second.size(1))));
}

/// The maps stay float32: their exponential is wrong in half types.
void move(WeightTable& weights, at::Device device, at::ScalarType type) {
    for (auto& [name, tensor] : weights) tensor = tensor.to(device, isPositionParameter(name) ? at::kFloat : type);
}

using Arrays = std::map<std::string, Array>;

/// Writes attention and fields of every layer as asked.
DitTaps recorder(const ForwardCommand& command, Grid grid, Arrays& out) {
    DitTaps taps;
    if (!command.attention && !command.field) return taps;
    taps.attention = [&command, grid, &out](int layer, const at::Tensor& attention) {
        const std::string name = std::to_string(layer);
        if (command.attention) out["attention." + name] = arrayOf(attention);
        if (!command.field) return;
        const TokenField field = fieldOfTokens(attention, grid);
        out["field_sum." + name] = arrayOf(field.patches.sum);
        out["field_mean." + name] = arrayOf(fieldMean(field.patches.sum, grid));
        if (attention.size(2) != grid.tokens()) out["class_share." + name] = arrayOf(field.classShare);
    };
    return taps;
}

Result<at::Tensor> runDit(const ForwardCommand& command, const TensorTable& table, const ModelCard& card,
                          at::Device device, Arrays& out) {
    if (auto complete = checkComplete(table, card); !complete) return failure(complete.error());
    auto shape = ditShape(card);
    if (!shape) return failure(shape.error());
    auto weights = loadDitWeights(table, *shape);
    if (!weights) return failure(weights.error());
    const auto changes = headChanges(command.model, card);
    if (!changes) return failure(changes.error());
    shape->changes = *changes;
    const auto in = readInputs(command.in, *shape);
    if (!in) return failure(in.error());
    const Grid grid = gridOf(in->x, shape->patch);
    const auto stretch = stretchFor(command, shape->positions(), card, grid, in->t);
    if (!stretch) return failure(stretch.error());
    resizeTable(command, *weights, card, in->x);
    if (auto fits = fitsPositions(command, *weights, in->x, card); !fits) return failure(fits.error());
    const at::ScalarType type = scalarType(command.compute.precision);
    move(*weights, device, type);
    DitTaps taps = recorder(command, grid, out);
    addStretch(taps, shape->positions(), *stretch);
    return ditForward(*weights, *shape, in->x.to(device, type), in->t.to(device), in->y.to(device), taps);
}

Result<at::Tensor> runViT(const ForwardCommand& command, const TensorTable& table, const ModelCard& card,
                          at::Device device, Arrays& out) {
    if (auto complete = checkComplete(table, card); !complete) return failure(complete.error());
    auto shape = viTShape(card);
    if (!shape) return failure(shape.error());
    auto weights = loadViTWeights(table, *shape);
    if (!weights) return failure(weights.error());
    const auto changes = headChanges(command.model, card);
    if (!changes) return failure(changes.error());
    shape->changes = *changes;
    const auto inputs = TensorTable::open(command.in);
    if (!inputs) return failure(inputs.error());
    const auto x = readInput(*inputs, "x", 4);
    if (!x) return failure(x.error());
    if (auto fits = fitsPatches(command.in, *x, shape->inChannels, shape->patch); !fits) return failure(fits.error());
    const Grid grid = gridOf(*x, shape->patch);
    const auto stretch = stretchFor(command, shape->positions(), card, grid, {});
    if (!stretch) return failure(stretch.error());
    const at::ScalarType type = scalarType(command.compute.precision);
    move(*weights, device, type);
    ViTTaps taps = recorder(command, grid, out);
    addStretch(taps, shape->positions(), *stretch);
    return vitForward(*weights, *shape, x->to(device, type), taps);
}

/// A result that is not finite is no result: the first weight that is not finite is named, where there is one.
Result<void> checkFinite(const TensorTable& table, const Arrays& out) {
    const auto sound = [](const Array& array) {
        return array.dtype != DType::F32 ||
               std::ranges::all_of(array.as<float>(), [](float v) { return std::isfinite(v); });
    };
    if (std::ranges::all_of(out, [&](const auto& one) { return sound(one.second); })) return {};
    const auto culprit = firstNotFinite(table);
    if (!culprit) return failure(culprit.error());
    return failure({ErrorKind::Refused, "TC-14", place({table.path(), *culprit}),
                    culprit->empty() ? "the output is not finite though all weights are"
                                     : "the output is not finite, because this weight is not",
                    "NaN or infinity", "finite numbers",
                    culprit->empty() ? "Try --precision fp32, and inputs of usual size" : "Use an earlier checkpoint"});
}

}  // namespace

Result<void> forwardToFile(const ForwardCommand& command) {
    const c10::InferenceMode inference;
    const auto device = chooseDevice(command.compute.device);
    if (!device) return failure(device.error());
    useThreads(command.compute.threads);
    const auto table = TensorTable::open(command.model);
    if (!table) return failure(table.error());
    const auto card = recognise(*table, command.model, inputSides(command.in));
    if (!card) return failure(card.error());
    Arrays out;
    if (card->takesText() || card->architecture == "vae") {
        if (auto done = forwardFlow(command, *table, *card, *device, out); !done) return done;
        if (auto finite = checkFinite(*table, out); !finite) return finite;
        return writeSafetensors(command.out, out);
    }
    const auto run = card->architecture == "vit" ? runViT : runDit;
    const auto result = run(command, *table, *card, *device, out);
    if (!result) return failure(result.error());
    out["out"] = arrayOf(*result);
    if (auto finite = checkFinite(*table, out); !finite) return finite;
    return writeSafetensors(command.out, out);
}

}  // namespace ropescope
