// SPDX-License-Identifier: Apache-2.0
// DiT, FLUX, SD3 and their autoencoder under the names of their first release, whichever names a file uses.
#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>

#include "core/checkpoint/names.h"
#include "core/checkpoint/table_contents.h"

namespace ropescope {
namespace {

using Tensors = std::vector<TensorEntry>;

struct Renaming {
    std::string_view from, to;
};
/// Tensors of one block whose rows follow each other in the original tensor.
struct Joining {
    std::vector<std::string_view> from;
    std::string_view to;
};
/// Names of diffusers: the beginning of a block's names and of the original block's, what is inside, and the rest.
struct Blocks {
    std::string_view from, to;
    std::vector<Joining> joined;
    std::vector<Renaming> inside;
};
struct Scheme {
    std::vector<Blocks> blocks;
    std::vector<Renaming> whole;
    bool scaleFirst = true;  ///< the last modulation is (scale, shift), the original's (shift, scale)
};

/// DiTTransformer2DModel; every block carries the embeddings, the first one's are taken.
const Scheme& ditScheme() {
    static const Scheme scheme = {
        {{"transformer_blocks.",
          "blocks.",
          {{{"attn1.to_q", "attn1.to_k", "attn1.to_v"}, "attn.qkv"}},
          {{"norm1.linear.", "adaLN_modulation.1."},
           {"attn1.to_out.0.", "attn.proj."},
           {"ff.net.0.proj.", "mlp.fc1."},
           {"ff.net.2.", "mlp.fc2."},
           {"attn1.learnable_rot.", "attn.learnable_rot."}}}},
        {{"pos_embed.pos_embed", "pos_embed"},
         {"pos_embed.proj.", "x_embedder.proj."},
         {"transformer_blocks.0.norm1.emb.timestep_embedder.linear_1.", "t_embedder.mlp.0."},
         {"transformer_blocks.0.norm1.emb.timestep_embedder.linear_2.", "t_embedder.mlp.2."},
         {"transformer_blocks.0.norm1.emb.class_embedder.embedding_table.", "y_embedder.embedding_table."},
         {"proj_out_1.", "final_layer.adaLN_modulation.1."},
         {"proj_out_2.", "final_layer.linear."}},
        false};
    return scheme;
}

const Scheme& fluxScheme() {
    static const Scheme scheme = {{{"transformer_blocks.",
                                    "double_blocks.",
                                    {{{"attn.to_q", "attn.to_k", "attn.to_v"}, "img_attn.qkv"},
                                     {{"attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"}, "txt_attn.qkv"}},
                                    {{"norm1.linear.", "img_mod.lin."},
                                     {"norm1_context.linear.", "txt_mod.lin."},
                                     {"attn.norm_q.weight", "img_attn.norm.query_norm.scale"},
                                     {"attn.norm_k.weight", "img_attn.norm.key_norm.scale"},
                                     {"attn.norm_added_q.weight", "txt_attn.norm.query_norm.scale"},
                                     {"attn.norm_added_k.weight", "txt_attn.norm.key_norm.scale"},
                                     {"attn.to_out.0.", "img_attn.proj."},
                                     {"attn.to_add_out.", "txt_attn.proj."},
                                     {"ff.net.0.proj.", "img_mlp.0."},
                                     {"ff.net.2.", "img_mlp.2."},
                                     {"ff_context.net.0.proj.", "txt_mlp.0."},
                                     {"ff_context.net.2.", "txt_mlp.2."},
                                     {"attn.learnable_rot.", "attn.learnable_rot."}}},
                                   {"single_transformer_blocks.",
                                    "single_blocks.",
                                    {{{"attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"}, "linear1"}},
                                    {{"attn.norm_q.weight", "norm.query_norm.scale"},
                                     {"attn.norm_k.weight", "norm.key_norm.scale"},
                                     {"proj_out.", "linear2."},
                                     {"norm.linear.", "modulation.lin."},
                                     {"attn.learnable_rot.", "attn.learnable_rot."}}}},
                                  {{"x_embedder.", "img_in."},
                                   {"context_embedder.", "txt_in."},
                                   {"time_text_embed.timestep_embedder.linear_1.", "time_in.in_layer."},
                                   {"time_text_embed.timestep_embedder.linear_2.", "time_in.out_layer."},
                                   {"time_text_embed.guidance_embedder.linear_1.", "guidance_in.in_layer."},
                                   {"time_text_embed.guidance_embedder.linear_2.", "guidance_in.out_layer."},
                                   {"time_text_embed.text_embedder.linear_1.", "vector_in.in_layer."},
                                   {"time_text_embed.text_embedder.linear_2.", "vector_in.out_layer."},
                                   {"norm_out.linear.", "final_layer.adaLN_modulation.1."},
                                   {"proj_out.", "final_layer.linear."}}};
    return scheme;
}

const Scheme& mmditScheme() {
    static const Scheme scheme = {
        {{"transformer_blocks.",
          "joint_blocks.",
          {{{"attn.to_q", "attn.to_k", "attn.to_v"}, "x_block.attn.qkv"},
           {{"attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"}, "context_block.attn.qkv"},
           {{"attn2.to_q", "attn2.to_k", "attn2.to_v"}, "x_block.attn2.qkv"}},
          {{"norm1.linear.", "x_block.adaLN_modulation.1."},
           {"norm1_context.linear.", "context_block.adaLN_modulation.1."},
           {"attn.norm_q.weight", "x_block.attn.ln_q.weight"},
           {"attn.norm_k.weight", "x_block.attn.ln_k.weight"},
           {"attn.norm_added_q.weight", "context_block.attn.ln_q.weight"},
           {"attn.norm_added_k.weight", "context_block.attn.ln_k.weight"},
           {"attn.to_out.0.", "x_block.attn.proj."},
           {"attn.to_add_out.", "context_block.attn.proj."},
           {"attn2.norm_q.weight", "x_block.attn2.ln_q.weight"},
           {"attn2.norm_k.weight", "x_block.attn2.ln_k.weight"},
           {"attn2.to_out.0.", "x_block.attn2.proj."},
           {"ff.net.0.proj.", "x_block.mlp.fc1."},
           {"ff.net.2.", "x_block.mlp.fc2."},
           {"ff_context.net.0.proj.", "context_block.mlp.fc1."},
           {"ff_context.net.2.", "context_block.mlp.fc2."},
           {"attn.learnable_rot.", "attn.learnable_rot."},
           {"attn2.learnable_rot.", "x_block.attn2.learnable_rot."}}}},
        {{"pos_embed.pos_embed", "pos_embed"},
         {"pos_embed.proj.", "x_embedder.proj."},
         {"time_text_embed.timestep_embedder.linear_1.", "t_embedder.mlp.0."},
         {"time_text_embed.timestep_embedder.linear_2.", "t_embedder.mlp.2."},
         {"time_text_embed.text_embedder.linear_1.", "y_embedder.mlp.0."},
         {"time_text_embed.text_embedder.linear_2.", "y_embedder.mlp.2."},
         {"norm_out.linear.", "final_layer.adaLN_modulation.1."},
         {"proj_out.", "final_layer.linear."}}};
    return scheme;
}

constexpr std::array<Renaming, 15> kVae = {{{".down_blocks.", ".down."},
                                            {".resnets.", ".block."},
                                            {".conv_shortcut.", ".nin_shortcut."},
                                            {".downsamplers.0.", ".downsample."},
                                            {".upsamplers.0.", ".upsample."},
                                            {".mid_block.block.0.", ".mid.block_1."},
                                            {".mid_block.block.1.", ".mid.block_2."},
                                            {".mid_block.attentions.0.", ".mid.attn_1."},
                                            {".group_norm.", ".norm."},
                                            {".to_out.0.", ".proj_out."},
                                            {".proj_attn.", ".proj_out."},
                                            {".conv_norm_out.", ".norm_out."},
                                            {".attn_1.to_", ".attn_1."},
                                            {".attn_1.query.", ".attn_1.q."},
                                            {".attn_1.key.", ".attn_1.k."}}};

bool any(const Tensors& tensors, std::string_view prefix) {
    return std::any_of(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name.starts_with(prefix); });
}

/// "transformer_blocks.12." of a name that begins with "transformer_blocks."; empty when no number follows.
std::string_view blockOf(std::string_view name, std::string_view prefix) {
    if (!name.starts_with(prefix)) return {};
    const std::size_t dot = name.find('.', prefix.size());
    return dot == std::string_view::npos || dot == prefix.size() ? std::string_view() : name.substr(0, dot + 1);
}

void join(Tensors& tensors, const Blocks& blocks) {
    std::unordered_map<std::string, std::size_t> byName;
    for (std::size_t i = 0; i < tensors.size(); ++i) byName.emplace(tensors[i].name, i);
    std::vector<bool> taken(tensors.size(), false);
    Tensors whole;
    for (const TensorEntry& first : tensors) {
        const std::string block(blockOf(first.name, blocks.from));
        if (block.empty()) continue;
        for (const Joining& joining : blocks.joined) {
            const std::string head = block + std::string(joining.from[0]) + ".";
            if (!first.name.starts_with(head) || first.shape.empty()) continue;
            const std::string last = first.name.substr(head.size());
            TensorEntry all = first;
            all.name = std::string(blocks.to) + block.substr(blocks.from.size()) + std::string(joining.to) + "." + last;
            all.shape[0] = 0;
            all.factor = nullptr;
            std::vector<std::size_t> used;
            for (const std::string_view from : joining.from) {
                const auto part = byName.find(block + std::string(from) + "." + last);
                if (part == byName.end()) break;
                const TensorEntry& entry = tensors[part->second];
                // Queries, keys and values are alike; what follows them may have other rows.
                const bool shaped = used.size() < 3 ? entry.shape == first.shape
                                                    : entry.shape.size() == first.shape.size() &&
                                                          std::equal(entry.shape.begin() + 1, entry.shape.end(),
                                                                     first.shape.begin() + 1);
                const bool fits = shaped && entry.dtype == first.dtype && entry.strides.empty() && entry.parts.empty();
                if (!fits) break;
                all.parts.push_back(entry);
                all.shape[0] += entry.shape[0];
                used.push_back(part->second);
            }
            if (all.parts.size() != joining.from.size()) continue;
            for (const std::size_t i : used) taken[i] = true;
            whole.push_back(std::move(all));
        }
    }
    Tensors rest;
    for (std::size_t i = 0; i < tensors.size(); ++i)
        if (!taken[i]) rest.push_back(std::move(tensors[i]));
    rest.insert(rest.end(), std::make_move_iterator(whole.begin()), std::make_move_iterator(whole.end()));
    tensors = std::move(rest);
}

std::string renamed(const std::string& name, const Scheme& scheme) {
    for (const Blocks& blocks : scheme.blocks) {
        const std::string_view block = blockOf(name, blocks.from);
        if (block.empty()) continue;
        for (const Renaming& r : blocks.inside)
            if (name.substr(block.size()).starts_with(r.from))
                return std::string(blocks.to) + name.substr(blocks.from.size(), block.size() - blocks.from.size()) +
                       std::string(r.to) + name.substr(block.size() + r.from.size());
    }
    for (const Renaming& r : scheme.whole)
        if (name.starts_with(r.from)) return std::string(r.to) + name.substr(r.from.size());
    return name;
}

/// diffusers keeps (scale, shift) where the original has (shift, scale).
void swapHalves(TensorEntry& entry) {
    if (entry.shape.empty() || entry.shape[0] % 2 != 0 || !entry.strides.empty() || !entry.parts.empty()) return;
    TensorEntry half = entry;
    half.shape[0] /= 2;
    half.length /= 2;
    TensorEntry second = half;
    second.offset += half.length;
    if (entry.factor) {
        auto own = std::make_shared<WeightFactor>(*entry.factor);
        own->firstRow += half.shape[0];
        second.factor = std::move(own);
        entry.factor = nullptr;
    }
    entry.parts = {second, half};
}

/// Last text block of SD3: its modulation has two parts and lies swapped as well.
bool isSwapped(const TensorEntry& entry, std::int64_t width) {
    if (entry.name.starts_with("final_layer.adaLN_modulation.1.")) return true;
    return entry.name.find(".context_block.adaLN_modulation.1.") != std::string::npos && !entry.shape.empty() &&
           entry.shape[0] == 2 * width;
}

void useScheme(TensorTable::Contents& contents, const Scheme& scheme, std::string more = {}) {
    Tensors& tensors = contents.tensors;
    for (const Blocks& blocks : scheme.blocks) join(tensors, blocks);
    for (TensorEntry& tensor : tensors) {
        std::string own = renamed(tensor.name, scheme);
        if (own != tensor.name && tensor.stored.empty() && tensor.parts.empty()) tensor.stored = tensor.name;
        tensor.name = std::move(own);
    }
    const auto patches = std::find_if(tensors.begin(), tensors.end(), [](const TensorEntry& t) {
        return t.name == "x_embedder.proj.bias" || t.name == "img_in.bias";
    });
    const std::int64_t width = patches != tensors.end() && !patches->shape.empty() ? patches->shape[0] : 0;
    for (TensorEntry& tensor : tensors)
        if (scheme.scaleFirst && isSwapped(tensor, width)) swapHalves(tensor);
    contents.naming = "diffusers";
    contents.notes.push_back("names: diffusers', read as the original ones" + more);
}

void renameVae(TensorTable::Contents& contents) {
    Tensors& tensors = contents.tensors;
    int levels = 0;
    for (const TensorEntry& t : tensors)
        if (const auto block = blockOf(t.name, "decoder.up_blocks."); !block.empty())
            levels = std::max(levels, std::atoi(t.name.c_str() + std::string_view("decoder.up_blocks.").size()) + 1);
    for (TensorEntry& tensor : tensors) {
        tensor.stored = tensor.name;
        std::string& name = tensor.name;
        for (const Renaming& r : kVae)
            if (const std::size_t at = name.find(r.from); at != std::string::npos)
                name.replace(at, r.from.size(), r.to);
        if (const std::size_t at = name.find(".attn_1.value."); at != std::string::npos)
            name.replace(at, 14, ".attn_1.v.");
        constexpr std::string_view up = "decoder.up_blocks.";
        if (const auto block = blockOf(name, up); !block.empty()) {  // the original counts from the other end
            const int level = levels - 1 - std::atoi(name.c_str() + up.size());
            name = "decoder.up." + std::to_string(level) + "." + name.substr(block.size());
        }
    }
    contents.naming = "diffusers";
    contents.notes.push_back("names: diffusers', read as the original ones");
}

/// Maps may stand beside the attention of their block or in it.
std::string mapName(const std::string& name) {
    for (const std::string_view blocks : {"double_blocks.", "single_blocks.", "joint_blocks."}) {
        const std::string block(blockOf(name, blocks));
        if (block.empty()) continue;
        for (const std::string_view own : {"learnable_rot.", "img_attn.learnable_rot.", "x_block.attn.learnable_rot."})
            if (name.substr(block.size()).starts_with(own))
                return block + "attn.learnable_rot." + name.substr(block.size() + own.size());
    }
    return name;
}

/// Files that hold a whole pipeline: the transformer alone is taken.
void takeTransformer(TensorTable::Contents& contents) {
    Tensors& tensors = contents.tensors;
    std::string_view prefix = "model.diffusion_model.";
    if (!any(tensors, prefix)) prefix.remove_prefix(6);  // "model." may have come off already
    if (!any(tensors, prefix)) return;
    const std::size_t before = tensors.size();
    std::erase_if(tensors, [&](const TensorEntry& t) { return !t.name.starts_with(prefix); });
    for (TensorEntry& tensor : tensors) tensor.name.erase(0, prefix.size());
    contents.notes.push_back("the transformer of a file with " + std::to_string(before - tensors.size()) +
                             " tensors of other parts");
}

}  // namespace

