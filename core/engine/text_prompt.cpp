// SPDX-License-Identifier: Apache-2.0
#include "core/engine/text_prompt.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <fstream>

#include "core/engine/flow_inputs.h"
#include "core/model/clip.h"
#include "core/model/t5.h"
#ifdef ROPESCOPE_HAS_TEXT
#include "core/text/tokenizer.h"
#endif

namespace ropescope {
#ifdef ROPESCOPE_HAS_TEXT
namespace {

namespace fs = std::filesystem;

std::string textOf(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// "clip: 7 of 77 tokens: <|startoftext|> a ...", with what was cut.
std::string describe(const std::string& part, const Tokens& tokens, int length) {
    std::string text = part + ": " + std::to_string(tokens.used) + " of " + std::to_string(length) + " tokens";
    if (tokens.cut > 0)
        text += ", the last " + std::to_string(tokens.cut) + " cut after \"" +
                printable(tokens.pieces[tokens.pieces.size() - 2], 40) + "\"";
    text += ":";
    for (std::size_t i = 0; i < tokens.pieces.size() && text.size() < 400; ++i)
        text += " " + printable(tokens.pieces[i], 40);
    return text;
}

/// The encoders of one folder.
class Encoders {
public:
    Encoders(std::string folder, at::ScalarType type, at::Device device, std::uint64_t memory)
        : m_folder(std::move(folder)), m_type(type), m_device(device), m_memory(memory) {}

    [[nodiscard]] bool has(int number) const {
        std::error_code ignored;
        return fs::is_directory(fs::path(m_folder) / name("text_encoder", number), ignored);
    }

    Result<ClipOutput> clip(int number, const std::string& text, std::vector<std::string>& notes) {
        const auto tokenizer = openClipTokenizer((fs::path(m_folder) / name("tokenizer", number)).string());
        if (!tokenizer) return failure(tokenizer.error());
        const auto table = open(number);
        if (!table) return failure(table.error());
        const auto shape = clipShape(*table, config(number));
        if (!shape) return failure(shape.error());
        const Tokens tokens = (*tokenizer)->encode(text, shape->positions);
        notes.push_back(describe(name("text_encoder", number), tokens, shape->positions));
        auto weights = storeUnder(m_memory, *table, m_type, m_device);
        if (!weights) return failure(weights.error());
        return clipForward(*weights, *shape, tokens.ids);
    }

    Result<at::Tensor> t5(int number, const std::string& text, int length, std::vector<std::string>& notes) {
        const auto tokenizer = openT5Tokenizer((fs::path(m_folder) / name("tokenizer", number)).string());
        if (!tokenizer) return failure(tokenizer.error());
        const auto table = open(number);
        if (!table) return failure(table.error());
        const auto shape = t5Shape(*table, config(number));
        if (!shape) return failure(shape.error());
        const Tokens tokens = (*tokenizer)->encode(text, length);
        notes.push_back(describe(name("text_encoder", number), tokens, length));
        auto weights = storeUnder(m_memory, *table, m_type, m_device);
        if (!weights) return failure(weights.error());
        return t5Forward(*weights, *shape, tokens.ids);
    }

    [[nodiscard]] tl::unexpected<Error> refused(const std::string& part, const std::string& reason,
                                                const std::string& found, const std::string& expected) const {
        return failure({ErrorKind::Refused, "text-encoder", place({m_folder, part}), reason, found, expected,
                        "Use a complete diffusers folder, or --embeddings"});
    }

private:
    static std::string name(const std::string& kind, int number) {
        return number == 1 ? kind : kind + "_" + std::to_string(number);
    }
    [[nodiscard]] std::string config(int number) const {
        return textOf(fs::path(m_folder) / name("text_encoder", number) / "config.json");
    }
    Result<TensorTable> open(int number) const {
        if (!has(number)) return refused(name("text_encoder", number), "this part of the folder is missing", "", "");
        return TensorTable::open((fs::path(m_folder) / name("text_encoder", number)).string());
    }

    std::string m_folder;
    at::ScalarType m_type;
    at::Device m_device;
    std::uint64_t m_memory = 0;
};

Result<TextEmbedding> embedFlux(Encoders& encoders, const std::string& text, const TextRecipe& recipe) {
    TextEmbedding out;
    const auto clip = encoders.clip(1, text, out.notes);
    if (!clip) return failure(clip.error());
    const auto t5 = encoders.t5(2, text, recipe.t5Tokens, out.notes);
    if (!t5) return failure(t5.error());
    out.text = *t5, out.pooled = clip->pooled;
    return out;
}

Result<TextEmbedding> embedSd3(Encoders& encoders, const std::string& text, const TextRecipe& recipe) {
    TextEmbedding out;
    const auto first = encoders.clip(1, text, out.notes);
    if (!first) return failure(first.error());
    const auto second = encoders.clip(2, text, out.notes);
    if (!second) return failure(second.error());
    at::Tensor states = at::cat({first->hidden, second->hidden}, 2);
    if (states.size(2) > recipe.width)
        return encoders.refused("text_encoder", "both CLIPs together are wider than the transformer's text",
                                std::to_string(states.size(2)), "at most " + std::to_string(recipe.width));
    states = at::constant_pad_nd(states, {0, recipe.width - states.size(2)});
    at::Tensor last = at::zeros({1, recipe.t5Tokens, recipe.width}, states.options());
    if (encoders.has(3)) {
        const auto t5 = encoders.t5(3, text, recipe.t5Tokens, out.notes);
        if (!t5) return failure(t5.error());
        last = *t5;
        if (last.size(2) != recipe.width)
            return encoders.refused("text_encoder_3", "another width than the transformer's text",
                                    std::to_string(last.size(2)), std::to_string(recipe.width));
    } else {
        out.notes.push_back("text_encoder_3: not there, zeros in its place");
    }
    out.text = at::cat({states, last}, 1);
    out.pooled = at::cat({first->pooled, second->pooled}, 1);
    return out;
}

}  // namespace

Result<TextEmbedding> embedText(const std::string& folder, const std::string& text, const TextRecipe& recipe,
                                at::ScalarType type, at::Device device, std::uint64_t memory) {
    Encoders encoders(folder, type, device, memory);
    auto out = recipe.flux ? embedFlux(encoders, text, recipe) : embedSd3(encoders, text, recipe);
    if (!out) return out;
    if (out->text.size(2) != recipe.width)
        return encoders.refused(recipe.flux ? "text_encoder_2" : "text_encoder",
                                "another width than the transformer's text", std::to_string(out->text.size(2)),
                                std::to_string(recipe.width));
    if (out->pooled.size(1) != recipe.pooled)
        return encoders.refused("text_encoder", "another width than the transformer's pooled text",
                                std::to_string(out->pooled.size(1)), std::to_string(recipe.pooled));
    return out;
}
#else
Result<TextEmbedding> embedText(const std::string& folder, const std::string&, const TextRecipe&, at::ScalarType,
                                at::Device, std::uint64_t) {
    return failure({ErrorKind::Device, "no-text", place({folder}), "this build has no tokenizers", "",
                    "ICU and sentencepiece when it is built", "Give --embeddings"});
}
#endif

}  // namespace ropescope
