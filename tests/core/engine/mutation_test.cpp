// SPDX-License-Identifier: Apache-2.0
// Silence is the worst fault: whatever is taken out of a file, put into it, renamed or reshaped, the outcome is the
// same numbers, a refusal that names it, or other numbers with a word about it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "core/data/safetensors.h"
#include "core/engine/measure/forward.h"
#include "tests/core/engine/weight_files.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;
using Arrays = std::map<std::string, Array>;
using Json = nlohmann::ordered_json;

/// A file with everything around it.
struct Subject {
    std::string name;
    Arrays arrays;
    std::map<std::string, std::string> metadata;
    Json config;  ///< null: none
    std::string inputs;
    ModelRef ref;
    bool lora = false;  ///< `arrays` are a LoRA's, `ref` is its base
};

Subject subject(const std::string& file, ModelRef ref = {}, std::string inputs = {}) {
    Subject s{file, {}, {}, {}, {}, std::move(ref), false};
    const std::string path = goldenPath(file);
    const TensorTable table =
        file.ends_with(".pt") ? TensorTable::open(path).value() : TensorTable::openPlain(path).value();
    for (const TensorEntry& entry : table.tensors()) s.arrays[entry.name] = table.read(entry.name).value();
    s.metadata = table.metadata();
    const std::string stem = path.substr(0, path.rfind('.'));
    s.inputs = inputs.empty() ? stem + ".expected.safetensors" : goldenPath(inputs);
    if (std::ifstream config(stem + ".config.json"); config) s.config = Json::parse(config);
    return s;
}

ModelRef heads(int count) {
    ModelRef ref;
    ref.heads = count;
    return ref;
}

std::vector<Subject> subjects() {
    ModelRef inverse;
    inverse.convention = Convention::Inverse;
    std::vector<Subject> all = {subject("harope_dit_tiny.pt", inverse), subject("dit_ape_tiny.pt", heads(3))};
    for (const char* name : {"vit_tiny_patch16_224",
                             "vit_tiny_patch16_rope_224",
                             "vit_tiny_patch16_rope_mixed_224",
                             "vit_harope_svd_inverse_all",
                             "flux_tiny",
                             "flux_tiny_native",
                             "sd35_tiny",
                             "vae_tiny",
                             "vae16_tiny_native",
                             "relatives/sit",
                             "relatives/repa",
                             "relatives/lightning",
                             "relatives/dit_odd",
                             "relatives/vit_reg2",
                             "relatives/vit_reg2_no_embed",
                             "relatives/vit_map",
                             "relatives/vit_distilled",
                             "relatives/vit_dinov2",
                             "relatives/vit_prenorm_quickgelu",
                             "relatives/vit_swiglu",
                             "relatives/vit_qknorm"})
        all.push_back(subject(std::string(name) + ".safetensors"));
    for (const char* name : {"lora_tiny_diffusers", "lora_tiny_kohya"}) {
        Subject s = subject(std::string(name) + ".safetensors", {}, "flux_tiny.expected.safetensors");
        s.lora = true;
        s.ref.path = goldenPath("flux_tiny.safetensors");
        all.push_back(std::move(s));
    }
    return all;
}

/// What came of a file.
struct Outcome {
    std::string refusal;  ///< empty: it ran
    std::map<std::string, at::Tensor> out;
    std::set<std::string> said;
};

class Mutation : public InFolder {
protected:
    Outcome run(const Subject& s) {
        ForwardCommand c;
        c.model = s.ref;
        c.compute.device = "cpu", c.compute.threads = 1;
        c.in = s.inputs, c.out = path("out.safetensors");
        const std::string file = path("file.safetensors"), config = path("file.config.json");
        Outcome outcome;
        c.note = [&](const std::string& line) { outcome.said.insert(line); };
        EXPECT_TRUE(writeSafetensors(file, s.arrays, s.metadata));
        fs::remove(config), fs::remove(c.out);
        if (!s.config.is_null()) std::ofstream(config) << s.config.dump();
        if (s.lora)
            c.model.loras = {{file, 1}};
        else
            c.model.path = file;
        const auto table = TensorTable::open(c.model);
        if (table)
            if (const auto card = recognise(*table, c.model, inputSides(c.in))) {
                outcome.said.insert(card->notes.begin(), card->notes.end());
                outcome.said.insert(card->assumed.begin(), card->assumed.end());
            }
        const auto done = forwardToFile(c);
        if (!done) {
            outcome.refusal = done.error().message();
            return outcome;
        }
        const TensorTable result = TensorTable::openPlain(c.out).value();
        for (const TensorEntry& entry : result.tensors())
            if (entry.name.starts_with("out")) outcome.out[entry.name] = goldenTensor(c.out, entry.name);
        return outcome;
    }

    static bool same(const Outcome& a, const Outcome& b) {
        if (a.out.size() != b.out.size()) return false;
        for (const auto& [name, t] : a.out) {
            const auto other = b.out.find(name);
            if (other == b.out.end() || other->second.sizes() != t.sizes()) return false;
            const double bound = 1e-6 * std::max(1.0, t.abs().max().item<double>());
            if (!((other->second - t).abs().max().item<double>() <= bound)) return false;
        }
        return true;
    }
};

