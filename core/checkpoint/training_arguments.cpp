// SPDX-License-Identifier: Apache-2.0
// The arguments of the training that a .pt file keeps beside its weights: what they say of the network is compared,
// what they say of the diffusion decides whether the program can draw, the rest is named.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "core/checkpoint/recognition.h"

namespace ropescope {
namespace {

/// Groups whose keys speak of the network itself; "vae.in_channels" does not.
constexpr std::array<std::string_view, 6> kOfNetwork = {"",         "model.", "model.params.",
                                                        "network.", "dit.",   "model_args."};

/// Says nothing about what is computed: where and how long was trained, and what is looked at elsewhere.
constexpr std::string_view kHarmless[] = {"model",
                                          "model_name",
                                          "model_type",
                                          "image_size",
                                          "resolution",
                                          "num_classes",
                                          "class_dropout_prob",
                                          "cfg_prob",
                                          "path_type",
                                          "prediction",
                                          "data_path",
                                          "data_dir",
                                          "dataset",
                                          "results_dir",
                                          "output_dir",
                                          "logging_dir",
                                          "exp_name",
                                          "experiment",
                                          "epochs",
                                          "max_train_steps",
                                          "steps",
                                          "total_steps",
                                          "batch_size",
                                          "global_batch_size",
                                          "global_seed",
                                          "seed",
                                          "vae",
                                          "num_workers",
                                          "workers",
                                          "log_every",
                                          "log_interval",
                                          "ckpt_every",
                                          "ckpt",
                                          "checkpointing_steps",
                                          "save_every",
                                          "sample_every",
                                          "sampling_steps",
                                          "resume",
                                          "resume_step",
                                          "lr",
                                          "learning_rate",
                                          "weight_decay",
                                          "max_grad_norm",
                                          "grad_clip",
                                          "ema_decay",
                                          "warmup_steps",
                                          "optimizer",
                                          "lr_scheduler",
                                          "wandb",
                                          "report_to",
                                          "allow_tf32",
                                          "tf32",
                                          "mixed_precision",
                                          "precision",
                                          "fused_attn",
                                          "use_checkpoint",
                                          "gradient_checkpointing",
                                          "gradient_accumulation_steps",
                                          "accum_iter",
                                          "loss_weight",
                                          "loss_type",
                                          "weighting",
                                          "snr_gamma",
                                          "cfg_scale",
                                          "enc_type",
                                          "encoder_depth",
                                          "proj_coeff",
                                          "projector_embed_dims",
                                          "legacy",
                                          "local_rank",
                                          "rank",
                                          "world_size",
                                          "device",
                                          "gpu",
                                          "compile"};

/// What the first DiT's diffusion has under each of these names; anything else is another diffusion.
struct Usual {
    std::string_view key;
    std::initializer_list<std::string_view> values;
};
const Usual kDiffusion[] = {{"noise_schedule", {"linear"}},
                            {"beta_schedule", {"linear"}},
                            {"beta_start", {"0.0001"}},
                            {"beta_end", {"0.02"}},
                            {"diffusion_steps", {"1000"}},
                            {"num_train_timesteps", {"1000"}},
                            {"num_diffusion_timesteps", {"1000"}},
                            {"diffusion_timesteps", {"1000"}},
                            {"num_timesteps", {"1000"}},
                            {"rescale_timesteps", {"False"}},
                            {"predict_xstart", {"False"}},
                            {"v_pred", {"False"}},
                            {"v_prediction", {"False"}},
                            {"flow", {"False"}},
                            {"zero_terminal_snr", {"False"}},
                            {"rescale_betas_zero_snr", {"False"}},
                            {"sigma_small", {"False"}},
                            {"mean_type", {"EPSILON", "epsilon", "eps"}},
                            {"model_mean_type", {"EPSILON", "epsilon", "eps"}},
                            {"prediction_type", {"epsilon", "eps"}},
                            {"parameterization", {"epsilon", "eps"}},
                            {"objective", {"ddpm", "pred_noise", "epsilon", "eps"}},
                            {"t_scale", {"1"}},
                            {"time_factor", {"1"}}};

std::string lastPart(const std::string& key) {
    const std::size_t dot = key.rfind('.');
    return dot == std::string::npos ? key : key.substr(dot + 1);
}

std::optional<std::string> ofNetwork(const Recognition& r, std::string_view key) {
    for (const std::string_view group : kOfNetwork) {
        const auto found = r.table.trainingArgs().find(std::string(group) + std::string(key));
        if (found != r.table.trainingArgs().end() && found->second != "None") return found->second;
    }
    return std::nullopt;
}

std::optional<double> realOf(const std::optional<std::string>& text) {
    if (!text || text->empty()) return std::nullopt;
    char* end = nullptr;
    const double value = std::strtod(text->c_str(), &end);
    return *end == '\0' && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::optional<int> wholeOf(const std::optional<std::string>& text) {
    const auto value = realOf(text);
    if (!value || *value != std::floor(*value) || *value < 1 || *value > 1e6) return std::nullopt;
    return static_cast<int>(*value);
}

std::optional<bool> flagOf(const std::optional<std::string>& text) {
    if (text == "True") return true;
    if (text == "False") return false;
    return std::nullopt;
}

bool among(const Usual& usual, const std::string& value) {
    return std::ranges::any_of(usual.values, [&](std::string_view one) {
        const auto a = realOf(value), b = realOf(std::string(one));
        return value == one || (a && b && *a == *b);
    });
}

/// Keys of the network and where their values go, unless the configuration has said it; of several names the first.
template <class T>
struct Taken {
    std::string_view key;
    std::optional<T> ModelConfig::*to;
};
constexpr Taken<int> kWhole[] = {{"num_heads", &ModelConfig::heads},   {"heads", &ModelConfig::heads},
                                 {"depth", &ModelConfig::layers},      {"num_layers", &ModelConfig::layers},
                                 {"hidden_size", &ModelConfig::width}, {"embed_dim", &ModelConfig::width},
                                 {"patch_size", &ModelConfig::patch},  {"in_channels", &ModelConfig::inChannels}};
constexpr Taken<bool> kFlags[] = {
    {"learn_sigma", &ModelConfig::learnSigma}, {"qk_norm", &ModelConfig::qkNorm}, {"use_qknorm", &ModelConfig::qkNorm}};
constexpr Taken<double> kReal[] = {{"norm_eps", &ModelConfig::normEps},
                                   {"layer_norm_eps", &ModelConfig::normEps},
                                   {"rope_theta", &ModelConfig::theta},
                                   {"theta", &ModelConfig::theta}};
constexpr std::string_view kActivation[] = {"act_layer", "act"};

/// A key of the network that the tensors can contradict.
struct Compared {
    std::string_view key;
    /// What the tensors do instead; empty where they agree, nothing where the value or the tensors do not tell.
    std::optional<std::string> (*instead)(const ModelCard& card, const std::string& said);
};
std::optional<std::string> insteadOf(std::optional<bool> said, bool found) {
    if (!said) return std::nullopt;
    return *said == found ? "" : found ? "show it" : "do not";
}
std::optional<std::string> insteadOf(std::optional<int> said, int found) {
    if (!said || found < 1) return std::nullopt;
    return *said == found ? "" : "show " + std::to_string(found);
}
constexpr const char* kNotRotary = "show no rotary positions";

const Compared kCompared[] = {
    {"use_swiglu", [](const ModelCard& c, const std::string& v) { return insteadOf(flagOf(v), c.variant.gated); }},
    {"use_rmsnorm",
     [](const ModelCard& c, const std::string& v) { return insteadOf(flagOf(v), c.variant.norm == Norm::Rms); }},
    {"frequency_embedding_size",
     [](const ModelCard& c, const std::string& v) { return insteadOf(wholeOf(v), c.timeWidth); }},
    {"max_period", [](const ModelCard&, const std::string& v) { return insteadOf(wholeOf(v), 10000); }},
    {"input_size",
     [](const ModelCard& c, const std::string& v) {
         return insteadOf(wholeOf(v), c.grid.rows == c.grid.cols ? c.grid.rows * c.patch : 0);
     }},
    {"mlp_ratio",
     [](const ModelCard& c, const std::string& v) -> std::optional<std::string> {
         const auto ratio = realOf(v);
         if (!ratio || c.variant.gated || c.mlpHidden < 1) return std::nullopt;
         if (static_cast<int>(c.width * *ratio) == c.mlpHidden) return "";
         return "show " + std::to_string(c.mlpHidden) + " features of " + std::to_string(c.width);
     }},
    {"use_rope",
     [](const ModelCard& c, const std::string& v) -> std::optional<std::string> {
         const auto rope = flagOf(v);
         if (!rope) return std::nullopt;
         return *rope && c.axes == 0 ? kNotRotary : "";
     }},
    {"pos_embed_type", [](const ModelCard& c, const std::string& v) -> std::optional<std::string> {
         if (v.find("rop") == std::string::npos) return std::nullopt;
         return c.axes == 0 ? kNotRotary : "";
     }}};

/// Is the key taken, or could its value be compared?
bool isLookedAt(const ModelCard& card, const std::string& key, const std::string& value) {
    const auto in = [&](const auto& list) {
        return std::ranges::any_of(list, [&](const auto& one) { return one.key == key; });
    };
    if (in(kWhole) || in(kFlags) || in(kReal)) return true;
    if (std::ranges::find(kActivation, key) != std::end(kActivation)) return true;
    const auto compared = std::ranges::find(kCompared, key, &Compared::key);
    return compared != std::end(kCompared) && compared->instead(card, value).has_value();
}

}  // namespace

void takeTrainingArguments(Recognition& r) {
    ModelConfig& c = r.config;
    const auto take = [&](const auto& list, auto(*read)(const std::optional<std::string>&)) {
        for (const auto& one : list)
            if (!(c.*one.to)) c.*one.to = read(ofNetwork(r, one.key));
    };
    take(kWhole, wholeOf), take(kFlags, flagOf), take(kReal, realOf);
    for (const std::string_view key : kActivation)
        if (c.actLayer.empty()) c.actLayer = ofNetwork(r, key).value_or("");
    if (c.actLayer == "gelu" || c.actLayer == "GELU") c.actLayer = "gelu_tanh";  // a DiT's only GELU
}

std::string otherDiffusion(const Recognition& r) {
    for (const auto& [key, value] : r.table.trainingArgs())
        for (const Usual& usual : kDiffusion)
            if (lastPart(key) == usual.key && value != "None" && !value.empty() && !among(usual, value))
                return printable(key, 60) + " " + printable(value, 40);
    return {};
}

void compareTrainingArguments(Recognition& r) {
    const ModelCard& card = r.card;
    for (const Compared& compared : kCompared)
        if (const auto said = ofNetwork(r, compared.key))
            if (const auto instead = compared.instead(card, *said); instead && !instead->empty())
                r.card.conflicts.push_back(std::string(compared.key) + ": the training's arguments say " +
                                           printable(*said, 40) + ", the tensors " + *instead);

    std::vector<std::string> unseen;
    for (const auto& [key, value] : r.table.trainingArgs()) {
        const std::string own = lastPart(key);
        const bool diffusion =
            card.objective == "ddpm" && std::ranges::find(kDiffusion, own, &Usual::key) != std::end(kDiffusion);
        const auto ofIt = ofNetwork(r, own);
        if (value == "None" || value.empty() || diffusion || (ofIt && isLookedAt(card, own, *ofIt))) continue;
        if (std::ranges::find(kHarmless, own) != std::end(kHarmless) || own.starts_with("adam")) continue;
        unseen.push_back(printable(key, 60) + " " + printable(value, 30));
    }
    if (unseen.empty()) return;
    std::string text;
    for (std::size_t i = 0; i < unseen.size() && i < 12; ++i) text += (i ? ", " : "") + unseen[i];
    if (unseen.size() > 12) text += " and " + std::to_string(unseen.size() - 12) + " more";
    r.note("arguments of the training not looked at: " + text);
}

}  // namespace ropescope
