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

/// A key of the network that the program compares, and whether the tensors agree.
void compare(Recognition& r, const char* key, const std::string& found, bool agrees) {
    if (agrees) return;
    r.card.conflicts.push_back(std::string(key) + ": the training's arguments say " +
                               printable(ofNetwork(r, key).value_or(""), 40) + ", the tensors " + found);
}

}  // namespace

void takeTrainingArguments(Recognition& r) {
    ModelConfig& c = r.config;
    const auto whole = [&](std::optional<int>& to, std::initializer_list<const char*> keys) {
        for (const char* key : keys)
            if (!to) to = wholeOf(ofNetwork(r, key));
    };
    whole(c.heads, {"num_heads", "heads"});
    whole(c.layers, {"depth", "num_layers"});
    whole(c.width, {"hidden_size", "embed_dim"});
    whole(c.patch, {"patch_size"});
    whole(c.inChannels, {"in_channels"});
    if (!c.learnSigma) c.learnSigma = flagOf(ofNetwork(r, "learn_sigma"));
    for (const char* key : {"qk_norm", "use_qknorm"})
        if (!c.qkNorm) c.qkNorm = flagOf(ofNetwork(r, key));
    for (const char* key : {"norm_eps", "layer_norm_eps"})
        if (!c.normEps) c.normEps = realOf(ofNetwork(r, key));
    for (const char* key : {"act_layer", "act"})
        if (c.actLayer.empty()) c.actLayer = ofNetwork(r, key).value_or("");
    if (c.actLayer == "gelu" || c.actLayer == "GELU") c.actLayer = "gelu_tanh";  // a DiT's only GELU
    for (const char* key : {"rope_theta", "theta"})
        if (!c.theta) c.theta = realOf(ofNetwork(r, key));
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
    const auto flag = [&](const char* key, bool found) {
        if (const auto said = flagOf(ofNetwork(r, key))) compare(r, key, found ? "show it" : "do not", *said == found);
    };
    const auto whole = [&](const char* key, int found) {
        if (const auto said = wholeOf(ofNetwork(r, key)); said && found > 0)
            compare(r, key, "show " + std::to_string(found), *said == found);
    };
    flag("use_swiglu", card.variant.gated);
    flag("use_rmsnorm", card.variant.norm == Norm::Rms);
    whole("frequency_embedding_size", card.timeWidth);
    whole("max_period", 10000);
    if (card.grid.rows == card.grid.cols) whole("input_size", card.grid.rows * card.patch);
    if (const auto ratio = realOf(ofNetwork(r, "mlp_ratio")); ratio && !card.variant.gated && card.mlpHidden > 0)
        compare(r, "mlp_ratio", "show " + std::to_string(card.mlpHidden) + " features of " + std::to_string(card.width),
                static_cast<int>(card.width * *ratio) == card.mlpHidden);
    if (const auto rope = flagOf(ofNetwork(r, "use_rope")); rope && *rope && card.axes == 0)
        compare(r, "use_rope", "show no rotary positions", false);
    if (const auto kind = ofNetwork(r, "pos_embed_type"); kind && kind->find("rop") != std::string::npos)
        compare(r, "pos_embed_type", "show no rotary positions", card.axes > 0);

    constexpr std::string_view kCompared[] = {
        "num_heads",   "heads",       "depth",          "num_layers", "hidden_size", "embed_dim",
        "patch_size",  "in_channels", "learn_sigma",    "qk_norm",    "use_qknorm",  "norm_eps",
        "act_layer",   "act",         "layer_norm_eps", "rope_theta", "theta",       "use_swiglu",
        "use_rmsnorm", "max_period",  "input_size",     "mlp_ratio",  "use_rope",    "frequency_embedding_size"};
    std::vector<std::string> unseen;
    for (const auto& [key, value] : r.table.trainingArgs()) {
        const std::string own = lastPart(key);
        const bool diffusion =
            card.objective == "ddpm" && std::ranges::find(kDiffusion, own, &Usual::key) != std::end(kDiffusion);
        const bool compared = ofNetwork(r, own) && std::ranges::find(kCompared, own) != std::end(kCompared);
        if (value == "None" || value.empty() || diffusion || compared) continue;
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
