// SPDX-License-Identifier: Apache-2.0
#include "core/model/lora_names.h"

#include <algorithm>
#include <set>

#include "core/checkpoint/names.h"

namespace ropescope {
namespace {

struct Ending {
    std::string_view text;
    LoraPart part;
};
constexpr Ending kEndings[] = {{".lora_A.weight", LoraPart::Down},
                               {".lora_down.weight", LoraPart::Down},
                               {".lora.down.weight", LoraPart::Down},
                               {".lora_linear_layer.down.weight", LoraPart::Down},
                               {".lora_linear_layer.up.weight", LoraPart::Up},
                               {".lora_A", LoraPart::Down},
                               {".lora_B.weight", LoraPart::Up},
                               {".lora_up.weight", LoraPart::Up},
                               {".lora.up.weight", LoraPart::Up},
                               {".lora_B", LoraPart::Up},
                               {".alpha", LoraPart::Alpha},
                               {".lora_B.bias", LoraPart::UpBias},
                               {".lora_up.bias", LoraPart::UpBias},
                               {".dora_scale", LoraPart::Magnitude},
                               {".lora_magnitude_vector", LoraPart::Magnitude},
                               {".lora_magnitude_vector.weight", LoraPart::Magnitude},
                               {".hada_w1_a", LoraPart::Hada1A},
                               {".hada_w1_b", LoraPart::Hada1B},
                               {".hada_w2_a", LoraPart::Hada2A},
                               {".hada_w2_b", LoraPart::Hada2B},
                               {".lokr_w1", LoraPart::Kron1},
                               {".lokr_w1_a", LoraPart::Kron1A},
                               {".lokr_w1_b", LoraPart::Kron1B},
                               {".lokr_w2", LoraPart::Kron2},
                               {".lokr_w2_a", LoraPart::Kron2A},
                               {".lokr_w2_b", LoraPart::Kron2B},
                               {".diff", LoraPart::Diff},
                               {".diff_b", LoraPart::DiffBias}};

/// Kinds that are told apart and refused.
struct Foreign {
    std::string_view pattern;
    std::string_view what;
};
constexpr Foreign kForeign[] = {{"*.a1.weight", "GLoRA"},
                                {"*.a2.weight", "GLoRA"},
                                {"*.b1.weight", "GLoRA"},
                                {"*.b2.weight", "GLoRA"},
                                {"*.hada_t1", "a Tucker core"},
                                {"*.hada_t2", "a Tucker core"},
                                {"*.lokr_t2", "a Tucker core"},
                                {"*.lora_mid.weight", "a Tucker core"},
                                {"*.oft_*", "OFT"},
                                {"*.boft_*", "BOFT"},
                                {"*.w_norm", "a change of a norm (LyCORIS)"},
                                {"*.b_norm", "a change of a norm (LyCORIS)"},
                                {"*.on_input", "IA3"},
                                {"*.ia3_l*", "IA3"},
                                {"*.vera_*", "VeRA"},
                                {"*.set_weight", "a whole weight"},
                                {"*modules_to_save*", "a whole weight in the place of the model's"}};

bool isOfText(const std::string& module) {
    for (const char* prefix : {"lora_te", "text_encoder", "te1", "te2", "te_", "text_model", "conditioner."})
        if (module.starts_with(prefix)) return true;
    return false;
}

/// A name whose adapter ("lora_A.default_0.weight") stands apart; the adapter is empty where there is none.
struct AdapterName {
    std::string name, adapter;
};
AdapterName withoutAdapter(const std::string& name) {
    for (const std::string_view part :
         {".lora_A.", ".lora_B.", ".lora_magnitude_vector.", ".lora_embedding_A.", ".lora_embedding_B."}) {
        const std::size_t at = name.find(part);
        if (at == std::string::npos) continue;
        const std::string rest = name.substr(at + part.size());
        const std::size_t dot = rest.rfind('.');
        const std::string last = dot == std::string::npos ? std::string() : rest.substr(dot + 1);
        const std::string head = name.substr(0, at + part.size() - 1);
        if (rest == "weight" || rest == "bias") return {name, {}};
        if (last == "weight" || last == "bias") return {head + "." + last, rest.substr(0, dot)};
        return {head, rest};
    }
    return {name, {}};
}

std::optional<std::pair<std::string, LoraPart>> partOf(const std::string& name) {
    if (name.find(".processor.") != std::string::npos)  // X-Labs
        for (const auto& [end, part] :
             {std::pair(std::string_view(".down.weight"), LoraPart::Down), {".up.weight", LoraPart::Up}})
            if (name.ends_with(end)) return std::pair(name.substr(0, name.size() - end.size()), part);
    for (const Ending& ending : kEndings)
        if (name.ends_with(ending.text))
            return std::pair(name.substr(0, name.size() - ending.text.size()), ending.part);
    return std::nullopt;
}

/// X-Labs names changes of FLUX by its processors: 1 of the picture, 2 of the text; of a single block queries, keys and
/// values without the MLP that stands in the same weight.
struct Processor {
    std::string_view ending, own;
};
constexpr Processor kProcessors[] = {
    {".processor.qkv_lora1", ".img_attn.qkv"}, {".processor.proj_lora1", ".img_attn.proj"},
    {".processor.qkv_lora2", ".txt_attn.qkv"}, {".processor.proj_lora2", ".txt_attn.proj"},
    {".processor.qkv_lora", ".linear1"},       {".processor.proj_lora", ".linear2"}};

std::string kindOf(const LoraParts& parts) {
    const auto has = [&](LoraPart part) { return parts.contains(part); };
    std::string kind = has(LoraPart::Hada1A) || has(LoraPart::Hada2A) ? "LoHa"
                       : has(LoraPart::Kron1) || has(LoraPart::Kron1A) || has(LoraPart::Kron2) || has(LoraPart::Kron2A)
                           ? "LoKr"
                       : has(LoraPart::Diff) || has(LoraPart::DiffBias) ? "whole differences"
                                                                        : "";
    if (has(LoraPart::Magnitude)) kind += (kind.empty() ? "" : " with ") + std::string("DoRA");
    if (has(LoraPart::UpBias)) kind += (kind.empty() ? "" : " with ") + std::string("biases");
    return kind;
}

}  // namespace

tl::unexpected<Error> loraRefusal(std::string code, const std::string& path, const std::string& tensor,
                                  std::string reason, std::string found, std::string expected) {
    return failure({ErrorKind::Refused, std::move(code), place({path, tensor}), std::move(reason), std::move(found),
                    std::move(expected), "Leave it out or choose another file"});
}

LoraTargets::LoraTargets(const TensorTable::Contents& model) : m_named(flowTargets(model)) {
    std::set<std::string> twice;
    for (const auto& [module, target] : m_named) {
        const auto [at, fresh] = m_flat.emplace(flatName(module), target);
        const bool other = at->second.name != target.name || at->second.part != target.part;
        if (!fresh && other) twice.insert(at->first);
    }
    for (const std::string& name : twice) m_flat.erase(name);
}

std::optional<FlowTarget> LoraTargets::find(const std::string& module) const {
    const std::string own = withoutRoot(module);
    for (const std::string& name : {own, own + ".0"})  // to_out without its place in a list
        if (const auto found = m_named.find(name); found != m_named.end()) return found->second;
    for (const std::string& name : {flatName(own), flatName(own) + "_0"})
        if (const auto found = m_flat.find(name); found != m_flat.end()) return found->second;
    for (const Processor& processor : kProcessors) {
        if (!own.ends_with(processor.ending)) continue;
        const auto found =
            m_named.find(own.substr(0, own.size() - processor.ending.size()) + std::string(processor.own));
        if (found == m_named.end()) return std::nullopt;
        FlowTarget target = found->second;
        if (processor.own == ".linear1") target.joined = true, target.part = 0, target.span = 3;
        return target;
    }
    return std::nullopt;
}

Result<LoraModules> modulesOf(const TensorTable& file, const LoraTargets& targets) {
    LoraModules modules;
    std::set<std::string> adapters, texts;
    std::optional<Error> unknown;  // told where the file is a LoRA at all
    for (const TensorEntry& entry : file.tensors()) {
        const std::string clean = withoutWrappers(entry.name);
        if (isOfText(clean)) {
            texts.insert(clean.substr(0, std::min({clean.find(".lora"), clean.find(".dora"), clean.find(".alpha"),
                                                   clean.find(".hada"), clean.find(".lokr"), clean.size()})));
            continue;
        }
        if (clean.find("learnable_rot.") != std::string::npos) {
            ++modules.maps;
            continue;
        }
        for (const Foreign& foreign : kForeign)
            if (matchesPattern(clean, foreign.pattern))
                return loraRefusal("LO-04", file.path(), entry.name,
                                   "this kind of change is not supported: " + std::string(foreign.what), "",
                                   "LoRA, LoHa, LoKr, DoRA or differences");
        const AdapterName own = withoutAdapter(clean);
        if (!own.adapter.empty()) adapters.insert(own.adapter);
        const auto part = partOf(own.name);
        if (!part) {
            if (isCounter(clean) && entry.elements() <= 1) continue;
            const std::string name = clean.substr(0, clean.rfind('.'));
            if (!unknown)
                unknown = loraRefusal("LO-04", file.path(), entry.name,
                                      targets.find(name) ? "a whole weight in the place of the model's"
                                                         : "a tensor that is not understood",
                                      "", "parts of low-rank changes")
                              .value();
            continue;
        }
        const auto [at, fresh] = modules.all[part->first].emplace(part->second, entry.name);
        if (!fresh && adapters.size() < 2)
            return loraRefusal("LO-05", file.path(), entry.name, "two tensors for one part of a change",
                               printable(at->second, 80) + " too", "one");
    }
    if (unknown && !modules.all.empty()) return failure(*unknown);
    if (adapters.size() > 1) {
        std::string names;
        for (const std::string& name : adapters) names += (names.empty() ? "" : ", ") + printable(name, 40);
        return loraRefusal("LO-05", file.path(), "", "the file holds several adapters", names,
                           "one: save the one you mean");
    }
    modules.ofText = static_cast<int>(texts.size());
    return modules;
}

Result<LoraMatch> matchModules(const TensorTable& model, const LoraTargets& targets, const std::string& path,
                               const LoraModules& modules, std::map<std::string, FlowTarget>& found) {
    LoraMatch match;
    match.path = path, match.maps = modules.maps, match.ofText = modules.ofText;
    std::map<std::string, int> kinds;
    std::map<std::pair<std::string, int>, std::string> reached;
    for (const auto& [module, parts] : modules.all) {
        ++match.all;
        const std::optional<FlowTarget> target = targets.find(module);
        if (!target) {
            if (match.unmatched.empty()) match.unmatched = module;
            continue;
        }
        ++match.matched;
        found.emplace(module, *target);
        if (const std::string kind = kindOf(parts); !kind.empty()) ++kinds[kind];
        const auto [at, fresh] = reached.emplace(std::pair(target->name, target->joined ? target->part : -1), module);
        if (!fresh)
            return loraRefusal("LO-05", path, module, "two changes of the file reach one weight",
                               printable(at->second, 80) + " too", "one");
    }
    for (const auto& [kind, count] : kinds)
        match.kinds += (match.kinds.empty() ? "" : ", ") + std::to_string(count) + " " + kind;
    if (match.matched > 0) return match;
    const std::string first = match.unmatched.empty() ? "" : ", the first is " + printable(match.unmatched, 80);
    const std::string text = match.ofText > 0 ? ", and " + std::to_string(match.ofText) + " of text encoders" : "";
    return loraRefusal("LO-01", path, "", "no layer of the file belongs to this model",
                       "0 of " + std::to_string(match.all) + first + text,
                       "a LoRA for a " + std::string(model.find("img_in.weight") ? "FLUX" : "SD3"));
}

}  // namespace ropescope
