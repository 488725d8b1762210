// SPDX-License-Identifier: Apache-2.0
#include "core/engine/network/text_prompt.h"

#include <ATen/ATen.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>

#include "core/checkpoint/model_folder.h"
#include "core/engine/machine/kept.h"
#include "core/engine/network/flow_inputs.h"
#include "core/engine/network/request_checks.h"
#include "core/model/clip.h"
#include "core/model/t5.h"
#ifdef ROPESCOPE_HAS_TEXT
#include "core/text/tokenizer.h"
#endif

namespace ropescope {

std::string describeTokens(const EncodedText& part) {
    std::string text =
        part.encoder + ": " + std::to_string(part.used) + " of " + std::to_string(part.length) + " tokens";
    if (part.length == 0) return part.encoder + ": not there, zeros in its place";
    if (part.cut > 0 && part.pieces.size() > 1)
        text += ", the last " + std::to_string(part.cut) + " cut after \"" +
                printable(part.pieces[part.pieces.size() - 2], 40) + "\"";
    text += ":";
    for (std::size_t i = 0; i < part.pieces.size() && text.size() < 400; ++i)
        text += " " + printable(part.pieces[i], 40);
    return text;
}

TextRecipe textRecipeOf(const TensorTable& table, const ModelCard& card) {
    const bool flux = card.architecture == "flux";
    return {flux, inputsOf(table, flux ? "txt_in.weight" : "context_embedder.weight"),
            inputsOf(table, flux ? "vector_in.in_layer.weight" : "y_embedder.mlp.0.weight"),
            card.guidanceInput ? 512 : 256};
}

#ifdef ROPESCOPE_HAS_TEXT
namespace {

namespace fs = std::filesystem;

std::string textOf(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string numbered(const std::string& kind, int number) {
    return number == 1 ? kind : kind + "_" + std::to_string(number);
}

/// The encoders' short names, as files and parts of files bear them.
const char* kindOf(bool flux, int number) {
    return number == 1 ? "clip_l" : number == 2 && !flux ? "clip_g" : "t5xxl";
}

/// Where the encoders of a model are: in the parts of a diffusers folder ("text_encoder_2"), as files of a folder
/// ("clip_l.safetensors"), or inside the model's own file ("text_encoders.clip_l.transformer."). Tokenizers are in the
/// folder: "tokenizer_2", or vocab.json, merges.txt and spiece.model themselves.
class Encoders {
public:
    Encoders(const std::string& encoders, std::string model, bool flux)
        : m_folder(encoders.empty() ? model : encoders), m_model(std::move(model)), m_flux(flux) {}

    /// Whether there is anything; a broken one is not a missing one.
    [[nodiscard]] bool has(int number) const {
        const auto table = open(number);
        return table || table.error().code != kMissing;
    }

    /// A text as one encoder's tokens. `first` as in EncodedText.
    struct Encoded {
        std::vector<int> ids;
        EncodedText text;
        std::int64_t width = 0, pooled = 0;  ///< of what the encoder will give; T5 pools nothing
    };
    Result<Encoded> clipTokens(int number, const std::string& text, int first) const {
        const auto own = shaped(number, clipShape);
        if (!own) return failure(own.error());
        auto out = encoded(openClip(number), number, text, own->shape.positions, first);
        if (!out) return out;
        const TensorEntry* projection = own->table.find("text_projection.weight");
        out->width = own->shape.width;
        out->pooled = !m_flux && projection && !projection->shape.empty() ? projection->shape[0] : own->shape.width;
        return out;
    }
    Result<Encoded> t5Tokens(int number, const std::string& text, int length, int first) const {
        const auto own = shaped(number, t5Shape);
        if (!own) return failure(own.error());
        const fs::path folder = fs::path(m_folder) / numbered("tokenizer", number);
        auto out = encoded(openT5Tokenizer((isFolder(folder) ? folder : fs::path(m_folder)).string()), number, text,
                           length, first);
        if (out) out->width = own->shape.width;
        return out;
    }

    Result<ClipOutput> clip(int number, const std::vector<int>& ids, const EncoderRun& run) const {
        if (run.begun) run.begun(nameOf(number));
        const auto own = shaped(number, clipShape);
        if (!own) return failure(own.error());
        auto weights = storeUnder(limitOf(own->table, run), own->table, run.type, run.device);
        if (!weights) return failure(weights.error());
        ClipOutput out = clipForward(*weights, own->shape, ids, run.goOn);
        if (!out.pooled.defined()) return failure(cancelled());
        return out;
    }
    Result<at::Tensor> t5(int number, const std::vector<int>& ids, const EncoderRun& run) const {
        if (run.begun) run.begun(nameOf(number));
        const auto own = shaped(number, t5Shape);
        if (!own) return failure(own.error());
        auto weights = storeUnder(limitOf(own->table, run), own->table, run.type, run.device);
        if (!weights) return failure(weights.error());
        const at::Tensor out = t5Forward(*weights, own->shape, ids, run.goOn);
        if (!out.defined()) return failure(cancelled());
        return out;
    }

    [[nodiscard]] tl::unexpected<Error> refused(const std::string& part, const std::string& reason,
                                                const std::string& found, const std::string& expected) const {
        return failure({ErrorKind::Refused, kMissing, place({m_folder, part}), reason, found, expected,
                        "Give a folder with text encoders and tokenizers (--encoders), or --embeddings"});
    }

    /// What changes when a part is replaced.
    [[nodiscard]] std::string stamp() const {
        return m_folder + " " + m_model + stampText(stampOf(m_folder)) +
               stampText(stampOf(m_folder == m_model ? std::string() : m_model));
    }

private:
    static std::uint64_t limitOf(const TensorTable& table, const EncoderRun& run) {
        std::uint64_t numbers = 0;
        for (const TensorEntry& entry : table.tensors()) numbers += static_cast<std::uint64_t>(entry.elements());
        return run.room ? run.room(numbers * c10::elementSize(run.type)) : run.memory;
    }
    static constexpr const char* kMissing = "text-encoder";  ///< of refused()

    [[nodiscard]] static bool isFolder(const fs::path& path) {
        std::error_code ignored;
        return fs::is_directory(path, ignored);
    }
    [[nodiscard]] fs::path part(int number) const { return fs::path(m_folder) / numbered("text_encoder", number); }

    /// "t5xxl_fp16.safetensors" in the folder: of several the first by name, those in 8 bits last; empty where there is
    /// none.
    [[nodiscard]] fs::path fileOf(int number) const {
        std::set<std::pair<bool, std::string>> names;
        std::error_code ended;
        for (fs::directory_iterator at(m_folder, ended), end; !ended && at != end; at.increment(ended)) {
            const std::string name = at->path().filename().string();
            if (name.starts_with(kindOf(m_flux, number)) && name.ends_with(".safetensors"))
                names.emplace(name.find("fp8") != std::string::npos, name);
        }
        return names.empty() ? fs::path() : fs::path(m_folder) / names.begin()->second;
    }
    /// What the encoder is called: its folder, or its file.
    [[nodiscard]] std::string nameOf(int number) const {
        const fs::path file = isFolder(part(number)) ? fs::path() : fileOf(number);
        return file.empty() ? numbered("text_encoder", number) : file.stem().string();
    }
    [[nodiscard]] std::string config(int number) const {
        return textOf(isFolder(part(number)) ? part(number) / "config.json"
                                             : fs::path(m_folder) / (std::string(kindOf(m_flux, number)) + ".json"));
    }
    /// SD3 fills the second CLIP's texts with "!".
    [[nodiscard]] Result<std::unique_ptr<Tokenizer>> openClip(int number) const {
        const fs::path own = fs::path(m_folder) / numbered("tokenizer", number);
        if (isFolder(own)) return openClipTokenizer(own.string());
        const fs::path first = fs::path(m_folder) / "tokenizer";
        return openClipTokenizer((isFolder(first) ? first : fs::path(m_folder)).string(), number == 2 ? "!" : "");
    }
    template <class Shape>
    struct Shaped {
        TensorTable table;
        Shape shape;
    };
    /// The opened weights of an encoder with the sizes that `read` finds in them.
    template <class Shape>
    [[nodiscard]] Result<Shaped<Shape>> shaped(int number,
                                               Result<Shape> (*read)(const TensorTable&, const std::string&)) const {
        auto table = open(number);
        if (!table) return failure(table.error());
        const auto shape = read(*table, config(number));
        if (!shape) return failure(shape.error());
        return Shaped<Shape>{std::move(*table), *shape};
    }
    [[nodiscard]] Result<TensorTable> open(int number) const {
        const std::string name = numbered("text_encoder", number);
        if (isFolder(part(number))) return TensorTable::open(part(number).string());
        if (const fs::path file = fileOf(number); !file.empty()) return TensorTable::open(file.string());
        if (m_model.ends_with(".safetensors")) {
            const std::string prefix = "text_encoders." + std::string(kindOf(m_flux, number)) + ".transformer.";
            auto inside = TensorTable::openPart(m_model, {prefix});
            if (inside || inside.error().code != "TC-05") return inside;
        }
        if (const std::string why = isFolder(m_folder) ? closedBecause(m_folder) : std::string(); !why.empty())
            return refused(name, "the folder cannot be read", why, "");
        return refused(name, "this part is missing", "",
                       name + ", " + kindOf(m_flux, number) + "*.safetensors, or that part of the model's own file");
    }
    [[nodiscard]] Result<Encoded> encoded(Result<std::unique_ptr<Tokenizer>> tokenizer, int number,
                                          const std::string& text, int length, int first) const {
        if (!tokenizer) return failure(tokenizer.error());
        Tokens tokens = (*tokenizer)->encode(text, length);
        return Encoded{std::move(tokens.ids),
                       {nameOf(number), first, length, tokens.used, tokens.cut, std::move(tokens.pieces)},
                       0,
                       0};
    }

    std::string m_folder, m_model;
    bool m_flux;
};

/// What the encoders will give fits the transformer; known from the shapes of their weights.
Result<void> checkWidths(const Encoders& encoders, const std::vector<Encoders::Encoded>& parts,
                         const TextRecipe& recipe) {
    const auto fits = [&](const Encoders::Encoded& part, std::int64_t width) -> Result<void> {
        if (width == recipe.width) return {};
        return encoders.refused(part.text.encoder, "another width than the transformer's text", std::to_string(width),
                                std::to_string(recipe.width));
    };
    std::int64_t states = 0, pooled = 0;
    for (const Encoders::Encoded& part : parts) {
        pooled += part.pooled;
        if (part.pooled > 0) states += part.width;
        if (part.pooled == 0 && part.text.length > 0)
            if (auto done = fits(part, part.width); !done) return done;
    }
    if (!recipe.flux && states > recipe.width)
        return encoders.refused("text_encoder", "both CLIPs together are wider than the transformer's text",
                                std::to_string(states), "at most " + std::to_string(recipe.width));
    if (pooled != recipe.pooled)
        return encoders.refused("text_encoder", "another width than the transformer's pooled text",
                                std::to_string(pooled), std::to_string(recipe.pooled));
    return {};
}

/// Tokens of every encoder, in the order of their numbers; the third of an SD3 may be missing. Refuses encoders that do
/// not fit the transformer.
Result<std::vector<Encoders::Encoded>> tokensFor(const Encoders& encoders, const std::string& text,
                                                 const TextRecipe& recipe) {
    std::vector<Encoders::Encoded> out;
    const auto add = [&](Result<Encoders::Encoded> one) -> Result<void> {
        if (!one) return failure(one.error());
        out.push_back(std::move(*one));
        return {};
    };
    if (auto done = add(encoders.clipTokens(1, text, recipe.flux ? -1 : 0)); !done) return failure(done.error());
    if (recipe.flux) {
        if (auto done = add(encoders.t5Tokens(2, text, recipe.t5Tokens, 0)); !done) return failure(done.error());
        if (auto fit = checkWidths(encoders, out, recipe); !fit) return failure(fit.error());
        return out;
    }
    const int first = out[0].text.length;
    if (auto done = add(encoders.clipTokens(2, text, 0)); !done) return failure(done.error());
    if (!encoders.has(3))
        out.push_back({{}, {"text_encoder_3", first, 0, 0, 0, {}}, 0, 0});
    else if (auto done = add(encoders.t5Tokens(3, text, recipe.t5Tokens, first)); !done)
        return failure(done.error());
    if (auto fit = checkWidths(encoders, out, recipe); !fit) return failure(fit.error());
    return out;
}

Result<TextEmbedding> embedFlux(const Encoders& encoders, const std::vector<Encoders::Encoded>& tokens,
                                const EncoderRun& run) {
    const auto clip = encoders.clip(1, tokens[0].ids, run);
    if (!clip) return failure(clip.error());
    const auto t5 = encoders.t5(2, tokens[1].ids, run);
    if (!t5) return failure(t5.error());
    return TextEmbedding{*t5, clip->unprojected, {}};
}

Result<TextEmbedding> embedSd3(const Encoders& encoders, const std::vector<Encoders::Encoded>& tokens,
                               const TextRecipe& recipe, const EncoderRun& run) {
    const auto first = encoders.clip(1, tokens[0].ids, run);
    if (!first) return failure(first.error());
    const auto second = encoders.clip(2, tokens[1].ids, run);
    if (!second) return failure(second.error());
    for (const auto* clip : {&*first, &*second})
        if (clip->pooled.is_same(clip->unprojected))
            return encoders.refused(clip == &*first ? "text_encoder" : "text_encoder_2", "a tensor is missing",
                                    "no text_projection.weight", "SD3's encoders project what they pool");
    at::Tensor states = at::cat({first->hidden, second->hidden}, 2);
    states = at::constant_pad_nd(states, {0, recipe.width - states.size(2)});
    at::Tensor last = at::zeros({1, recipe.t5Tokens, recipe.width}, states.options());
    if (!tokens[2].ids.empty()) {
        const auto t5 = encoders.t5(3, tokens[2].ids, run);
        if (!t5) return failure(t5.error());
        last = *t5;
    }
    return TextEmbedding{at::cat({states, last}, 1), at::cat({first->pooled, second->pooled}, 1), {}};
}

/// The last texts, newest first.
struct KeptTexts {
    struct Entry {
        std::string key;
        TextEmbedding embedding;
    };
    static constexpr std::size_t kMost = 8;
    std::mutex mutex;
    std::deque<Entry> entries;
};

KeptTexts& kept() {
    static KeptTexts texts;
    return texts;
}

std::string keyOf(const Encoders& encoders, const std::string& text, const TextRecipe& recipe, const EncoderRun& run) {
    std::string key = text + '\0' + encoders.stamp() + run.device.str() + c10::toString(run.type);
    for (const std::int64_t number :
         {std::int64_t{recipe.flux}, recipe.width, recipe.pooled, std::int64_t{recipe.t5Tokens}})
        key += " " + std::to_string(number);
    return key;
}

}  // namespace

Result<TextEmbedding> embedText(const std::string& folder, const std::string& model, const std::string& text,
                                const TextRecipe& recipe, const EncoderRun& run) {
    const Encoders encoders(folder, model, recipe.flux);
    const std::string key = keyOf(encoders, text, recipe, run);
    KeptTexts& texts = kept();
    const std::lock_guard lock(texts.mutex);
    for (const KeptTexts::Entry& entry : texts.entries)
        if (entry.key == key) return entry.embedding;
    auto tokens = tokensFor(encoders, text, recipe);
    if (!tokens) return failure(tokens.error());
    auto out = recipe.flux ? embedFlux(encoders, *tokens, run) : embedSd3(encoders, *tokens, recipe, run);
    if (!out) return out;
    for (Encoders::Encoded& part : *tokens) out->tokens.parts.push_back(std::move(part.text));
    texts.entries.push_front({key, *out});
    if (texts.entries.size() > KeptTexts::kMost) texts.entries.pop_back();
    return out;
}

Result<TokensReport> tokensOf(const TokensRequest& request) {
    const auto table = TensorTable::open(request.model);
    if (!table) return failure(table.error());
    const auto card = recognise(*table, request.model);
    if (!card) return failure(card.error());
    const TextRecipe recipe = textRecipeOf(*table, *card);
    auto tokens = tokensFor(Encoders(request.encoders, request.model.path, recipe.flux), request.prompt, recipe);
    if (!tokens) return failure(tokens.error());
    TokensReport report;
    for (Encoders::Encoded& part : *tokens) report.parts.push_back(std::move(part.text));
    return report;
}
#else
namespace {
tl::unexpected<Error> noTokenizers(const std::string& folder) {
    return failure({ErrorKind::Device, "no-text", place({folder}), "this build has no tokenizers", "",
                    "ICU and sentencepiece when it is built", "Give --embeddings"});
}
}  // namespace

Result<TextEmbedding> embedText(const std::string&, const std::string& model, const std::string&, const TextRecipe&,
                                const EncoderRun&) {
    return noTokenizers(model);
}
Result<TokensReport> tokensOf(const TokensRequest& request) {
    return noTokenizers(request.model.path);
}
#endif

}  // namespace ropescope
