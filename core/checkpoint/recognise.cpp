// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>

#include "core/checkpoint/input_file.h"
#include "core/checkpoint/names.h"
#include "core/checkpoint/recognition.h"
#include "core/checkpoint/sha256.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;

/// "diffusion_pytorch_model" of "diffusion_pytorch_model.safetensors", of the index of its files, and of its variants
/// in half precision.
std::string stemOf(const fs::path& path) {
    const std::string name = path.filename().string();
    std::string stem = path.stem().string();
    for (const std::string_view index :
         {".safetensors.index.json", ".safetensors.index.bf16.json", ".safetensors.index.fp16.json", ".bin.index.json"})
        if (name.ends_with(index)) stem = name.substr(0, name.size() - index.size());
    for (const std::string_view variant : {".bf16", ".fp16"})
        if (stem.ends_with(variant)) stem.resize(stem.size() - variant.size());
    return stem;
}

/// --config, else the file's own metadata, else a configuration beside the file.
Result<ModelConfig> findConfig(const TensorTable& table, const ModelRef& ref, std::vector<std::string>& notes) {
    if (!ref.config.empty()) return readModelConfig(ref.config);
    if (const auto own = table.metadata().find("ropescope.config"); own != table.metadata().end()) {
        return parseModelConfig(own->second, place({table.path(), "ropescope.config"}));
    }
    const fs::path path(table.path());
    const std::string stem = stemOf(path);
    std::vector<fs::path> candidates = {path.parent_path() / (stem + ".config.json")};
    if (stem == "model" || stem == "diffusion_pytorch_model" || stem == "pytorch_model")
        candidates.push_back(path.parent_path() / "config.json");
    for (const fs::path& candidate : candidates) {
        std::error_code ignored;
        if (!fs::is_regular_file(candidate, ignored)) continue;
        notes.push_back("configuration: " + printable(candidate.filename().string()));
        return readModelConfig(candidate.string());
    }
    return ModelConfig{};
}

/// "model.safetensors" is named by its folder, every other file by itself.
std::string shortName(const std::string& path) {
    const fs::path file = fs::path(path).lexically_normal();
    const std::string stem = stemOf(file);
    std::error_code ignored;
    if (stem != "model" && stem != "diffusion_pytorch_model" && stem != "pytorch_model") return printable(stem);
    fs::path parent = fs::absolute(file, ignored).parent_path();
    if (parent.filename() == "transformer") parent = parent.parent_path();
    const std::string folder = parent.filename().string();
    return printable(folder.empty() ? stem : folder);
}

/// Whole numbers inside names compare as numbers: step-9 before step-10.
bool naturalLess(const std::string& a, const std::string& b) {
    const auto isDigit = [](char c) { return c >= '0' && c <= '9'; };
    std::size_t i = 0, k = 0;
    while (i < a.size() && k < b.size()) {
        if (!isDigit(a[i]) || !isDigit(b[k])) {
            if (a[i] != b[k]) return a[i] < b[k];
            ++i, ++k;
            continue;
        }
        const auto digits = [&](const std::string& text, std::size_t& at) {
            while (at + 1 < text.size() && text[at] == '0' && isDigit(text[at + 1])) ++at;
            const std::size_t begin = at;
            while (at < text.size() && isDigit(text[at])) ++at;
            return text.substr(begin, at - begin);
        };
        const std::string left = digits(a, i), right = digits(b, k);
        if (left.size() != right.size()) return left.size() < right.size();
        if (left != right) return left < right;
    }
    return a.size() - i < b.size() - k;
}

std::vector<std::string> findSeries(const std::string& path) {
    std::vector<std::string> found;
    std::error_code ignored;
    const fs::path folder = fs::path(path).parent_path() / "series";
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
        if (entry.path().extension() == ".safetensors" && entry.is_regular_file(ignored)) {
            found.push_back(entry.path().string());
        }
        if (found.size() >= 10'000) break;
    }
    std::sort(found.begin(), found.end(), naturalLess);
    return found;
}

