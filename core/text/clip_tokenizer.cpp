// SPDX-License-Identifier: Apache-2.0
#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <queue>
#include <tuple>
#include <unordered_map>

#include "core/text/tokenizer.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMaxFile = 16 << 20;
constexpr std::size_t kMaxText = 1 << 16;  ///< bytes looked at: thousands of times what an encoder takes
constexpr const char* kBegin = "<|startoftext|>";
constexpr const char* kEnd = "<|endoftext|>";
constexpr const char* kWordEnd = "</w>";

tl::unexpected<Error> refused(const std::string& path, std::string reason, std::string found = {}) {
    return failure({ErrorKind::Refused, "CF-05", place({path}), std::move(reason), std::move(found),
                    "a CLIP tokenizer: vocab.json and merges.txt", "Use the tokenizer folder of the model"});
}

Result<std::string> readAll(const fs::path& path) {
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) return refused(path.string(), "the file is missing");
    if (fs::file_size(path, ignored) > kMaxFile) return refused(path.string(), "the file is too long");
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
}

/// GPT-2's printable letter of every byte, UTF-8.
std::array<std::string, 256> byteLetters() {
    std::array<std::string, 256> letters;
    int next = 256;
    for (int b = 0; b < 256; ++b) {
        const bool itself = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        icu::UnicodeString(static_cast<UChar32>(itself ? b : next++)).toUTF8String(letters[b]);
    }
    return letters;
}

bool isSpace(UChar32 c) {
    return u_isUWhiteSpace(c);
}
bool isLetter(UChar32 c) {
    return (U_GET_GC_MASK(c) & U_GC_L_MASK) != 0;
}
bool isNumber(UChar32 c) {
    return (U_GET_GC_MASK(c) & U_GC_N_MASK) != 0;
}

/// NFC, white space as one space, lower case.
icu::UnicodeString cleaned(const std::string& text) {
    UErrorCode code = U_ZERO_ERROR;
    const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(code);
    const icu::UnicodeString raw = icu::UnicodeString::fromUTF8(text.substr(0, kMaxText));
    icu::UnicodeString composed = U_SUCCESS(code) ? nfc->normalize(raw, code) : raw;
    icu::UnicodeString out;
    bool space = true;  // none at the beginning
    for (int32_t i = 0; i < composed.length(); i = composed.moveIndex32(i, 1)) {
        const UChar32 c = composed.char32At(i);
        if (isSpace(c)) {
            if (!space) out.append(static_cast<UChar32>(' '));
            space = true;
            continue;
        }
        out.append(c);
        space = false;
    }
    out.trim();
    return out.toLower(icu::Locale::getRoot());
}

/// Length of the piece that begins at `i`, in UTF-16 units: a special token, an English ending, a run of letters, one
/// number, a run of anything else. `padding` is special too, as transformers has it, where it is not empty.
int32_t pieceAt(const icu::UnicodeString& text, int32_t i, const icu::UnicodeString& padding) {
    const auto isPadding = [&](int32_t at) {
        return !padding.isEmpty() && text.compare(at, padding.length(), padding) == 0;
    };
    if (isPadding(i)) return padding.length();
    for (const char* fixed : {kBegin, kEnd, "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
        const icu::UnicodeString word = icu::UnicodeString::fromUTF8(fixed);
        if (text.compare(i, word.length(), word) == 0) return word.length();
    }
    const UChar32 first = text.char32At(i);
    if (isNumber(first)) return text.moveIndex32(i, 1) - i;
    int32_t end = text.moveIndex32(i, 1);
    while (end < text.length()) {
        const UChar32 c = text.char32At(end);
        const bool goes = isLetter(first) ? isLetter(c) : !isSpace(c) && !isLetter(c) && !isNumber(c);
        if (!goes || isPadding(end)) break;
        end = text.moveIndex32(end, 1);
    }
    return end - i;
}

/// The padding's symbol; empty where nothing is said.
std::string paddingOf(const fs::path& folder) {
    for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
        const auto text = readAll(folder / name);
        const nlohmann::json json = text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
        if (!json.is_object() || !json.contains("pad_token")) continue;
        const nlohmann::json& token = json["pad_token"];
        if (token.is_string()) return token.get<std::string>();
        if (token.is_object() && token.contains("content") && token["content"].is_string())
            return token["content"].get<std::string>();
    }
    return {};
}

class ClipTokenizer : public Tokenizer {
public:
    ClipTokenizer(std::unordered_map<std::string, int> vocabulary,
                  std::map<std::pair<std::string, std::string>, int> ranks, const std::string& padding)
        : m_vocabulary(std::move(vocabulary)), m_ranks(std::move(ranks)), m_letters(byteLetters()) {
        m_end = m_vocabulary.at(kEnd);
        const auto found = m_vocabulary.find(padding);
        m_padding = found != m_vocabulary.end() ? found->second : m_end;
        if (m_padding != m_end) m_special = icu::UnicodeString::fromUTF8(padding);
    }

