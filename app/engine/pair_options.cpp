// SPDX-License-Identifier: Apache-2.0
#include "app/engine/pair_options.h"

#include <unistd.h>

#include <charconv>
#include <cstdio>

#include "app/engine/field_arrays.h"
#include "app/engine/interrupt.h"
#include "app/engine/libraries.h"
#include "app/engine/model_options.h"
#include "app/engine/outputs.h"
#include "core/checkpoint/tensor_table.h"
#include "core/data/atomic_file.h"
#include "core/data/command_line.h"
#include "core/data/safetensors.h"

namespace ropescope {
namespace {

constexpr int kGap = 2;  ///< white pixels between the pictures

/// "L0.H1".
bool readHead(const std::string& text, HeadId& id) {
    const char* end = text.data() + text.size();
    const auto number = [&](const char* from, char mark, int& value) {
        if (from == end || *from != mark) return end + 1;
        const auto [next, wrong] = std::from_chars(from + 1, end, value);
        return wrong == std::errc() && value >= 0 ? next : end + 1;
    };
    const char* dot = number(text.data(), 'L', id.layer);
    return dot < end && *dot == '.' && number(dot + 1, 'H', id.head) == end;
}

/// Where nothing is said: all, but none of a text-to-image model unless its fields are asked for.
Result<void> chooseHeads(const std::string& words, bool fields, GenerateRequest& run) {
    run.record = words == "none" ? RecordFields::None : RecordFields::All;
    if (words == "all" || words == "none") return {};
    if (words.empty()) {
        const auto card = openCard(run.model);
        if (!card) return failure(card.error());
        if (card->takesText() && !fields) run.record = RecordFields::None;
        return {};
    }
    run.record = RecordFields::Listed;
    for (std::size_t from = 0; from <= words.size();) {
        const std::size_t comma = std::min(words.find(',', from), words.size());
        HeadId id;
        if (!readHead(words.substr(from, comma - from), id))
            return failure({ErrorKind::Usage, "bad-option", "--record", "no list of heads", printable(words, 80),
                            "all, none or e.g. L0.H0,L3.H2", ""});
        run.recordHeads.push_back(id);
        from = comma + 1;
    }
    return {};
}

void showProgress(const GenerateProgress& p) {
    if (!::isatty(STDERR_FILENO)) return;
    std::fprintf(stderr, "\rstep %d of %d of both, %.2f s each, %.0f s left   ", p.step, p.steps, p.secondsPerStep,
                 p.secondsLeft);
    if (p.step == p.steps) std::fputc('\n', stderr);
}

/// Those of B under "against." and the same name.
std::map<std::string, Array> arraysOfBoth(std::map<std::string, Array> a, std::map<std::string, Array> b) {
    for (auto& [name, array] : b) a["against." + name] = std::move(array);
    return a;
}

/// A left, B right, a row per image.
Result<void> writePicture(const std::string& path, const PairRequest& request, const PairReport& report) {
    const auto media = mediaLibrary();
    if (!media) return failure(media.error());
    std::vector<Array> pictures;
    for (std::size_t i = 0; i < report.a.images.size(); ++i) {
        pictures.push_back(report.a.images[i].pixels);
        pictures.push_back(report.b.images[i].pixels);
    }
    return (*media)->writePng(path, (*media)->montage(pictures, 2, kGap, 1), pairRecipe(request, report));
}

Result<void> writeFiles(const PairOptions& pair, const RunFiles& files, const PairRequest& request,
                        const PairReport& report) {
    if (!files.latents.empty()) {
        auto latents = arraysOfBoth({{"latents", report.a.latents}}, {{"latents", report.b.latents}});
        if (auto done = writeSafetensors(files.latents, latents); !done) return done;
    }
    if (!files.fields.empty()) {
        auto fields = arraysOfBoth(fieldArrays(report.a.fields), fieldArrays(report.b.fields));
        if (auto done = writeSafetensors(files.fields, fields); !done) return done;
    }
    if (!pair.table().empty()) {
        const std::string table = pairTable(report);
        if (auto done = writeFileAtomically(pair.table(), {std::as_bytes(std::span(table))}); !done) return done;
    }
    return writePicture(files.picture, request, report);
}

}  // namespace

void PairOptions::addTo(CLI::App& command) {
    m_adapter = command.get_option("--adapter"), m_loras = command.get_option("--lora");
    CLI::Option* against =
        command
            .add_option("--against", m_against,
                        "another model (or the same file) that is run in step from the same noise: --out takes both "
                        "pictures, side by side")
            ->type_name("FILE2");
    addVariationOption(command, m_variation, "--variation-b");
    addChoice<Convention>(command, "--convention-b", m_variation.convention,
                          {{"same", Convention::Same}, {"inverse", Convention::Inverse}},
                          "how the maps of FILE2 enter, where it does not say (default: as --convention)");
    command.add_option("--table", m_table, "CSV file for the distances of the two, a row per step");
    command
        .add_option("--part-at", m_partAt,
                    "relative difference of the clean estimates beyond which the two have parted (default 0.05)")
        ->check(CLI::Range(0.0, 1e6));
    command
        .add_option("--record", m_record, "heads whose fields and kernels are compared (default all; FLUX, SD3: none)")
        ->type_name("all|none|L0.H0,L3.H2");
    for (const char* option : {"--variation-b", "--convention-b", "--table", "--part-at", "--record"})
        command.get_option(option)->needs(against);
}

ModelRef PairOptions::other(const ModelRef& a) const {
    ModelRef b = withoutChanges(a);
    b.path = m_against;
    // What --variation added to A comes behind what --adapter and --lora say of both.
    b.adapter = m_adapter->count() > 0 ? m_adapter->as<std::string>() : std::string();
    b.loras.resize(m_loras->count());
    if (m_variation.convention != Convention::Unknown) b.convention = m_variation.convention;
    if (!m_variation.adapter.empty()) b.adapter = m_variation.adapter;
    b.loras.insert(b.loras.end(), m_variation.loras.begin(), m_variation.loras.end());
    b.changes = m_variation.changes, b.madeFor = m_variation.madeFor;
    return b;
}

Result<PairRequest> PairOptions::request(const GenerateRequest& run, bool fields) const {
    PairRequest request;
    request.run = run, request.against = other(run.model);
    request.partAt = m_partAt, request.keepFields = fields;
    if (auto chosen = chooseHeads(m_record, fields, request.run); !chosen) return failure(chosen.error());
    return request;
}

Result<void> generatePair(const RunOptions& options, const PairOptions& pair, const RunFiles& files) {
    const ModelRef b = pair.other(options.values.model);
    std::vector<std::string> inputs = inputsOf(options.values);
    for (const std::string& path : inputsOf(b)) inputs.push_back(path);
    if (auto fits = checkOutputs({files.picture, files.latents, files.fields, pair.table()}, inputs); !fits)
        return fits;
    for (const ModelRef& model : {options.values.model, b})
        if (auto complete = checkModel(model); !complete) return complete;
    const auto run = options.request();
    if (!run) return failure(run.error());
    const auto request = pair.request(*run, !files.fields.empty());
    if (!request) return failure(request.error());
    const auto core = coreLibrary();
    if (!core) return failure(core.error());
    const Interrupt interrupt;
    JobContext context;
    context.stop = interrupt.token();
    context.onProgress = showProgress;
    context.onNote = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); };
    const auto reply = (*core)->run(*request, context);
    if (!reply) return failure(reply.error());
    const auto& report = std::get<PairReport>(*reply);
    if (auto done = writeFiles(pair, files, *request, report); !done) return done;
    std::printf("%s\n", files.picture.c_str());
    std::fprintf(stderr, "step of parting: %s (clean estimates apart by more than %s)\n", partingText(report).c_str(),
                 numberWord(request->partAt).c_str());
    std::fprintf(stderr, "%.2f s on %s%s%s\n", report.seconds, report.a.device.c_str(),
                 report.a.note.empty() ? "" : "; ", report.a.note.c_str());
    return {};
}

}  // namespace ropescope
