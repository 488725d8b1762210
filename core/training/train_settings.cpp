// SPDX-License-Identifier: Apache-2.0
#include "core/training/train_settings.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/data/enum_names.h"
#include "core/encoding/encoding.h"

namespace ropescope {
namespace {

const std::map<std::string, Convention> kConventions = {{"same", Convention::Same}, {"inverse", Convention::Inverse}};
const std::map<std::string, Precision> kPrecisions = {{"fp32", Precision::Fp32}, {"bf16", Precision::Bf16}};

template <class T>
std::string nameOf(const std::map<std::string, T>& names, T value) {
    for (const auto& [name, v] : names)
        if (v == value) return name;
    return "";
}

const std::map<std::string, MapSharing> kSharings = {
    {"head", MapSharing::Head}, {"layer", MapSharing::Layer}, {"model", MapSharing::Model}};
const std::map<std::string, AxisOrder> kOrders = {{"row", AxisOrder::RowFirst}, {"column", AxisOrder::ColumnFirst}};

std::vector<std::string> encodingNames() {
    std::vector<std::string> names;
    for (const Encoding& e : encodings()) names.emplace_back(e.name);
    return names;
}

std::map<std::string, MatrixKind> matrixNames() {
    std::map<std::string, MatrixKind> names;
    for (const Matrix& m : matrices()) names[std::string(m.name)] = m.kind;
    return names;
}

void addModelOptions(CLI::App& app, TrainSettings& s) {
    app.add_option("--architecture", s.architecture, "dit: draws pictures of a class, vit: says the class of a picture")
        ->check(CLI::IsMember({"dit", "vit"}))
        ->capture_default_str();
    app.add_option("--encoding", s.encoding, "positional encoding")
        ->check(CLI::IsMember(encodingNames()))
        ->capture_default_str();
    app.add_option("--convention", s.convention, "harope: how the maps enter, same or inverse")
        ->transform(CLI::CheckedTransformer(kConventions));
    app.add_option("--matrix", s.matrix, "harope, string, rethinking: how the learned matrix is made")
        ->transform(CLI::CheckedTransformer(matrixNames()));
    app.add_option("--sharing", s.sharing, "what has a matrix of its own: head, layer or model")
        ->transform(CLI::CheckedTransformer(kSharings))
        ->default_str("head");
    app.add_option("--axis-order", s.axisOrder, "axis of the first half of the rotary planes: row or column")
        ->transform(CLI::CheckedTransformer(kOrders))
        ->default_str("row");
    app.add_option("--theta", s.theta, "base of the rotary frequencies")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--layers", s.layers)->check(CLI::Range(1, 100))->capture_default_str();
    app.add_option("--heads", s.heads)->check(CLI::Range(1, 100))->capture_default_str();
    app.add_option("--head-dim", s.headDim, "a multiple of 4")->check(CLI::Range(4, 256))->capture_default_str();
    app.add_option("--patch", s.patch, "side of a patch in pixels")->check(CLI::Range(1, 64))->capture_default_str();
}

void addOptimizerOptions(CLI::App& app, TrainSettings& s) {
    OptimizerSettings& o = s.optimizer;
    app.add_option("--lr", s.rate, "peak learning rate")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--warmup", s.warmUp, "steps of linear rise")->check(CLI::NonNegativeNumber)->capture_default_str();
    app.add_option("--weight-decay", o.weightDecay)->check(CLI::NonNegativeNumber)->capture_default_str();
    app.add_option("--map-lr-scale", o.mapRateScale, "learning rate of the maps relative to the rest")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--sigma-decay", o.sigmaDecay, "decay of singular values towards 1")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--clip", o.clipNorm, "largest gradient norm")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--ema", o.averageDecay, "decay of the moving average that is saved as the model")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    app.add_option("--label-dropout", s.labelDropout, "dit: share of labels replaced by the null class")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
}

void addRunOptions(CLI::App& app, TrainSettings& s) {
    app.add_option("--data", s.data, "folder of idx files, or of one subfolder of images per class")
        ->capture_default_str();
    app.add_option("--out", s.out, "output folder; a training that was interrupted there goes on")->required();
    app.add_option("--epochs", s.epochs)->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--steps", s.steps, "number of steps instead of epochs")->check(CLI::PositiveNumber);
    app.add_option("--images", s.images, "use only the first so many images")->check(CLI::PositiveNumber);
    app.add_option("--batch", s.batch)->check(CLI::Range(1, 65536))->capture_default_str();
    app.add_option("--seed", s.seed)->capture_default_str();
    app.add_option("--series", s.series, "number of intermediate checkpoints (projections and maps), step 0 included")
        ->check(CLI::Range(0, 1000))
        ->capture_default_str();
    app.add_option("--save-every", s.saveEvery, "steps between state files")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--precision", s.precision, "bf16 or fp32 products; weights and sums are always fp32")
        ->transform(CLI::CheckedTransformer(kPrecisions))
        ->default_str(nameOf(kPrecisions, s.precision));
    app.add_option("--device", s.device, "auto, cpu, cuda or cuda:N; on a GPU bf16 means TF32 products")
        ->capture_default_str();
    app.add_option("--threads", s.threads)->check(CLI::Range(1, 256))->capture_default_str();
}

Error usage(std::string code, std::string reason) {
    return {ErrorKind::Usage, std::move(code), "train", std::move(reason), "", "", "See train --help"};
}

}  // namespace