void useFlowNames(TensorTable::Contents& contents) {
    takeTransformer(contents);
    Tensors& tensors = contents.tensors;
    if (any(tensors, "transformer_blocks.0.attn1.") && any(tensors, "transformer_blocks.0.norm1.emb."))
        return useScheme(contents, ditScheme(), "; time and label embeddings of block 0");
    if (any(tensors, "single_transformer_blocks.")) return useScheme(contents, fluxScheme());
    if (any(tensors, "transformer_blocks.0.attn.add_")) return useScheme(contents, mmditScheme());
    if (any(tensors, "decoder.up_blocks.") || any(tensors, "encoder.down_blocks.")) return renameVae(contents);
    for (TensorEntry& tensor : tensors) tensor.name = mapName(tensor.name);
}

void useBakedMaps(TensorTable::Contents& contents) {
    constexpr std::string_view map = "learnable_rot.M", inverse = "learnable_rot.M_inv";
    int baked = 0;
    const std::size_t before = contents.tensors.size();
    std::erase_if(contents.tensors, [&](const TensorEntry& t) { return t.name.ends_with(inverse); });
    for (TensorEntry& tensor : contents.tensors)
        if (tensor.name.ends_with(map)) tensor.name.back() = 'W', ++baked;
    if (baked == 0) return;
    contents.notes.push_back("maps: multiplied out in the file, read as full matrices");
    if (contents.tensors.size() < before) contents.metadata.try_emplace("harope.convention", "inverse");
}