/// The name without the prefix that all names of its file have, or the module of a change.
bool names(const std::string& message, std::string name) {
    constexpr std::string_view prefix = "model.diffusion_model.";
    if (name.starts_with(prefix)) name.erase(0, prefix.size());
    return message.find(name) != std::string::npos ||
           (name.find(".lora") != std::string::npos &&
            message.find(name.substr(0, name.find(".lora"))) != std::string::npos);
}

/// The name that the program has for a tensor of the unchanged file.
std::string ownName(const Subject& s, const std::string& stored, const std::string& file) {
    ModelRef ref = s.ref;
    ref.path = file;
    if (s.lora) return stored;
    const auto table = TensorTable::open(ref);
    if (!table) return stored;
    for (const TensorEntry& entry : table->tensors()) {
        if (entry.fileName() == stored) return entry.name;
        for (const TensorEntry& part : entry.parts)
            if (part.fileName() == stored) return entry.name;
    }
    return stored;
}

struct Totals {
    int same = 0, refused = 0, told = 0;
};

/// Rounds for every file: ROPESCOPE_MUTATIONS asks for more, with another seed.
int rounds() {
    const char* asked = std::getenv("ROPESCOPE_MUTATIONS");
    return asked ? std::max(1, std::atoi(asked)) : 24;
}

TEST_F(Mutation, TensorsNeverMatterInSilence) {
    std::mt19937 random(static_cast<unsigned>(20261106 + rounds()));
    Totals totals;
    int all = 0;
    std::map<std::string, Totals> by;
    for (const Subject& s : subjects()) {
        const Outcome base = run(s);
        ASSERT_TRUE(base.refusal.empty()) << s.name << ": " << base.refusal;
        std::vector<std::string> tensors;
        for (const auto& [name, array] : s.arrays) tensors.push_back(name);
        for (int round = 0; round < rounds(); ++round, ++all) {
            Subject changed = s;
            const std::string name = tensors[random() % tensors.size()];
            std::string what, touched = name, renamed;
            switch (round % 4) {
                case 0:
                    changed.arrays.erase(name);
                    what = "without " + name;
                    break;
                case 1: {
                    static constexpr const char* kNew[] = {"extra.weight",
                                                           "blocks.0.attn.gate.weight",
                                                           "temperature",
                                                           "blocks.1.mlp.router.weight",
                                                           "head.scale",
                                                           "rope.inv_freq",
                                                           "transformer_blocks.0.attn.scale",
                                                           "decoder.mid.gate",
                                                           "lora_unet_double_blocks_0_img_attn_proj.wa.weight"};
                    touched = kNew[random() % std::size(kNew)];
                    changed.arrays[touched] = s.arrays.at(name);
                    what = "with " + touched;
                    break;
                }
                case 2: {
                    touched = name;
                    const std::size_t at = name.rfind('.');
                    std::string other = name;
                    if (at == std::string::npos)
                        other += "_2";
                    else
                        other.insert(at, random() % 2 ? "_2" : "x");
                    changed.arrays[other] = changed.arrays.at(name);
                    changed.arrays.erase(name);
                    renamed = other;
                    what = name + " as " + other;
                    break;
                }
                default: {
                    Array& array = changed.arrays.at(name);
                    if (array.shape.size() >= 2)
                        std::swap(array.shape[0], array.shape[1]);
                    else if (array.shape.size() == 1)
                        array.shape = {1, array.shape[0]};
                    else
                        array.shape = {1};
                    what = name + " reshaped";
                    break;
                }
            }
            const std::string text = s.name + " " + what;
            const Outcome outcome = run(changed);
            if (!outcome.refusal.empty()) {
                ++totals.refused, ++by[s.name].refused;
                EXPECT_TRUE(run(s).refusal.empty());  // leaves the unchanged file where ownName looks
                const bool named = names(outcome.refusal, touched) ||
                                   (!renamed.empty() && names(outcome.refusal, renamed)) ||
                                   names(outcome.refusal, ownName(s, touched, path("file.safetensors")));
                EXPECT_TRUE(named) << text << "\n" << outcome.refusal;
                EXPECT_EQ(outcome.refusal.find("internal"), std::string::npos) << text << "\n" << outcome.refusal;
                continue;
            }
            if (same(base, outcome)) {
                ++totals.same, ++by[s.name].same;
                continue;
            }
            ++totals.told, ++by[s.name].told;
            std::string news;
            for (const std::string& line : outcome.said)
                if (!base.said.contains(line)) news += line + "; ";
            EXPECT_FALSE(news.empty()) << text << ": other numbers in silence";
        }
    }
    std::cout << "tensors: " << all << " mutations: " << totals.same << " the same numbers, " << totals.refused
              << " refused by name, " << totals.told << " other numbers with a word\n";
    EXPECT_GT(totals.refused, 300);
}