    Tokens encode(const std::string& text, int length) const override {
        Tokens tokens;
        const auto add = [&](const std::string& symbol) {
            const auto found = m_vocabulary.find(symbol);
            tokens.ids.push_back(found != m_vocabulary.end() ? found->second : m_end);
            tokens.pieces.push_back(symbol);
        };
        add(kBegin);
        const icu::UnicodeString clean = cleaned(text);
        for (int32_t i = 0; i < clean.length();) {
            if (isSpace(clean.char32At(i))) {
                i = clean.moveIndex32(i, 1);
                continue;
            }
            const int32_t size = pieceAt(clean, i, m_special);
            std::string piece;
            clean.tempSubString(i, size).toUTF8String(piece);
            i += size;
            if (piece == kBegin || piece == kEnd ||
                (!m_special.isEmpty() && icu::UnicodeString::fromUTF8(piece) == m_special)) {
                add(piece);
                continue;
            }
            for (const std::string& symbol : merged(piece)) add(symbol);
        }
        const int room = length - 1;
        tokens.cut = std::max(0, static_cast<int>(tokens.ids.size()) - room);
        if (tokens.cut > 0) tokens.ids.resize(room), tokens.pieces.resize(room);
        add(kEnd);
        tokens.used = static_cast<int>(tokens.ids.size());
        tokens.ids.resize(length, m_padding);
        return tokens;
    }

private:
    /// Joins the neighbours of the lowest rank, the first of equals, until no pair is known.
    [[nodiscard]] std::vector<std::string> merged(const std::string& piece) const {
        const auto count = static_cast<int>(piece.size());
        struct Symbol {
            std::string text;
            int before, behind;  // neighbours; -1, count: none
        };
        std::vector<Symbol> symbols;
        for (int i = 0; i < count; ++i)
            symbols.push_back({m_letters[static_cast<unsigned char>(piece[i])], i - 1, i + 1});
        symbols.back().text += kWordEnd;
        // Rank and place of a pair, with the text it was made of: it counts as long as that is still there.
        using Pair = std::tuple<int, int, std::size_t>;
        std::priority_queue<Pair, std::vector<Pair>, std::greater<>> pairs;
        const auto consider = [&](int left) {
            if (left < 0 || symbols[left].behind >= count) return;
            const Symbol& right = symbols[symbols[left].behind];
            if (const auto rank = m_ranks.find({symbols[left].text, right.text}); rank != m_ranks.end())
                pairs.emplace(rank->second, left, symbols[left].text.size() + right.text.size());
        };
        for (int i = 0; i + 1 < count; ++i) consider(i);
        while (!pairs.empty()) {
            const auto [rank, left, size] = pairs.top();
            pairs.pop();
            const int right = symbols[left].behind;
            if (symbols[left].text.empty() || right >= count ||
                symbols[left].text.size() + symbols[right].text.size() != size)
                continue;  // one of them has been joined with another meanwhile
            symbols[left].text += symbols[right].text;
            symbols[right].text.clear();
            symbols[left].behind = symbols[right].behind;
            if (symbols[left].behind < count) symbols[symbols[left].behind].before = left;
            consider(symbols[left].before);
            consider(left);
        }
        std::vector<std::string> joined;
        for (int i = 0; i < count; i = symbols[i].behind) joined.push_back(std::move(symbols[i].text));
        return joined;
    }

    std::unordered_map<std::string, int> m_vocabulary;
    std::map<std::pair<std::string, std::string>, int> m_ranks;
    std::array<std::string, 256> m_letters;
    int m_end = 0, m_padding = 0;
    icu::UnicodeString m_special;  ///< the padding where it is a token of its own
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> openClipTokenizer(const std::string& folder, const std::string& padding) {
    const fs::path words = fs::path(folder) / "vocab.json", merges = fs::path(folder) / "merges.txt";
    const auto text = readAll(words), lines = readAll(merges);
    if (!text) return failure(text.error());
    if (!lines) return failure(lines.error());
    const nlohmann::json json = nlohmann::json::parse(*text, nullptr, false);
    if (!json.is_object()) return refused(words.string(), "not a JSON object");
    std::unordered_map<std::string, int> vocabulary;
    for (const auto& [symbol, id] : json.items()) {
        if (!id.is_number_integer() || id < 0 || id > 1'000'000)
            return refused(words.string(), "a token has no usable number");
        vocabulary.emplace(symbol, id.get<int>());
    }
    if (!vocabulary.contains(kBegin) || !vocabulary.contains(kEnd))
        return refused(words.string(), "begin and end of a text are no tokens",
                       std::to_string(vocabulary.size()) + " tokens");
    std::map<std::pair<std::string, std::string>, int> ranks;
    std::size_t at = 0;
    while (at < lines->size()) {
        const std::size_t end = std::min(lines->find('\n', at), lines->size());
        std::string line = lines->substr(at, end - at);
        at = end + 1;
        if (!line.empty() && line.back() == '\r') line.pop_back();
        if (line.empty() || line.starts_with("#version")) continue;
        const std::size_t gap = line.find(' ');
        if (gap == std::string::npos || line.find(' ', gap + 1) != std::string::npos)
            return refused(merges.string(), "a line is no pair of symbols", printable(line, 40));
        ranks.emplace(std::pair(line.substr(0, gap), line.substr(gap + 1)), static_cast<int>(ranks.size()));
    }
    return std::make_unique<ClipTokenizer>(std::move(vocabulary), std::move(ranks),
                                           padding.empty() ? paddingOf(folder) : padding);
}

}  // namespace ropescope
