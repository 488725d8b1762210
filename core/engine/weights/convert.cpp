// SPDX-License-Identifier: Apache-2.0
#include "core/engine/weights/convert.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/checkpoint/number_conversion.h"
#include "core/data/safetensors.h"
#include "core/encoding/rotary.h"

namespace ropescope {
namespace {

using Arrays = std::map<std::string, Array>;

Error cannot(const ModelCard& card, const std::string& tensor, std::string reason, std::string found = {},
             std::string expected = {}) {
    return {ErrorKind::Refused, "convert",           place({card.path, tensor}),    std::move(reason),
            std::move(found),   std::move(expected), "Choose another naming scheme"};
}

/// The frequencies of every layer [2,H,P] as one [2,L,H,P]; nothing where there are none. They are taken out.
Result<std::optional<Array>> joinFrequencies(Arrays& arrays, const ModelCard& card) {
    const auto name = [](int layer) { return "blocks." + std::to_string(layer) + ".attn.freqs"; };
    if (!arrays.contains(name(0))) return std::nullopt;
    const Array first = arrays.at(name(0));
    const std::int64_t planes = card.headDim / 2;
    const std::vector<std::int64_t> each = {2, card.heads, planes}, flat = {2, card.heads * planes};
    Array all{first.dtype, {2, card.layers, card.heads, planes}, {}};
    for (int axis = 0; axis < 2; ++axis)
        for (int layer = 0; layer < card.layers; ++layer) {
            const auto own = arrays.find(name(layer));
            // rope-vit keeps heads and planes in one dimension, heads first.
            const bool fits = own != arrays.end() && (own->second.shape == each || own->second.shape == flat);
            if (!fits || own->second.dtype != first.dtype)
                return failure(cannot(card, name(layer), "frequencies of the layers do not fit each other"));
            const auto half = static_cast<std::ptrdiff_t>(own->second.bytes.size() / 2);
            const auto begin = own->second.bytes.begin() + axis * half;
            all.bytes.insert(all.bytes.end(), begin, begin + half);
        }
    for (int layer = 0; layer < card.layers; ++layer) arrays.erase(name(layer));
    return all;
}

Result<void> toViT(Arrays& arrays, const ModelCard& card, bool naver) {
    for (const char* derived : {"freqs_t_x", "freqs_t_y", "rope.t_x", "rope.t_y"}) arrays.erase(derived);
    auto frequencies = joinFrequencies(arrays, card);
    if (!frequencies) return failure(frequencies.error());
    if (!*frequencies) return {};
    Array& all = **frequencies;
    if (!naver) {
        arrays["rope.freqs"] = std::move(all);
        return {};
    }
    all.shape = {2, card.layers, static_cast<std::int64_t>(card.heads) * card.headDim / 2};
    arrays["freqs"] = std::move(all);
    std::vector<float> x, y;
    for (int n = 0; n < card.grid.tokens(); ++n) {
        x.push_back(static_cast<float>(n % card.grid.cols));
        y.push_back(static_cast<float>(n / card.grid.cols));
    }
    arrays["freqs_t_x"] = makeArray(std::span<const float>(x), {card.grid.tokens()});
    arrays["freqs_t_y"] = makeArray(std::span<const float>(y), {card.grid.tokens()});
    return {};
}

/// Original name to diffusers' name, block by block where a block is named.
struct Renaming {
    std::string_view from, to;
};
constexpr Renaming kWhole[] = {
    {"x_embedder.proj.", "pos_embed.proj."},
    {"final_layer.adaLN_modulation.1.", "proj_out_1."},
    {"final_layer.linear.", "proj_out_2."},
};
constexpr Renaming kInBlock[] = {
    {"adaLN_modulation.1.", "norm1.linear."},
    {"attn.proj.", "attn1.to_out.0."},
    {"mlp.fc1.", "ff.net.0.proj."},
    {"mlp.fc2.", "ff.net.2."},
};
/// Copied into every block.
constexpr Renaming kEverywhere[] = {
    {"t_embedder.mlp.0.", "norm1.emb.timestep_embedder.linear_1."},
    {"t_embedder.mlp.2.", "norm1.emb.timestep_embedder.linear_2."},
    {"y_embedder.embedding_table.", "norm1.emb.class_embedder.embedding_table."},
};

/// Adds the tensor under its diffusers names; false for one that diffusers' DiT does not have.
bool addDiffusers(Arrays& out, const std::string& name, const Array& array, int layers) {
    const auto block = [](int i) { return "transformer_blocks." + std::to_string(i) + "."; };
    for (const Renaming& r : kWhole)
        if (name.starts_with(r.from)) return out[std::string(r.to) + name.substr(r.from.size())] = array, true;
    for (const Renaming& r : kEverywhere) {
        if (!name.starts_with(r.from)) continue;
        for (int i = 0; i < layers; ++i) out[block(i) + std::string(r.to) + name.substr(r.from.size())] = array;
        return true;
    }
    const std::size_t dot = name.find('.', 7);
    if (!name.starts_with("blocks.") || dot == std::string::npos) return false;
    const std::string prefix = "transformer_" + name.substr(0, dot + 1), rest = name.substr(dot + 1);
    for (const Renaming& r : kInBlock)
        if (rest.starts_with(r.from)) return out[prefix + std::string(r.to) + rest.substr(r.from.size())] = array, true;
    constexpr std::string_view projections = "attn.qkv.";
    if (!rest.starts_with(projections) || array.shape.empty() || array.shape[0] % 3 != 0) return false;
    const std::int64_t third = array.shape[0] / 3;
    for (int which = 0; which < 3; ++which)
        out[prefix + "attn1.to_" + "qkv"[which] + "." + rest.substr(projections.size())] =
            rowsOf(array, which * third, third);
    return true;
}

/// Diffusers' copies of the embeddings in blocks other than the first say nothing as long as they are copies.
Result<void> dropCopies(Arrays& arrays, const ModelCard& card) {
    for (int i = 1; i < card.layers; ++i)
        for (const Renaming& r : kEverywhere)
            for (const char* part : {"weight", "bias"}) {
                const std::string name = "transformer_blocks." + std::to_string(i) + "." + std::string(r.to) + part;
                const auto copy = arrays.find(name), own = arrays.find(std::string(r.from) + part);
                if (copy == arrays.end()) continue;
                if (own == arrays.end() || own->second != copy->second)
                    return failure(cannot(card, name, "the blocks have embeddings of their own"));
                arrays.erase(copy);
            }
    return {};
}

/// Diffusers computes the sin-cos table itself: another table would be lost.
Result<void> checkTable(const Arrays& arrays, const ModelCard& card) {
    if (card.encoding != "absolute")
        return failure(cannot(card, "", "diffusers' DiT has sin-cos positions only", card.encoding, "absolute"));
    const auto found = arrays.find("pos_embed");
    if (found == arrays.end()) return {};  // the file relied on that too
    if (card.grid.rows != card.grid.cols) return failure(cannot(card, "pos_embed", "diffusers' DiT is square"));
    const at::Tensor table = sinCosPositions(card.grid, card.width).flatten();
    std::vector<double> stored;
    for (const float v : found->second.as<float>()) stored.push_back(v);
    const bool fits = found->second.dtype == DType::F32 && static_cast<std::int64_t>(stored.size()) == table.numel();
    if (!fits || (at::tensor(stored, at::kDouble) - table.to(at::kDouble)).abs().max().item<double>() > 1e-3)
        return failure(cannot(card, "pos_embed", "the table is not the sin-cos one that diffusers computes itself"));
    return {};
}

Result<void> toDiffusers(ExportFile& file, const ModelCard& card) {
    if (auto fits = checkTable(file.arrays, card); !fits) return fits;
    Arrays out;
    for (const auto& [name, array] : file.arrays) {
        if (name == "pos_embed" || name.starts_with("selfcheck.")) continue;
        if (!addDiffusers(out, name, array, card.layers))
            return failure(cannot(card, name, "diffusers' DiT has no such tensor"));
    }
    file.arrays = std::move(out);
    const nlohmann::json config = {{"_class_name", "DiTTransformer2DModel"},
                                   {"num_attention_heads", card.heads},
                                   {"attention_head_dim", card.headDim},
                                   {"in_channels", card.inChannels},
                                   {"out_channels", card.outChannels},
                                   {"num_layers", card.layers},
                                   {"sample_size", card.grid.rows * card.patch},
                                   {"patch_size", card.patch},
                                   {"num_embeds_ada_norm", card.classes},
                                   {"norm_type", "ada_norm_zero"},
                                   {"activation_fn", "gelu-approximate"},
                                   {"attention_bias", true},
                                   {"norm_elementwise_affine", false}};
    file.metadata["diffusers.config"] = config.dump();
    return {};
}

/// What the program at the other end computes differently.
std::string warningFor(const ModelCard& card, const std::string& names) {
    if (names == "diffusers" && card.naming != "diffusers")
        return "\ndiffusers divides the time's frequencies by 127, not 128, and adds 1e-5 in the second norm, not "
               "1e-6: "
               "its outputs differ from this file's";
    if (names == "dit" && card.naming == "diffusers")
        return "\nthe original DiT divides the time's frequencies by 128, not 127, and adds 1e-6 in the second norm, "
               "not 1e-5: its outputs differ from diffusers'";
    return "";
}

/// The first DiT or ViT in everything but positions and sizes.
bool isPlain(const ModelCard& card) {
    const NetworkVariant& v = card.variant;
    const bool vit = card.architecture == "vit";
    const bool parts = v.headNorm == Norm::None && !v.gated && v.qkvBias && v.registers == 0 && !v.distilled &&
                       !v.normBefore && !v.normAfter;
    if (!parts) return false;
    if (!vit) return v.norm == Norm::None && v.lastNorm == Norm::None && card.nullClass && card.timeWidth == 256;
    return v.norm == Norm::Layer && v.activation == Activation::Gelu &&
           (v.pool == Pool::Token || (v.pool == Pool::Average && !card.classToken));
}

}  // namespace

Result<void> renameTensors(ExportFile& file, const ModelCard& card, const std::string& names) {
    const bool dit = names == "dit" || names == "diffusers", vit = names == "timm" || names == "naver";
    if (!dit && !vit)
        return failure({ErrorKind::Usage, "bad-option", "--names", "no such naming scheme", printable(names),
                        "timm, naver, dit or diffusers", "Choose one of them"});
    if ((dit && card.architecture != "dit") || (vit && card.architecture != "vit"))
        return failure({ErrorKind::Usage, "bad-option", "--names", "the scheme is for another kind of model",
                        names + " for a " + card.architecture, dit ? "a dit" : "a vit",
                        card.architecture == "vit"   ? "Use --names timm or naver"
                        : card.architecture == "dit" ? "Use --names dit or diffusers"
                                                     : "Convert a DiT or a ViT"});
    if (!isPlain(card))
        return failure(cannot(card, "", "a relative with parts that this scheme has no names for",
                              "norms, gates, tokens or a pooling of its own", "the first DiT or ViT"));
    if (card.rotaryLayout == RotaryLayout::HalfSplit)
        return failure(cannot(card, "", "the programs of this scheme turn interleaved features", "half-split ones"));
    if (vit) return toViT(file.arrays, card, names == "naver");
    if (auto dropped = dropCopies(file.arrays, card); !dropped) return dropped;
    if (names == "diffusers") return toDiffusers(file, card);
    // Diffusers computes the table, the original DiT keeps it.
    if (card.encoding == "absolute" && !file.arrays.contains("pos_embed"))
        file.arrays["pos_embed"] = arrayAs(sinCosPositions(card.grid, card.width), DType::F32);
    return {};
}

Result<std::string> convertModel(const ExportCommand& command) {
    const at::NoGradGuard noGrad;
    const auto table = TensorTable::open(command.model);
    if (!table) return failure(table.error());
    const auto card = recognise(*table, command.model);
    if (!card) return failure(card.error());
    if (auto complete = checkComplete(*table, *card); !complete) return failure(complete.error());
    ExportFile file;
    file.metadata = describe(*table, *card);
    for (const TensorEntry& entry : table->tensors()) {
        if (std::ranges::find(card->waived, entry.name) != card->waived.end()) continue;
        const bool record = entry.name.starts_with("selfcheck.");
        Result<Array> array = readAs(*table, entry.name, record ? std::nullopt : command.dtype);
        if (!array) return failure(array.error());
        file.arrays[entry.name] = std::move(*array);
    }
    if (auto renamed = renameTensors(file, *card, command.names); !renamed) return failure(renamed.error());
    if (auto written = writeSafetensors(command.out, file.arrays, file.metadata); !written)
        return failure(written.error());
    return command.out + ": " + std::to_string(file.arrays.size()) + " tensors under the names of " + command.names +
           warningFor(*card, command.names);
}

}  // namespace ropescope
