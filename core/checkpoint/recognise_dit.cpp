// SPDX-License-Identifier: Apache-2.0
// DiTs and their relatives: SiT, REPA, LightningDiT (README.md, "Relatives of the DiT").
#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/checkpoint/recognition.h"
#include "core/checkpoint/stored_rotary.h"

namespace ropescope {
namespace {

/// Encoding from the tensors; the configuration only where they are silent.
void findEncoding(Recognition& r, const std::optional<StoredRotary>& stored) {
    const std::string& said = r.config.encoding;
    const Recognition::FoundMap map = r.firstMap();
    const bool turning = said == "harope" || said == "axial" || said == "rope1d" || said == "video";
    const bool fixed = turning || said == "none";
    const bool table = r.table.find("pos_embed") != nullptr;
    if (!map.name.empty()) {
        r.card.encoding = map.encoding;
        if (map.encoding == "harope" && r.table.find("blocks.0.attn.freqs")) {
            r.card.encoding = "harope_mixed";
            r.note("two encodings at once: HARoPE maps and learned frequencies");
        }
    } else if (r.table.find("blocks.0.attn.freqs")) {
        r.card.encoding = "mixed";
    } else if (stored) {
        r.card.encoding = "axial";
        r.note("rotary positions: axial RoPE, read from the stored table " + printable(stored->name, 60));
    } else if (table && turning) {
        r.card.encoding = said;
    } else if (table) {
        r.card.encoding = "absolute";
    } else if (r.card.naming == "diffusers" && (said.empty() || said == "absolute")) {
        r.card.encoding = "absolute";
        r.note("encoding: absolute, the fixed table that diffusers computes and does not store");
    } else if (fixed) {
        r.card.encoding = said;
    } else {
        r.card.encoding = "axial";
        r.assume("encoding: axial RoPE, because there is neither pos_embed nor a learned map");
    }
    if (r.config.axisOrder == "column") r.card.axisOrder = AxisOrder::ColumnFirst;
    if (!said.empty() && said != r.card.encoding) {
        r.note("encoding: the configuration says " + printable(said, 30) + ", the tensors show " + r.card.encoding);
    }
    r.card.axes = r.card.encoding == "rope1d" ? 1 : r.card.encoding == "none" || r.card.encoding == "absolute" ? 0 : 2;
    r.note("positions: " + r.card.encoding +
           (r.card.axes == 0 ? ""
            : table          ? "; absolute positions (pos_embed) are added as well"
                             : ", no pos_embed"));
    if (r.config.rotaryLayout == "half-split" && r.card.axes > 0) {
        r.card.rotaryLayout = RotaryLayout::HalfSplit;
        r.note("rotary planes: features p and p + D/2 (half-split), from the configuration");
    }
    if (stored) {
        r.card.axisOrder = stored->order;
        r.card.rotaryLayout = stored->layout;
    }
    if (r.card.axes > 0 && !stored && r.config.rotaryLayout.empty()) r.assume("rotary planes: neighbouring features");
    if (r.card.axes == 2 && !stored && r.config.axisOrder.empty())
        r.assume("axes: the row turns the first half of the planes");
}

/// What the blocks look like, from their first one.
Result<void> findVariant(Recognition& r) {
    NetworkVariant& v = r.card.variant;
    if (auto known = r.checkNormLayer(); !known) return known;
    v.norm = r.normOf("blocks.0.norm1");
    v.headNorm = r.normOf("blocks.0.attn.q_norm");
    v.lastNorm = r.normOf("final_layer.norm_final");
    if (v.lastNorm != Norm::None && v.norm == Norm::Layer) v.lastNorm = Norm::Layer;
    if (v.norm == Norm::Rms) v.lastNorm = v.norm;
    v.gated = r.hasGatedMlp();
    v.qkvBias = r.hasQkvBias();
    v.activation = v.gated ? Activation::Silu : Activation::GeluTanh;
    v.headNormEps = v.headNorm == Norm::Layer ? 1e-5 : 1e-6;  // LightningDiT: torch's LayerNorm, its own RMSNorm
    if (v.headNorm != Norm::None)
        r.assume(std::string("epsilon of the norms of queries and keys: ") + (v.headNormEps > 5e-6 ? "1e-5" : "1e-6"));
    if (!v.qkvBias) r.note("queries, keys and values without a bias");
    if (v.norm != Norm::None || v.headNorm != Norm::None || v.gated)
        r.note(std::string("a relative of the DiT:") + (v.norm != Norm::None ? " norms with weights," : "") +
               (v.headNorm != Norm::None ? " norms of queries and keys," : "") + (v.gated ? " SwiGLU" : " GELU"));
    const bool diffusers = r.card.naming == "diffusers";  // 1e-6, and 1e-5 before the MLP
    if (diffusers && r.config.normEps && *r.config.normEps != 1e-5)
        return r.refused("CF-02", {}, "norm_eps of the configuration is not what is computed",
                         std::to_string(*r.config.normEps), "1e-05");
    if (diffusers) return {};
    if (r.config.normEps)
        v.normEps = *r.config.normEps;
    else
        r.assume("epsilon of the norms: 1e-6");
    if (!r.config.actLayer.empty() && r.config.actLayer != "gelu_tanh" && !v.gated)
        return r.refused("CF-02", {}, "act_layer of the configuration is not what a DiT computes",
                         printable(r.config.actLayer, 40), "gelu_tanh");
    if (r.config.qkNorm && *r.config.qkNorm != (v.headNorm != Norm::None))
        r.card.conflicts.push_back(std::string("qk_norm: the configuration says ") + (*r.config.qkNorm ? "yes" : "no") +
                                   ", the tensors show otherwise");
    return {};
}

/// "Linear", "GVP", "VP" of SiT, "linear", "cosine" of REPA.
std::optional<NoisePath> pathNamed(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
    if (text == "linear") return NoisePath::Linear;
    if (text == "gvp" || text == "cosine") return NoisePath::Cosine;
    if (text == "vp") return NoisePath::Preserving;
    return std::nullopt;
}

std::optional<Prediction> predictionNamed(const std::string& text) {
    if (text == "velocity" || text == "v") return Prediction::Velocity;
    if (text == "score") return Prediction::Score;
    if (text == "noise" || text == "epsilon" || text == "eps") return Prediction::Noise;
    return std::nullopt;
}

/// How time is counted and what is predicted: --time, own configuration, SiT's and REPA's words, REPA's projectors, the
/// learned variance of the first DiT; else it stays open.
Result<void> findTime(Recognition& r) {
    ModelCard& card = r.card;
    const auto take = [&](const TimeChoice& choice) { card.objective = choice.objective, card.flow = choice.flow; };
    if (!r.ref.time.empty()) {
        const auto given = timeChoice(r.ref.time);
        if (!given)
            return r.refused("time", {}, "not a kind of time", printable(r.ref.time, 40), "ddpm, flow, sit or repa");
        take(*given);
        r.note("time: as given");
        return {};
    }
    if (!r.config.time.empty()) {
        const auto own = timeChoice(r.config.time);
        if (!own)
            return r.refused("CF-02", {}, "time of the configuration is not known", printable(r.config.time, 40),
                             "ddpm, flow, sit or repa");
        take(*own);
        return {};
    }
    const std::string path = r.config.pathType.empty() ? r.argument("path_type") : r.config.pathType;
    const std::string prediction = r.config.prediction.empty() ? r.argument("prediction") : r.config.prediction;
    const bool projectors =
        std::ranges::any_of(r.table.tensors(), [](const TensorEntry& t) { return t.name.starts_with("projectors."); });
    if (!path.empty() || !prediction.empty() || projectors) {
        const auto how = pathNamed(path.empty() ? "linear" : path);
        if (!how)
            return r.refused("CF-02", "path_type", "the path of the noise is not known", printable(path, 40),
                             "Linear, GVP or VP (SiT), linear or cosine (REPA)");
        const auto what = predictionNamed(prediction.empty() ? "velocity" : prediction);
        if (!what)
            return r.refused("CF-02", "prediction", "the kind of prediction is not known", printable(prediction, 40),
                             "velocity, score, noise or v");
        // REPA writes "v" and has projectors; SiT and LightningDiT write "velocity".
        const bool repa = projectors || prediction == "v";
        if (projectors && prediction == "velocity")
            r.note("time: the arguments are in SiT's words, the projectors REPA's: taken as REPA (else --time)");
        take({"flow", {*how, *what, !repa, 1}});
        if (path.empty()) r.assume("path of the noise: linear");
        if (prediction.empty()) r.assume("prediction: velocity");
        r.note(std::string("time: as in ") + (repa ? "REPA: " : "SiT: ") + describeTime(card.flow));
        return {};
    }
    if (r.config.objective == "flow" || r.config.objective == "ddpm") {
        take({r.config.objective, {}});
        return {};
    }
    if (!r.config.objective.empty())
        return r.refused("CF-02", {}, "objective of the configuration is not known", printable(r.config.objective, 40),
                         "ddpm or flow");
    const bool first = card.variant.norm == Norm::None && card.variant.headNorm == Norm::None && !card.variant.gated;
    const bool told = card.naming == "diffusers" || !r.firstMap().name.empty();
    const std::string other = otherDiffusion(r);
    if (card.learnedVariance && first && other.empty()) {
        card.objective = "ddpm";
        if (!told) r.assume("time: steps 0 to 999, noise prediction (ddpm), as in the first DiT (else --time)");
        return {};
    }
    r.note(other.empty() ? "time: the file does not say whether it counts steps or flows; give --time to draw"
                         : "time: the training's arguments say " + other +
                               ", which is not the first DiT's diffusion; give --time to draw");
    return {};
}

int numberIn(const std::string& text) {
    int value = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
    return wrong == std::errc() && end == text.data() + text.size() ? value : 0;
}

/// Classes and whether the label table ends in a row for "no class".
void findClasses(Recognition& r) {
    ModelCard& card = r.card;
    const int rows = clamped(r.size("y_embedder.embedding_table.weight", 0));
    const int said = r.config.classes ? *r.config.classes : numberIn(r.argument("num_classes"));
    std::string dropped = r.argument("class_dropout_prob");
    if (dropped.empty()) dropped = r.argument("cfg_prob");  // REPA
    std::optional<double> dropout = r.config.classDropout;
    if (!dropout && !dropped.empty()) dropout = std::strtod(dropped.c_str(), nullptr);
    if (rows == 0) {
        card.classes = r.config.classes.value_or(0);
        return;
    }
    card.nullClass = dropout ? *dropout > 0 : said != rows;
    card.classes = card.nullClass ? rows - 1 : rows;
    if (!card.nullClass) r.note("the label table has no row for \"no class\": no guidance");
    if (said > 0 && said != card.classes)
        card.conflicts.push_back("classes: " + std::to_string(said) + " is said, the label table has " +
                                 std::to_string(rows) + " rows");
    if (said == 0 && !dropout) r.assume("the last row of the label table stands for \"no class\"");
}

/// Patch and channels; files that hold only projections and maps rely on their configuration.
void findInputs(Recognition& r) {
    ModelCard& card = r.card;
    card.patch = clamped(r.size("x_embedder.proj.weight", 2));
    if (card.patch == 0) card.patch = r.config.patch.value_or(0);
    card.inChannels = clamped(r.size("x_embedder.proj.weight", 1));
    if (card.inChannels == 0) card.inChannels = r.config.inChannels.value_or(0);
    if (card.patch > 0)
        card.outChannels =
            r.agreed({{"final_layer.linear.weight", 0}, {"final_layer.linear.bias", 0}}) / card.patch / card.patch;
    if (card.outChannels == 0) card.outChannels = r.config.outChannels.value_or(0);
    card.learnedVariance = card.inChannels > 0 && card.outChannels == 2 * card.inChannels;
    if (r.config.learnSigma && *r.config.learnSigma != card.learnedVariance)
        card.conflicts.push_back("learn_sigma: the configuration says otherwise than the last layer");
    if (const int width = clamped(r.size("t_embedder.mlp.0.weight", 1)); width > 0) card.timeWidth = width;
    card.mlpHidden = r.mlpHidden();
}

}  // namespace

Result<void> recogniseDit(Recognition& r) {
    ModelCard& card = r.card;
    card.architecture = "dit";
    takeTrainingArguments(r);
    const auto layers = r.countLayers("blocks.");
    if (!layers) return failure(layers.error());
    card.layers = *layers;
    const std::string attention = "blocks.0.attn.";
    card.width = r.agreed({{attention + "qkv.weight", 1},
                           {attention + "proj.weight", 0},
                           {attention + "proj.bias", 0},
                           {"x_embedder.proj.bias", 0},
                           {"x_embedder.proj.weight", 0}});
    if (card.width == 0) {
        return r.refused("TC-05", attention + "qkv.weight", "the width cannot be told: this tensor is missing");
    }
    const auto stored = findStoredRotary(r.table);
    if (!stored) return failure(stored.error());
    findEncoding(r, *stored);
    const std::string headNorm = attention + "q_norm.weight";
    std::int64_t headDim = r.rank(headNorm) == 1 ? r.size(headNorm, 0) : 0;
    if (*stored) headDim = r.size((*stored)->name, 1);
    if (auto done = r.findHeads(headDim); !done) return done;
    if (card.axes > 0 && card.headDim % (2 * card.axes) != 0) {
        return r.refused("TC-08", {},
                         "the head dimension cannot hold the rotary planes of " + std::to_string(card.axes) + " axes",
                         std::to_string(card.headDim), "a multiple of " + std::to_string(2 * card.axes));
    }
    card.positionRows = clamped(r.size("pos_embed", 1));
    if (auto done = findVariant(r); !done) return done;
    findInputs(r);
    findClasses(r);
    if (auto done = findTime(r); !done) return done;
    if (card.timeWidth % 2 != 0)
        return r.refused("TC-08", "t_embedder.mlp.0.weight", "an odd number of features of the time",
                         std::to_string(card.timeWidth), "an even number, as sines and cosines");
    if (auto done = r.findConvention(); !done) return done;
    if (*stored && r.ref.theta <= 0)
        card.theta = (*stored)->theta;
    else if (card.axes > 0)
        r.findTheta(10000);
    const auto sine = *stored ? Result<std::optional<Grid>>(std::nullopt) : gridOfSineTable(r.table, "pos_embed");
    if (!sine) return failure(sine.error());
    const std::optional<Grid> known = *stored ? std::optional((*stored)->grid) : *sine;
    const std::string source = *stored ? "stored rotary table" : "pos_embed";
    if (auto done = r.findGrid(card.positionRows, known, source); !done) return done;
    compareTrainingArguments(r);
    return {};
}

}  // namespace ropescope
