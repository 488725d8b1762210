// SPDX-License-Identifier: Apache-2.0
#include <sentencepiece_processor.h>

#include <algorithm>
#include <filesystem>

#include "core/text/tokenizer.h"

namespace ropescope {
namespace {

constexpr std::uintmax_t kMaxFile = 16 << 20;
constexpr std::size_t kMaxText = 1 << 16;  ///< bytes looked at: thousands of times what an encoder takes

class T5Tokenizer : public Tokenizer {
public:
    explicit T5Tokenizer(std::unique_ptr<sentencepiece::SentencePieceProcessor> model) : m_model(std::move(model)) {}

    Tokens encode(const std::string& text, int length) const override {
        Tokens tokens;
        std::string clean = text.substr(0, kMaxText);
        std::replace_if(
            clean.begin(), clean.end(), [](unsigned char c) { return c < 32 || c == 127; }, ' ');
        if (!m_model->Encode(clean, &tokens.ids).ok()) tokens.ids.clear();
        tokens.cut = std::max(0, static_cast<int>(tokens.ids.size()) + 1 - length);
        if (tokens.cut > 0) tokens.ids.resize(length - 1);
        tokens.ids.push_back(std::max(0, m_model->eos_id()));
        for (const int id : tokens.ids) tokens.pieces.push_back(m_model->IdToPiece(id));
        tokens.used = static_cast<int>(tokens.ids.size());
        tokens.ids.resize(length, std::max(0, m_model->pad_id()));
        return tokens;
    }

private:
    std::unique_ptr<sentencepiece::SentencePieceProcessor> m_model;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> openT5Tokenizer(const std::string& folder) {
    const std::filesystem::path path = std::filesystem::path(folder) / "spiece.model";
    const auto refused = [&](const std::string& reason) {
        return failure({ErrorKind::Refused, "CF-05", place({path.string()}), reason, "", "a T5 tokenizer: spiece.model",
                        "Use the tokenizer folder of the model"});
    };
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) return refused("the file is missing");
    if (std::filesystem::file_size(path, ignored) > kMaxFile) return refused("the file is too long");
    auto model = std::make_unique<sentencepiece::SentencePieceProcessor>();
    if (const auto loaded = model->Load(path.string()); !loaded.ok())
        return refused("sentencepiece does not read it: " + printable(loaded.ToString(), 120));
    return std::make_unique<T5Tokenizer>(std::move(model));
}

}  // namespace ropescope