Result<void> addAdapter(TensorTable::Contents& model, const TensorTable::Contents& adapter) {
    const bool flux = any(model.tensors, "double_blocks.") || any(model.tensors, "single_blocks.");
    const auto refused = [&](std::string code, std::string reason, std::string found, std::string advice) {
        return failure(Error{ErrorKind::Refused, std::move(code), place({adapter.file.path()}), std::move(reason),
                             std::move(found), "", std::move(advice)});
    };
    if (!flux && !any(model.tensors, "joint_blocks."))
        return refused("LO-01", "adapters are for FLUX and SD3", "", "Leave --adapter out");
    const auto isMap = [](const TensorEntry& t) { return t.name.find("learnable_rot.") != std::string::npos; };
    if (std::any_of(model.tensors.begin(), model.tensors.end(), isMap))
        return refused("TC-10", "the model has maps of its own", "", "Leave --adapter out");
    const int shift = static_cast<int>(model.shards.size()) + 1;
    int maps = 0, fit = 0, others = 0;
    for (const TensorEntry& entry : adapter.tensors) {
        if (!isMap(entry)) {
            ++others;
            continue;
        }
        ++maps;
        TensorEntry own = entry;
        own.name = withoutRoot(own.name);
        own.name = mapName(renamed(own.name, flux ? fluxScheme() : mmditScheme()));
        const std::string block = own.name.substr(0, own.name.find('.', own.name.find('.') + 1) + 1);
        if (block.empty() || !any(model.tensors, block)) continue;
        ++fit;
        own.file += shift;
        model.tensors.push_back(std::move(own));
    }
    if (fit == 0)
        return refused("LO-01", "no map of the adapter belongs to a block of this model",
                       "0 of " + std::to_string(maps) + " tensors with learnable_rot in their names",
                       "Choose the model that the adapter was trained with");
    model.shards.push_back(adapter.file);
    model.shards.insert(model.shards.end(), adapter.shards.begin(), adapter.shards.end());
    for (const auto& [key, value] : adapter.metadata)
        if (key.starts_with("harope.")) model.metadata[key] = value;
    model.notes.push_back("maps: " + std::to_string(fit) + " tensors of the adapter" +
                          (fit < maps ? ", " + std::to_string(maps - fit) + " left out" : std::string()));
    if (others > 0)
        model.notes.push_back(
            std::to_string(others) +
            " other tensors of the adapter left alone; LoRA pairs enter by --lora with the same file");
    return {};
}

