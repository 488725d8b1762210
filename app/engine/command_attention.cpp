// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/engine/commands.h"
#include "app/engine/interrupt.h"
#include "app/engine/libraries.h"
#include "app/engine/model_options.h"
#include "app/engine/outputs.h"
#include "app/engine/run_options.h"
#include "core/checkpoint/tensor_table.h"
#include "core/data/safetensors.h"

namespace ropescope {
namespace {

struct Options {
    RunOptions run;
    int step = 1;
    std::string image, head = "L0.H0", out;
    std::vector<std::string> patches, words;
};

bool readNumber(std::string_view digits, int& value) {
    const char* end = digits.data() + digits.size();
    const auto parsed = std::from_chars(digits.data(), end, value);
    return parsed.ec == std::errc() && parsed.ptr == end;
}

/// Two whole numbers, not below 0, around `between`, after `before`: "L3.H2" or "4:7".
bool readPair(std::string_view text, std::string_view before, std::string_view between, int& first, int& second) {
    if (!text.starts_with(before)) return false;
    text.remove_prefix(before.size());
    const auto cut = text.find(between);
    return cut != std::string_view::npos && readNumber(text.substr(0, cut), first) &&
           readNumber(text.substr(cut + between.size()), second) && first >= 0 && second >= 0;
}

Error usage(const std::string& option, const std::string& found, const std::string& expected) {
    return {ErrorKind::Usage, "bad-option", option, "cannot be read", printable(found, 40), expected, ""};
}

/// A token's text without the marks of the two tokenizers for the edge of a word.
std::string plain(std::string piece) {
    constexpr std::string_view kEnd = "</w>", kBegin = "\u2581";
    if (piece.ends_with(kEnd)) piece.resize(piece.size() - kEnd.size());
    if (piece.starts_with(kBegin)) piece.erase(0, kBegin.size());
    return piece;
}

/// CLIP reads lower case alone, T5 both: words are compared without it.
std::string lowered(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

/// Numbers among the text tokens, and words: every token with that text.
Result<std::vector<int>> wordsOf(const Options& o, const GenerateRequest& run, CoreApi& core) {
    std::vector<int> numbers;
    std::vector<std::string> texts;
    for (const std::string& word : o.words) {
        int number = 0;
        readNumber(word, number) ? numbers.push_back(number) : texts.push_back(word);
    }
    if (texts.empty()) return numbers;
    const auto card = openCard(run.model);
    if (!card) return failure(card.error());
    if (!card->takesText())
        return failure({ErrorKind::Usage, "bad-option", "--words", "this model reads no text", card->architecture,
                        "flux or mmdit", o.image.empty() ? "Give --patches" : "Give numbers of the prefix tokens"});
    const auto reply = core.run(TokensRequest{run.model, run.text.encoders, run.text.prompt}, {});
    if (!reply) return failure(reply.error());
    for (const std::string& text : texts) {
        const std::size_t before = numbers.size();
        std::string tokens;
        for (const EncodedText& part : std::get<TokensReport>(*reply).parts)
            for (std::size_t i = 0; part.first >= 0 && i < part.pieces.size(); ++i) {
                tokens += " " + plain(part.pieces[i]);
                std::string joined;  // a word may be several tokens
                for (std::size_t end = i; end < part.pieces.size() && joined.size() < text.size(); ++end) {
                    joined += lowered(plain(part.pieces[end]));
                    if (joined != lowered(text)) continue;
                    for (std::size_t k = i; k <= end; ++k) numbers.push_back(part.first + static_cast<int>(k));
                }
            }
        if (numbers.size() == before)
            return failure({ErrorKind::Usage, "bad-option", "--words", "the prompt does not hold this word",
                            printable(text, 40), "words or parts of:" + printable(tokens, 200), "Or give numbers"});
    }
    return numbers;
}

/// Completes the request. Patches become numbers when the grid is known, which the size of the picture says.
Result<AttentionRequest> requestOf(const Options& o, CoreApi& core) {
    AttentionRequest request;
    request.step = o.step - 1, request.image = o.image;
    auto run = o.run.request();
    if (!run) return failure(run.error());
    request.run = std::move(*run);
    if (!readPair(o.head, "L", ".H", request.head.layer, request.head.head))
        return failure(usage("--head", o.head, "a head, e.g. L3.H2"));
    auto words = wordsOf(o, request.run, core);
    if (!words) return failure(words.error());
    request.words = std::move(*words);
    if (o.patches.empty()) return request;
    // One question without patches tells the grid; it is kept for the next.
    AttentionRequest first = request;
    first.words.clear();
    const auto reply = core.run(first, {});
    if (!reply) return failure(reply.error());
    const Grid grid = std::get<AttentionReport>(*reply).grid;
    for (const std::string& patch : o.patches) {
        int row = 0, col = 0;
        if (!readPair(patch, "", ":", row, col)) return failure(usage("--patches", patch, "row:column"));
        if (row >= grid.rows || col >= grid.cols)
            return failure({ErrorKind::Usage, "bad-option", "--patches", "no such patch", patch,
                            "rows below " + std::to_string(grid.rows) + ", columns below " + std::to_string(grid.cols),
                            ""});
        request.patches.push_back(row * grid.cols + col);
    }
    return request;
}

std::vector<std::string> tokenTexts(const AttentionReport& report) {
    std::vector<std::string> texts(report.looks.text.size());
    for (const EncodedText& part : report.tokens.parts)
        for (std::size_t i = 0; part.first >= 0 && i < part.pieces.size(); ++i)
            if (part.first + i < texts.size()) texts[part.first + i] = part.pieces[i];
    return texts;
}

/// What the tokens before the picture's are.
std::string leadOf(const AttentionRequest& request) {
    return request.image.empty() ? "text" : "prefix";
}

nlohmann::ordered_json asJson(const AttentionRequest& request, const AttentionReport& r) {
    const std::string lead = leadOf(request);
    nlohmann::ordered_json json = {{"head", request.head.name()}};
    if (request.image.empty())
        json["step"] = request.step + 1, json["time"] = r.time;
    else
        json["image"] = request.image;
    json["grid"] = {r.grid.rows, r.grid.cols};
    json[lead + "_tokens"] = r.shares.text;
    json["entropy_nats"] = r.entropy;
    if (r.shares.text == 0) return json;
    json["shares"] = {{"image_to_image", 1 - r.shares.imageToText},
                      {"image_to_" + lead, r.shares.imageToText},
                      {lead + "_to_image", r.shares.textToImage},
                      {lead + "_to_" + lead, 1 - r.shares.textToImage}};
    const std::vector<std::string> texts = tokenTexts(r);
    for (std::size_t i = 0; i < texts.size(); ++i)
        if (!texts[i].empty())
            json["tokens"].push_back({{"number", i},
                                      {"text", texts[i]},
                                      {"attention_from_chosen", r.looks.text[i]},
                                      {"attention_to_chosen", r.seen.text[i]}});
    return json;
}

Result<void> write(const std::string& path, const std::string& lead, const AttentionReport& r) {
    std::map<std::string, Array> out;
    const auto count = static_cast<std::int64_t>(r.looks.text.size());
    out["looks.image"] = makeArray(std::span<const float>(r.looks.image), {r.grid.rows, r.grid.cols});
    out["seen.image"] = makeArray(std::span<const float>(r.seen.image), {r.grid.rows, r.grid.cols});
    if (count > 0) {
        out["looks." + lead] = makeArray(std::span<const float>(r.looks.text), {count});
        out["seen." + lead] = makeArray(std::span<const float>(r.seen.text), {count});
    }
    return writeSafetensors(path, out);
}

Result<void> attention(const Options& o) {
    std::vector<std::string> inputs = inputsOf(o.run.values);
    inputs.push_back(o.image);
    if (auto checked = checkOutputs({o.out}, inputs); !checked) return checked;
    if (auto complete = checkModel(o.run.values.model); !complete) return complete;
    const auto core = coreLibrary();
    if (!core) return failure(core.error());
    const auto request = requestOf(o, **core);
    if (!request) return failure(request.error());
    const Interrupt interrupt;
    JobContext context;
    context.stop = interrupt.token();
    const auto reply = (*core)->run(*request, context);
    if (!reply) return failure(reply.error());
    const auto& report = std::get<AttentionReport>(*reply);
    if (!o.out.empty())
        if (auto done = write(o.out, leadOf(*request), report); !done) return done;
    const std::string text = asJson(*request, report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
    std::printf("%s\n", text.c_str());
    return {};
}

}  // namespace

void addAttentionCommand(CLI::App& app, int& code) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("attention", "where one head looks, in one step of a run or in a picture");
    options->run.addTo(*command);
    CLI::Option* step =
        command->add_option("--step", options->step, "sampling step, from 1 (default 1)")->check(CLI::Range(1, 1000));
    CLI::Option* image = command->add_option("--image", options->image, "ViT: the picture, a PNG, JPEG or WebP file");
    for (CLI::Option* ofRun : options->run.ofSampling()) image->excludes(ofRun);
    image->excludes(step);
    command->add_option("--head", options->head, "e.g. L3.H2 (default L0.H0)");
    command->add_option("--patches", options->patches, "chosen patches, row:column,... (default: all)")->delimiter(',');
    command
        ->add_option("--words", options->words,
                     "chosen words of the prompt, or numbers of text tokens, by comma; ViT: numbers of its prefix "
                     "tokens (class token, distillation token, registers), from 0")
        ->delimiter(',');
    command->add_option("--out", options->out,
                        "safetensors file: looks.image, looks.text (attention from the chosen tokens), seen.image, "
                        "seen.text (attention to them); ViT: looks.prefix, seen.prefix in the place of the text's");
    command->callback([options, &code] {
        const auto done = attention(*options);
        if (!done) code = report(done.error());
    });
}

}  // namespace ropescope