/// SHA-256 of the first 64 KiB followed by the file's size as eight little-endian bytes.
Result<std::string> fingerprintOf(const std::string& path) {
    const auto file = InputFile::open(path);
    if (!file) return failure(file.error());
    auto bytes = file->bytes(0, std::min<std::uint64_t>(file->size(), 64 << 10));
    if (!bytes) return failure(bytes.error());
    for (int i = 0; i < 8; ++i) bytes->push_back(static_cast<std::byte>(file->size() >> (8 * i)));
    return sha256(*bytes);
}

/// Metadata may be megabytes; a card travels and is shown, so it holds the beginning.
std::map<std::string, std::string> shortened(const std::map<std::string, std::string>& texts) {
    constexpr std::size_t kEntries = 256, kLength = 16 << 10;
    std::map<std::string, std::string> out;
    for (const auto& [key, value] : texts) {
        if (out.size() == kEntries) break;
        std::size_t end = std::min(value.size(), kLength);
        while (end < value.size() && end > 0 && (static_cast<unsigned char>(value[end]) >> 6) == 2) --end;
        out[printable(key)] = end < value.size() ? value.substr(0, end) + "..." : value;
    }
    return out;
}

/// Names that a network cannot do without, to tell what a file resembles.
struct Likeness {
    const char* network;
    std::vector<const char*> names;
};
const Likeness kLikenesses[] = {
    {"a DiT",
     {"x_embedder.proj.weight", "t_embedder.mlp.0.weight", "y_embedder.embedding_table.weight",
      "blocks.0.attn.qkv.weight", "blocks.0.mlp.fc1.weight", "blocks.0.adaLN_modulation.1.weight",
      "final_layer.linear.weight"}},
    {"a ViT",
     {"patch_embed.proj.weight", "cls_token", "pos_embed", "blocks.0.norm1.weight", "blocks.0.attn.qkv.weight",
      "blocks.0.mlp.fc1.weight", "norm.weight", "head.weight"}},
    {"FLUX",
     {"img_in.weight", "txt_in.weight", "time_in.in_layer.weight", "vector_in.in_layer.weight",
      "double_blocks.0.img_attn.qkv.weight", "single_blocks.0.linear1.weight", "final_layer.linear.weight"}},
    {"SD3",
     {"x_embedder.proj.weight", "context_embedder.weight", "pos_embed", "t_embedder.mlp.0.weight",
      "joint_blocks.0.x_block.attn.qkv.weight", "final_layer.linear.weight"}},
    {"an image autoencoder", {"decoder.conv_in.weight", "decoder.conv_out.weight", "encoder.conv_in.weight"}},
    {"a CLIP text encoder",
     {"text_model.embeddings.token_embedding.weight", "text_model.encoder.layers.0.self_attn.q_proj.weight",
      "text_model.final_layer_norm.weight"}},
    {"a T5 text encoder",
     {"shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight", "encoder.final_layer_norm.weight"}},
    {"a UNet of Stable Diffusion", {"input_blocks.0.0.weight", "middle_block.0.in_layers.0.weight", "out.0.weight"}},
    {"a LoRA", {"lora_"}},
};

std::string resemblance(const TensorTable& table) {
    std::string best;
    double most = 0;
    for (const Likeness& like : kLikenesses) {
        std::size_t found = 0;
        std::string missing;
        for (const char* name : like.names) {
            const std::string_view part = name;
            const bool has =
                part.ends_with('_')
                    ? std::ranges::any_of(table.tensors(),
                                          [&](const TensorEntry& t) { return t.name.find(part) != t.name.npos; })
                    : table.find(name) != nullptr;
            found += has;
            if (!has) missing += (missing.empty() ? "" : ", ") + std::string(name);
        }
        const double share = static_cast<double>(found) / static_cast<double>(like.names.size());
        if (share <= most || share < 0.3) continue;
        most = share;
        best = "resembles " + std::string(like.network) + (missing.empty() ? "" : "; not there: " + missing);
    }
    return best;
}

