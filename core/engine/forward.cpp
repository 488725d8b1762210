// SPDX-License-Identifier: Apache-2.0
#include "core/engine/forward.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "core/data/safetensors.h"
#include "core/encoding/extrapolation.h"
#include "core/engine/device.h"
#include "core/engine/picture.h"
#include "core/kernel/field.h"
#include "core/model/dit.h"

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
            "Give x [B,C,h,w], t [B] and y [B]"};
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

Result<Inputs> readInputs(const std::string& path, const DitShape& shape) {
    const auto table = TensorTable::open(path);
    if (!table) return failure(table.error());
    const auto x = readInput(*table, "x", 4), t = readInput(*table, "t", 1), y = readInput(*table, "y", 1);
    for (const auto* input : {&x, &t, &y})
        if (!*input) return failure(input->error());
    const std::int64_t batch = x->size(0);
    if (x->size(1) != shape.inChannels || x->size(2) % shape.patch != 0 || x->size(3) % shape.patch != 0) {
        return failure(inputError(
            path, "x", "does not fit the model",
            std::to_string(x->size(1)) + " channels, " + std::to_string(x->size(2)) + "x" + std::to_string(x->size(3)),
            std::to_string(shape.inChannels) + " channels, sides in steps of " + std::to_string(shape.patch)));
    }
    if (t->size(0) != batch || y->size(0) != batch)
        return failure(inputError(path, "t, y", "one number per image", "", std::to_string(batch)));
    const at::Tensor labels = y->to(at::kLong);
    if (labels.min().item<std::int64_t>() < 0 || labels.max().item<std::int64_t>() > shape.classes)
        return failure(inputError(path, "y", "no such class", "", "0 to " + std::to_string(shape.classes)));
    return Inputs{x->to(at::kFloat), *t, labels};
}

/// Frequencies for the input's grid. TimeAware takes the inputs' own time, which then must be one.
Result<Stretch> stretchFor(const ForwardCommand& command, const DitShape& shape, const ModelCard& card,
                           const Inputs& in) {
    Extrapolate how = command.extrapolate;
    const EncodingSpec spec = shape.positions();
    if (auto possible = checkExtrapolation(spec, how.method); !possible) return failure(possible.error());
    if (how.method == Extrapolation::TimeAware) {
        if (in.t.min().item<double>() != in.t.max().item<double>())
            return failure(inputError(command.in, "t", "time-aware positions need one time for all images", "", ""));
        how.time = imageShare(in.t[0].item<double>());
    }
    const Grid grid{static_cast<int>(in.x.size(2)) / shape.patch, static_cast<int>(in.x.size(3)) / shape.patch};
    return stretchOf(how, card.grid, grid, spec.encoding->axes);
}

/// Resizes the table of absolute positions where that was asked for.
void resizeTable(const ForwardCommand& command, WeightTable& weights, const ModelCard& card, const at::Tensor& x) {
    const auto table = weights.find("pos_embed");
    if (table == weights.end() || command.extrapolate.method != Extrapolation::Interpolation) return;
    const Grid& said = command.extrapolate.trained;
    table->second =
        resizePositions(table->second, said == Grid{} ? card.grid : said,
                        {static_cast<int>(x.size(2)) / card.patch, static_cast<int>(x.size(3)) / card.patch});
}

Result<void> fitsPositions(const std::string& path, const WeightTable& weights, const at::Tensor& x, int patch) {
    const auto table = weights.find("pos_embed");
    const std::int64_t tokens = x.size(2) / patch * (x.size(3) / patch);
    if (table == weights.end() || table->second.size(1) == tokens) return {};
    return failure(inputError(path, "x", "absolute positions do not fit", std::to_string(tokens) + " tokens",
                              std::to_string(table->second.size(1))));
}

struct Run {
    WeightTable weights;
    DitShape shape;
    Inputs in;
    Stretch stretch;
};

Result<Run> prepare(const ForwardCommand& command, at::Device device) {
    const auto table = TensorTable::open(command.model.path, command.model.weights);
    if (!table) return failure(table.error());
    const auto card = recognise(*table, command.model);
    if (!card) return failure(card.error());
    const auto shape = ditShape(*card);
    if (!shape) return failure(shape.error());
    if (auto complete = checkComplete(*table, *card); !complete) return failure(complete.error());
    auto weights = loadDitWeights(*table, *shape);
    if (!weights) return failure(weights.error());
    auto in = readInputs(command.in, *shape);
    if (!in) return failure(in.error());
    const auto stretch = stretchFor(command, *shape, *card, *in);
    if (!stretch) return failure(stretch.error());
    resizeTable(command, *weights, *card, in->x);
    if (auto fits = fitsPositions(command.in, *weights, in->x, shape->patch); !fits) return failure(fits.error());
    const at::ScalarType type = scalarType(command.compute.precision);
    for (auto& [name, tensor] : *weights) {
        // The maps stay float32: their exponential is wrong in half types.
        const bool map = isPositionParameter(name);
        tensor = tensor.to(device, map ? at::kFloat : type);
    }
    return Run{std::move(*weights), *shape, {in->x.to(device, type), in->t.to(device), in->y.to(device)}, *stretch};
}

}  // namespace

Result<void> forwardToFile(const ForwardCommand& command) {
    const c10::InferenceMode inference;
    const auto device = chooseDevice(command.compute.device);
    if (!device) return failure(device.error());
    useThreads(command.compute.threads);
    const auto run = prepare(command, *device);
    if (!run) return failure(run.error());
    const int patch = run->shape.patch;
    const Grid grid{static_cast<int>(run->in.x.size(2)) / patch, static_cast<int>(run->in.x.size(3)) / patch};
    std::map<std::string, Array> out;
    DitTaps taps;
    if (run->stretch.active())
        taps.positions = [&](int, LayerPositions& positions) {
            stretchPositions(positions, run->shape.positions(), run->stretch);
        };
    if (command.attention || command.field) {
        taps.attention = [&](int layer, const at::Tensor& attention) {
            const std::string name = std::to_string(layer);
            if (command.attention) out["attention." + name] = arrayOf(attention);
            if (!command.field) return;
            const AttentionField field = fieldOfAttention(attention, grid);
            out["field_sum." + name] = arrayOf(field.sum);
            out["field_mean." + name] = arrayOf(fieldMean(field.sum, grid));
        };
    }
    out["out"] = arrayOf(ditForward(run->weights, run->shape, run->in.x, run->in.t, run->in.y, taps));
    return writeSafetensors(command.out, out);
}

}  // namespace ropescope