TEST_F(Mutation, KeysNeverMatterInSilence) {
    Totals totals;
    int all = 0;
    for (const Subject& s : subjects()) {
        if (s.config.is_null() && s.metadata.empty()) continue;
        const Outcome base = run(s);
        const auto judge = [&](const Subject& changed, const std::string& what, const std::string& key) {
            ++all;
            const Outcome outcome = run(changed);
            if (!outcome.refusal.empty()) {
                ++totals.refused;
                const std::string last = key.substr(key.rfind('.') == std::string::npos ? 0 : key.rfind('.') + 1);
                std::string spaced = last;
                std::replace(spaced.begin(), spaced.end(), '_', ' ');
                // A key's value is often told by what it is about: heads, classes, grid.
                static const std::map<std::string, const char*> kWords = {{"num_heads", "heads"},
                                                                          {"num_attention_heads", "heads"},
                                                                          {"num_classes", "classes"},
                                                                          {"num_layers", "layers"},
                                                                          {"depth", "layers"},
                                                                          {"attention_head_dim", "features of a head"},
                                                                          {"patch_size", "patch"},
                                                                          {"in_channels", "channels"},
                                                                          {"embed_dim", "width"},
                                                                          {"img_size", "--grid"},
                                                                          {"harope.convention", "convention"},
                                                                          {"num_single_layers", "single layers"},
                                                                          {"pos_embed_max_size", "pos_embed"},
                                                                          {"head_dim", "head"},
                                                                          {"harope.apply", "map"},
                                                                          {"norm_num_groups", "groups"},
                                                                          {"model_args", "heads"}};
                const auto word = kWords.find(key) != kWords.end() ? kWords.find(key) : kWords.find(last);
                const bool named = outcome.refusal.find(last) != std::string::npos ||
                                   outcome.refusal.find(spaced) != std::string::npos ||
                                   (word != kWords.end() && outcome.refusal.find(word->second) != std::string::npos);
                EXPECT_TRUE(named) << s.name << " " << what << "\n" << outcome.refusal;
                return;
            }
            if (same(base, outcome)) {
                ++totals.same;
                return;
            }
            ++totals.told;
            std::string news;
            for (const std::string& line : outcome.said)
                if (!base.said.contains(line)) news += line + "; ";
            EXPECT_FALSE(news.empty()) << s.name << " " << what << ": other numbers in silence";
        };
        for (const auto& [key, value] : s.config.items()) {
            Subject without = s, renamed = s, other = s;
            without.config.erase(key);
            judge(without, "without " + key, key);
            renamed.config.erase(key);
            renamed.config[key + "_2"] = value;
            judge(renamed, key + " renamed", key);
            if (value.is_number_integer())
                other.config[key] = value.get<int>() + 1;
            else if (value.is_number())
                other.config[key] = value.get<double>() * 1.5;
            else if (value.is_string())
                other.config[key] = value.get<std::string>() + "x";
            else if (value.is_boolean())
                other.config[key] = !value.get<bool>();
            else
                continue;
            judge(other, key + " of another value", key);
        }
        for (const auto& [key, value] : s.metadata) {
            Subject without = s, other = s;
            without.metadata.erase(key);
            judge(without, "without the metadata's " + key, key);
            other.metadata[key] = value + "x";
            judge(other, "another " + key + " in the metadata", key);
        }
    }
    std::cout << "keys: " << all << " mutations: " << totals.same << " the same numbers, " << totals.refused
              << " refused by name, " << totals.told << " other numbers with a word\n";
    EXPECT_GT(all, 100);
}

/// Mutations that make another sound model: what they compute is known by itself.
TEST_F(Mutation, OtherSoundModelsAreSaid) {
    // Without its position table a ViT has no positions; without all maps a HARoPE DiT is one of axial RoPE.
    Subject vit = subject("vit_tiny_patch16_224.safetensors");
    vit.arrays.erase("pos_embed");
    const Outcome none = run(vit);
    EXPECT_TRUE(none.refusal.empty()) << none.refusal;
    ModelRef inverse;
    inverse.convention = Convention::Inverse;
    Subject dit = subject("harope_dit_tiny.pt", inverse);
    std::erase_if(dit.arrays, [](const auto& e) { return e.first.find("learnable_rot") != std::string::npos; });
    dit.ref.heads = 3;
    const Outcome axial = run(dit);
    EXPECT_TRUE(axial.refusal.empty()) << axial.refusal;
    EXPECT_TRUE(std::ranges::any_of(axial.said, [](const auto& n) { return n.find("axial RoPE") != n.npos; }));
    // A whole pair out of a LoRA: one layer less, which is counted.
    Subject lora = subject("lora_tiny_diffusers.safetensors", {}, "flux_tiny.expected.safetensors");
    lora.lora = true;
    lora.ref.path = goldenPath("flux_tiny.safetensors");
    const std::string first = lora.arrays.begin()->first;
    const std::string module = first.substr(0, first.find(".lora_"));
    std::erase_if(lora.arrays, [&](const auto& e) { return e.first.starts_with(module + "."); });
    const Outcome fewer = run(lora);
    EXPECT_TRUE(fewer.refusal.empty()) << fewer.refusal;
    EXPECT_TRUE(std::ranges::any_of(fewer.said, [](const auto& n) { return n.find("6 of 6 layers") != n.npos; }));
}

}  // namespace
}  // namespace ropescope