/// Which network the names belong to.
Result<void> recogniseNetwork(Recognition& r) {
    const auto has = [&](std::string_view name) { return r.table.find(name) != nullptr; };
    const auto any = [&](std::string_view prefix) {
        const auto& all = r.table.tensors();
        return std::any_of(all.begin(), all.end(), [&](const auto& t) { return t.name.starts_with(prefix); });
    };
    const auto isLora = [](const TensorEntry& t) {
        return t.name.find(".lora_") != std::string::npos || t.name.find(".lora.") != std::string::npos ||
               t.name.find(".hada_w") != std::string::npos || t.name.find(".lokr_w") != std::string::npos;
    };
    const bool lora = std::ranges::any_of(r.table.tensors(), isLora);
    if (!lora && (any("single_blocks.") || any("double_blocks."))) return recogniseFlux(r);
    if (!lora && any("joint_blocks.")) return recogniseMmdit(r);
    if (any("decoder.conv_in.") || any("encoder.conv_in.")) return recogniseVae(r);
    const bool vitNames = any("patch_embed.") || has("cls_token") || (has("head.weight") && has("norm.weight"));
    if (has("patch_embed.proj.weight") || (vitNames && any("blocks.0.attn."))) return recogniseViT(r);
    if (!lora && has("transformer_blocks.0.attn1.to_q.weight"))
        return r.refused("TC-05", "transformer_blocks.0.norm1.emb.timestep_embedder.linear_1.weight",
                         "a DiT under diffusers' names lacks its time embedding");
    const bool ditNames = any("x_embedder.proj.") || any("y_embedder.") || any("t_embedder.") || any("final_layer.");
    if (!lora && any("blocks.0.attn.") && (ditNames || r.config.architecture == "dit" || !r.firstMap().name.empty())) {
        return recogniseDit(r);
    }
    Error error = r.refused("unknown-model", {}, "no known architecture",
                            std::to_string(r.table.tensors().size()) + " tensors", "dit, vit, mmdit, flux or vae")
                      .value();
    if (!r.table.tensors().empty()) error.found += ", the first is " + printable(r.table.tensors().front().name, 60);
    if (lora)
        error.advice =
            "This is a LoRA: open the model it was trained with and add it there (--lora; More in the window)";
    return failure(std::move(error));
}

/// Tensors are believed; what the configuration says otherwise is kept in words (CF-03).
void findConflicts(Recognition& r) {
    const ModelCard& card = r.card;
    if (card.architecture == "vae") return;
    const auto compare = [&](const char* what, std::optional<int> said, int found, const char* tensor = "") {
        if (!said || found == 0 || *said == found) return;
        r.card.conflicts.push_back(std::string(what) + ": the configuration says " + std::to_string(*said) +
                                   ", the tensors " + std::to_string(found) + tensor);
    };
    compare("layers", r.config.layers, card.architecture == "flux" ? card.jointLayers : card.layers);
    compare("heads", r.config.heads, card.heads);
    compare("features of a head", r.config.headDim, card.headDim);
    compare("channels", r.config.inChannels, card.inChannels,
            card.architecture == "vit"    ? " (patch_embed.proj.weight)"
            : card.architecture == "flux" ? " (img_in.weight, diffusers' x_embedder.weight)"
                                          : " (x_embedder.proj.weight, diffusers' pos_embed.proj.weight)");
    if (card.architecture != "flux")
        compare("patch", r.config.patch, card.patch,
                card.architecture == "vit" ? " (patch_embed.proj.weight)"
                                           : " (x_embedder.proj.weight, diffusers' pos_embed.proj.weight)");
    if (card.architecture == "flux") compare("single layers", r.config.singleLayers, card.layers - card.jointLayers);
    if (card.architecture == "vit" || card.architecture == "dit") compare("width", r.config.width, card.width);
    if (card.architecture == "vit") compare("classes", r.config.classes, card.classes, " (head.weight)");
    if (card.architecture == "vit" && r.config.mlpRatio && !card.variant.gated && card.mlpHidden > 0 &&
        static_cast<int>(card.width * *r.config.mlpRatio) != card.mlpHidden)
        r.card.conflicts.push_back("mlp_ratio: the configuration's makes " +
                                   std::to_string(static_cast<int>(card.width * *r.config.mlpRatio)) +
                                   " features, the tensors have " + std::to_string(card.mlpHidden));
    if (card.architecture == "vit" && r.config.layerScale && *r.config.layerScale != 0 && !card.layerScale)
        r.card.conflicts.push_back("init_values: the configuration has layer scales, the tensors have none");
    if (card.architecture == "flux" && r.config.guidanceEmbeds && *r.config.guidanceEmbeds != card.guidanceInput)
        r.card.conflicts.push_back(std::string("guidance_embeds: the configuration says ") +
                                   (*r.config.guidanceEmbeds ? "yes" : "no") + ", the tensors show otherwise");
    if (card.architecture == "mmdit" && r.config.positionSide && card.positionRows > 0)
        compare("rows of pos_embed", *r.config.positionSide * *r.config.positionSide, card.positionRows);
    for (const std::string& conflict : r.card.conflicts) r.note(conflict);
}

}  // namespace