Result<void> checkChoices(TrainSettings& s) {
    const auto chosen = findEncoding(s.encoding);
    const bool conventions = chosen && (*chosen)->conventions;
    if (conventions && s.convention == Convention::None)
        return failure(
            usage("convention", "--encoding " + s.encoding + " needs --convention same or --convention inverse"));
    if (!conventions && s.convention != Convention::None)
        return failure(usage("convention", "--convention belongs to --encoding harope"));
    const Encoding& encoding = **findEncoding(s.encoding);
    if (!encoding.hasMaps() && (s.matrix != MatrixKind::None || s.sharing != MapSharing::Head))
        return failure(usage("matrix", "--matrix and --sharing belong to harope, string and rethinking"));
    if (encoding.hasMaps() && s.matrix == MatrixKind::None) s.matrix = encoding.map->kinds.front();
    if (encoding.hasMaps() && std::ranges::find(encoding.map->kinds, s.matrix) == encoding.map->kinds.end())
        return failure(usage(
            "matrix", "--encoding " + s.encoding + " has no matrix of this kind: " + std::string(enumName(s.matrix))));
    if (s.sharing == MapSharing::Model && encoding.frequencies == Frequencies::Learned)
        return failure(usage("sharing", "learned frequencies belong to a layer: --sharing head or layer"));
    if (s.headDim % 4 != 0) return failure(usage("head-dim", "--head-dim must be a multiple of 4"));
    return {};
}

std::string recipeJson(const TrainSettings& s) {
    const OptimizerSettings& o = s.optimizer;
    nlohmann::json recipe = {{"architecture", s.architecture},
                             {"encoding", s.encoding},
                             {"convention", nameOf(kConventions, s.convention)},
                             {"theta", s.theta},
                             {"layers", s.layers},
                             {"heads", s.heads},
                             {"head_dim", s.headDim},
                             {"patch", s.patch},
                             {"batch", s.batch},
                             {"epochs", s.epochs},
                             {"steps", s.steps},
                             {"images", s.images},
                             {"lr", s.rate},
                             {"warmup", s.warmUp},
                             {"label_dropout", s.labelDropout},
                             {"beta1", o.beta1},
                             {"beta2", o.beta2},
                             {"epsilon", o.epsilon},
                             {"weight_decay", o.weightDecay},
                             {"map_lr_scale", o.mapRateScale},
                             {"sigma_decay", o.sigmaDecay},
                             {"clip", o.clipNorm},
                             {"ema", o.averageDecay},
                             {"seed", s.seed},
                             {"series", s.series},
                             {"precision", nameOf(kPrecisions, s.precision)},
                             {"threads", s.threads},
                             {"objective", s.architecture == "vit" ? "classify" : "flow"},
                             {"times", "logit-normal"},
                             {"schedule", "warm-up, cosine to 0"}};
    if (s.architecture == "vit") recipe.erase("times"), recipe.erase("label_dropout");
    // Only where they say something: older state files have none.
    if (s.matrix != MatrixKind::None && s.matrix != MatrixKind::Svd) recipe["matrix"] = enumName(s.matrix);
    if (s.sharing != MapSharing::Head) recipe["sharing"] = nameOf(kSharings, s.sharing);
    if (s.axisOrder != AxisOrder::RowFirst) recipe["axis_order"] = nameOf(kOrders, s.axisOrder);
    return recipe.dump();
}

Result<TrainSettings> parseTrainSettings(const std::vector<std::string>& arguments) {
    TrainSettings s;
    CLI::App app("Train a class-conditional DiT (flow matching) or a ViT classifier", "train");
    addRunOptions(app, s);
    addModelOptions(app, s);
    addOptimizerOptions(app, s);
    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // CLI11 takes them from the back
        app.parse(reversed);
    } catch (const CLI::CallForHelp&) {
        return failure(usage("help", app.help()));
    } catch (const CLI::ParseError& e) {
        return failure(usage("bad-option", e.what()));
    }
    if (Result<void> fits = checkChoices(s); !fits) return failure(fits.error());
    return s;
}

}  // namespace ropescope