namespace {

/// Queries, keys and values of one attention are alike: is `name` as the other two?
bool fitsOthers(const TensorTable& table, const std::string& block, const Joining& joining, const std::string& last,
                const std::string& name) {
    const TensorEntry* own = table.find(name);
    std::size_t alike = 0, others = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        const std::string other = block + std::string(joining.from[i]) + last;
        const TensorEntry* entry = table.find(other);
        if (!entry || other == name) continue;
        ++others;
        alike += entry->shape == own->shape && entry->dtype == own->dtype;
    }
    return alike > 0 || others < 2 || name == block + std::string(joining.from.back()) + last;
}

}  // namespace

std::string diffusersName(const TensorTable& table, const std::string& own) {
    const auto has = [&](const char* prefix) { return any(table.tensors(), prefix); };
    const Scheme& scheme = has("joint_blocks.")                             ? mmditScheme()
                           : has("double_blocks.") || has("single_blocks.") ? fluxScheme()
                                                                            : ditScheme();
    for (const Blocks& blocks : scheme.blocks) {
        const std::string block(blockOf(own, blocks.to));
        if (block.empty()) continue;
        const std::string theirs = std::string(blocks.from) + block.substr(blocks.to.size()),
                          inside = own.substr(block.size());
        for (const Joining& joining : blocks.joined)
            if (inside.starts_with(std::string(joining.to) + "."))
                for (const std::string_view from : joining.from) {
                    const std::string name = theirs + std::string(from) + inside.substr(joining.to.size());
                    if (!table.find(name)) return name;  // the part that is not there
                    if (!fitsOthers(table, theirs, joining, inside.substr(joining.to.size()), name)) return name;
                }
        for (const Renaming& r : blocks.inside)
            if (inside.starts_with(r.to)) return theirs + std::string(r.from) + inside.substr(r.to.size());
    }
    for (const Renaming& r : scheme.whole)
        if (own.starts_with(r.to)) return std::string(r.from) + own.substr(r.to.size());
    return own;
}

