// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/names.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace ropescope {
namespace {

// DistributedDataParallel and DataParallel, torch.compile, FSDP, activation checkpoints, Fabric.
constexpr std::array<std::string_view, 6> kWrappers = {
    "module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module", "_fpw_module"};

constexpr std::array<std::string_view, 6> kBlocks = {"blocks",       "double_blocks",      "single_blocks",
                                                     "joint_blocks", "transformer_blocks", "single_transformer_blocks"};

constexpr std::array<std::string_view, 33> kContainers = {"model",
                                                          "net",
                                                          "network",
                                                          "ema_model",
                                                          "ema",
                                                          "model_ema",
                                                          "backbone",
                                                          "transformer",
                                                          "base_model",
                                                          "diffusion_model",
                                                          "state_dict",
                                                          "model_state_dict",
                                                          "module",
                                                          "teacher",
                                                          "student",
                                                          "state_dict_ema",
                                                          "ema_state_dict",
                                                          "denoiser",
                                                          "generator",
                                                          "weights",
                                                          "params",
                                                          "model_state",
                                                          "net_ema",
                                                          "dit",
                                                          "vit",
                                                          "unet",
                                                          "velocity_net",
                                                          "online_model",
                                                          "encoder_ema",
                                                          "params_ema",
                                                          "ema_net",
                                                          "vae",
                                                          "first_stage_model"};

constexpr std::array<std::string_view, 21> kTraining = {"opt",
                                                        "optim",
                                                        "optimizer",
                                                        "optimizers",
                                                        "optimizer_states",
                                                        "optimizer_state_dict",
                                                        "optimizer_state",
                                                        "exp_avg",
                                                        "exp_avg_sq",
                                                        "momentum_buffer",
                                                        "lr_scheduler",
                                                        "lr_schedulers",
                                                        "scheduler",
                                                        "schedulers",
                                                        "scaler",
                                                        "grad_scaler",
                                                        "loss_scaler",
                                                        "rng_state",
                                                        "rng_states",
                                                        "loops",
                                                        "callbacks"};

constexpr std::array<std::string_view, 22> kCounters = {"step",
                                                        "steps",
                                                        "global_step",
                                                        "epoch",
                                                        "iteration",
                                                        "iter",
                                                        "num_updates",
                                                        "n_averaged",
                                                        "initted",
                                                        "decay",
                                                        "num_batches_tracked",
                                                        "best_acc",
                                                        "best_loss",
                                                        "ema_step",
                                                        "update",
                                                        "logvar",
                                                        "train_steps",
                                                        "iters",
                                                        "global_steps",
                                                        "ema_decay",
                                                        "optimization_step",
                                                        "num_steps"};

template <class List>
bool holds(const List& list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

bool isNumber(std::string_view segment) {
    return !segment.empty() &&
           std::all_of(segment.begin(), segment.end(), [](unsigned char c) { return std::isdigit(c); });
}

/// Calls `take(segment, begin)` for every dotted segment until it returns false.
template <class Take>
void eachSegment(std::string_view name, const Take& take) {
    for (std::size_t begin = 0; begin <= name.size();) {
        const std::size_t end = std::min(name.find('.', begin), name.size());
        if (!take(name.substr(begin, end - begin), begin)) return;
        begin = end + 1;
    }
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
    return out;
}

/// "ema_model" as {"ema", "model"}.
std::vector<std::string> wordsOf(std::string_view segment) {
    std::vector<std::string> words(1);
    for (const char c : lower(segment))
        if (c == '_' || c == '-')
            words.emplace_back();
        else
            words.back() += c;
    return words;
}

}  // namespace

std::string withoutWrappers(std::string_view name) {
    std::string out;
    out.reserve(name.size());
    bool first = true;
    eachSegment(name, [&](std::string_view segment, std::size_t) {
        if (holds(kWrappers, segment)) return true;
        if (!first) out += '.';
        out += segment;
        first = false;
        return true;
    });
    return out;
}

std::optional<NameRoot> blockRoot(std::string_view name) {
    std::optional<NameRoot> root;
    std::string_view list;  // the last segment, where it names a list of blocks
    std::size_t listBegin = 0;
    bool inContainers = true;  // {"ema": {"0.9999": weights}}, [weights, step]: numbers there are keys
    eachSegment(name, [&](std::string_view segment, std::size_t begin) {
        if (holds(kWrappers, segment)) return true;
        const bool number = isNumber(segment);
        if (number && !list.empty()) root = NameRoot{std::string(name.substr(0, listBegin)), {}};
        const bool item = begin == 0 && segment.starts_with('[');
        if (inContainers && list.empty() && (number || item)) return true;
        if (number || segment.find('[') != std::string_view::npos) return false;
        inContainers &= holds(kContainers, segment) || isAveraged(segment);
        list = holds(kBlocks, segment) ? segment : std::string_view();
        listBegin = begin;
        return true;
    });
    if (!root) return root;
    root->clean = withoutWrappers(root->raw);
    return root;
}

bool isTrainingState(std::string_view segment) {
    return holds(kTraining, lower(segment));
}

bool isAveraged(std::string_view path) {
    bool averaged = false;  // the last segment that says something decides: ema.online_model is not averaged
    eachSegment(path, [&](std::string_view segment, std::size_t) {
        for (const std::string& word : wordsOf(segment)) {
            if (word == "online" || word == "student" || word == "raw") averaged = false;
            if (word == "ema" || word == "teacher" || word == "averaged" || word == "avg" || word == "swa" ||
                word == "shadow" || word == "target" || word == "smoothed")
                averaged = true;
        }
        return true;
    });
    return averaged;
}

bool isCounter(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    return holds(kCounters, lower(dot == std::string_view::npos ? name : name.substr(dot + 1)));
}

bool isContainer(std::string_view segment) {
    return holds(kContainers, segment);
}

std::string withoutRoot(std::string_view name) {
    std::string own = withoutWrappers(name);
    if (const auto root = blockRoot(own)) return own.substr(root->clean.size());
    for (bool again = true; again;) {
        again = false;
        for (const std::string_view prefix :
             {"base_model.model.", "model.diffusion_model.", "diffusion_model.", "transformer.", "model.", "unet.",
              "lora_unet_", "lora_transformer_", "lycoris_"})
            if (own.starts_with(prefix)) own.erase(0, prefix.size()), again = true;
    }
    return own;
}

std::string flatName(std::string_view name) {
    std::string out;
    const auto add = [&](std::string_view text) {
        for (const char c : text) {
            const char own = c == '.' ? '_' : c;
            if (own != '_' || (!out.empty() && out.back() != '_')) out += own;
        }
    };
    while (!name.empty()) {
        std::size_t at = std::string_view::npos, length = 0;
        for (const std::string_view wrapper : kWrappers) {
            if (wrapper.front() != '_') continue;  // "module" may be part of a word
            if (const std::size_t found = name.find(wrapper); found < at) at = found, length = wrapper.size();
        }
        add(name.substr(0, at));
        if (at == std::string_view::npos) break;
        add("_");
        name.remove_prefix(at + length);
    }
    while (out.ends_with('_')) out.pop_back();
    return out;
}

bool matchesPattern(std::string_view name, std::string_view pattern) {
    std::size_t n = 0, p = 0, star = std::string_view::npos, from = 0;
    while (n < name.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++, from = n;
        } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
            ++n, ++p;
        } else if (star != std::string_view::npos) {
            p = star + 1, n = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

}  // namespace ropescope