Result<ModelCard> recognise(const TensorTable& table, const ModelRef& ref, Grid input) {
    Recognition r{table, ref, {}, {}, input};
    r.card.notes = table.notes();
    auto config = findConfig(table, ref, r.card.notes);
    if (!config) return failure(config.error());
    r.config = std::move(*config);
    for (const std::string& key : r.config.unknown) r.note("configuration: " + key + " is not known and not looked at");
    r.card.path = table.path();
    r.card.name = r.config.name.empty() ? shortName(table.path()) : printable(r.config.name);
    if (!ref.adapter.empty()) r.card.name += " + " + shortName(ref.adapter);
    r.card.format = table.format();
    r.card.naming = table.naming();
    r.card.metadata = shortened(table.metadata());
    r.card.trainingArgs = shortened(table.trainingArgs());
    for (const TensorEntry& entry : table.tensors()) {
        if (!entry.name.starts_with("selfcheck.")) r.card.parameters += entry.elements();
    }
    r.card.copies = table.copies();
    r.card.copy = table.copy();
    if (auto stored = checkStorage(table); !stored) return failure(stored.error());
    if (auto done = recogniseNetwork(r); !done) return failure(done.error());
    findConflicts(r);
    if (r.card.classes > 0 && r.config.classNames.size() == static_cast<std::size_t>(r.card.classes)) {
        r.card.classNames = r.config.classNames;
    }
    for (const std::string& name : ref.ignore.empty() ? std::vector<std::string>() : strangers(table, r.card))
        if (std::ranges::any_of(ref.ignore, [&](const std::string& p) { return matchesPattern(name, p); }))
            r.card.waived.push_back(name);
    if (!r.card.waived.empty()) {
        std::string names;
        for (std::size_t i = 0; i < r.card.waived.size() && i < 10; ++i)
            names += (i ? ", " : "") + printable(r.card.waived[i], 60);
        r.note("left out as asked: " + std::to_string(r.card.waived.size()) + " tensors, " + names);
    }
    if (!r.config.content.empty() && r.config.content != "model")
        r.note("holds only: " + printable(r.config.content, 60));
    auto hash = fingerprintOf(table.path());
    if (!hash) return failure(hash.error());
    r.card.fingerprint = std::move(*hash);
    r.card.series = findSeries(table.path());
    return std::move(r.card);
}

ModelCard outlineOf(const TensorTable& table, const ModelRef& ref) {
    ModelCard card;
    card.path = table.path();
    card.name = shortName(ref.path.empty() ? table.path() : ref.path);
    card.format = table.format();
    card.naming = table.naming();
    card.copies = table.copies();
    card.copy = table.copy();
    card.axes = 0;
    card.notes = table.notes();
    card.metadata = shortened(table.metadata());
    card.trainingArgs = shortened(table.trainingArgs());
    for (const TensorEntry& entry : table.tensors()) card.parameters += entry.elements();
    if (const std::string like = resemblance(table); !like.empty()) card.notes.push_back(like);
    if (auto hash = fingerprintOf(table.path())) card.fingerprint = std::move(*hash);
    return card;
}

Grid inputSides(const std::string& path) {
    const auto inputs = TensorTable::openPlain(path);
    const TensorEntry* x = inputs ? inputs->find("x") : nullptr;
    if (!x || x->shape.size() != 4 || x->shape[2] > 1 << 20 || x->shape[3] > 1 << 20) return {};
    return {static_cast<int>(x->shape[2]), static_cast<int>(x->shape[3])};
}

Result<ModelCard> openCard(const ModelRef& ref) {
    const auto table = TensorTable::open(ref);
    if (!table) return failure(table.error());
    return recognise(*table, ref);
}

}  // namespace ropescope