std::unordered_map<std::string, FlowTarget> flowTargets(const TensorTable::Contents& contents) {
    constexpr std::string_view weight = ".weight";
    const Scheme& scheme = any(contents.tensors, "joint_blocks.") ? mmditScheme() : fluxScheme();
    std::unordered_map<std::string, FlowTarget> targets;
    for (const TensorEntry& entry : contents.tensors) {
        if (entry.shape.size() != 2 || !entry.name.ends_with(weight)) continue;
        const std::string module = entry.name.substr(0, entry.name.size() - weight.size());
        targets[module] = {entry.name};
        for (const Blocks& blocks : scheme.blocks) {
            const std::string block(blockOf(module + ".", blocks.to));
            if (block.empty()) continue;
            const std::string theirs = std::string(blocks.from) + block.substr(blocks.to.size()),
                              own = module.substr(block.size());
            for (const Joining& joining : blocks.joined)
                for (std::size_t part = 0; own == joining.to && part < joining.from.size(); ++part)
                    targets[theirs + std::string(joining.from[part])] = {entry.name, static_cast<int>(part), true};
            for (const Renaming& r : blocks.inside)
                if (own + "." == r.to)
                    targets[theirs + std::string(r.from.substr(0, r.from.size() - 1))] = {
                        entry.name, 0, false, 1, isSwapped(entry, entry.shape[1])};
        }
        for (const Renaming& r : scheme.whole)
            if (module + "." == r.to)
                targets[std::string(r.from.substr(0, r.from.size() - 1))] = {entry.name, 0, false, 1,
                                                                             module.starts_with("final_layer.adaLN")};
    }
    return targets;
}

}  // namespace ropescope
