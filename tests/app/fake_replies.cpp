// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/fake_replies.h"

#include <algorithm>
#include <filesystem>

namespace ropescope::test {
namespace {

constexpr int kLayers = 2, kHeads = 2, kDim = 4, kSide = 3;

/// Names of files that leave something open begin with these words.
void leaveOpen(ModelCard& card, const ModelRef& ref) {
    const auto is = [&](const char* word) { return card.name.starts_with(word); };
    const auto explain = [&](const char* code, const std::string& text) {
        card.problemCode = code;
        card.problem = "[" + card.problemCode + "] " + card.path + ": " + text;
    };
    const auto outline = [&] {  // of a file that is not recognised
        card.architecture.clear(), card.encoding.clear(), card.objective.clear();
        card.layers = card.heads = card.headDim = card.width = card.classes = 0;
        card.grid = {};
        card.convention = Convention::None;
    };
    if (is("strange")) {
        outline();
        explain("unknown-model", "no known architecture.");
    }
    if (is("gridless") && ref.grid == Grid{}) {
        outline();
        explain("grid-unknown",
                "the rows of the position table do not tell its grid (found 15 patches, expected one of 3x5, 5x3). "
                "Give --grid HxW.");
    }
    if (ref.grid != Grid{}) card.grid = ref.grid;
    if (is("headless") && ref.heads == 0) {
        outline();
        explain("heads-unknown", "the tensors do not tell the number of heads. Give --heads N.");
    }
    if (is("copies")) {
        card.copies = {"student", "teacher"};
        card.copy = ref.weights;
        if (ref.weights == "ema") {
            outline();
            explain("weights", "several copies of the weights (found 2 copies, expected student, teacher).");
        }
    }
    if (is("averaged")) {
        card.copies = {"model", "ema"};
        card.copy = ref.weights;
    }
    if (is("surplus")) {
        std::vector<std::string>& where = ref.ignore.empty() ? card.unused : card.waived;
        where = {"blocks.0.gate", "blocks.1.gate"};
        if (ref.ignore.empty()) explain("TC-10", "2 tensors do not belong to such a network.");
        card.assumed = {"theta: 100", "activation: GELU"};
    }
    if (is("timeless")) card.objective = ref.time;
    if (is("guideless")) card.nullClass = false;
    if (is("vit-broken")) explain("CF-03", "the configuration disagrees with the tensors.");
}

ModelCard fakeCard(const ModelRef& ref) {
    ModelCard card;
    card.path = ref.path;
    card.name = std::filesystem::path(ref.path).stem().string();
    card.format = "safetensors";
    card.architecture = "dit";
    card.encoding = "harope";
    const bool unknown = (ref.adapter.empty() ? ref.path : ref.adapter).find("unknown") != std::string::npos;
    const bool silent = unknown && ref.convention == Convention::Unknown;
    card.convention = silent                                  ? Convention::Unknown
                      : ref.convention == Convention::Inverse ? Convention::Inverse
                                                              : Convention::Same;
    card.layers = kLayers;
    card.heads = kHeads;
    card.headDim = kDim;
    card.width = kHeads * kDim;
    card.grid = {kSide, kSide};
    card.theta = 100;
    card.patch = 2;
    card.inChannels = card.outChannels = 1;
    card.objective = "flow";
    if (card.name.starts_with("vit")) {
        card.architecture = "vit";
        card.objective = "classify";
        card.classToken = true;
        card.mapTokens = card.name == "vit-silent" ? ref.mapTokens : MapTokens::All;
    }
    if (card.name.starts_with("flux")) {
        card.architecture = "flux";
        card.guidanceInput = true;
        card.patch = 1;
        if (!ref.adapter.empty()) card.name += " + maps";
    }
    card.classes = 2;
    card.parameters = 1000;
    leaveOpen(card, ref);
    return card;
}

AtlasReport fakeAtlas() {
    AtlasReport atlas;
    atlas.layers = kLayers;
    atlas.heads = kHeads;
    atlas.headDim = kDim;
    atlas.problems.resize(kLayers * kHeads);
    for (const char* key : {"cross_axis_mixing", "condition"}) {
        HeadNumber number;
        number.key = key;
        number.title = key;
        number.definition = "Made up.";
        number.values = {0.1, 0.2, 0.4, 0.3};
        atlas.numbers.push_back(number);
    }
    for (int i = 0; i < kLayers * kHeads; ++i) {
        for (int k = 0; k < kDim; ++k) atlas.singularValues.push_back(1.4 - 0.2 * k);
    }
    return atlas;
}

CalibrationReport fakeCalibration(const CalibrateRequest& request) {
    CalibrationReport report;
    report.layers = kLayers;
    report.heads = kHeads;
    report.images = request.images;
    report.grid = {kSide, kSide};
    report.source = std::to_string(request.images) + " made-up images";
    report.device = "fake";
    MeasuredNumber number{"data_mean_distance",   "Mean attention distance", "tokens", "Made up.", About::Head, 0,
                          {1.0, 1.25, 1.5, 1.75}, {0.1, 0.1, 0.1, 0.1},      {},       {}};
    report.numbers.push_back(number);
    for (int i = 0; i < kLayers * kHeads; ++i) {
        const HeadReport head = fakeHead({i / kHeads, i % kHeads});
        HeadCalibration curves;
        curves.id = head.id;
        curves.frequency = head.energy.frequency;
        curves.energy = {0.25, 0.75};
        curves.energyError = {0.02, 0.03};
        curves.reference = {0.5, 0.5};
        curves.kernel = head.kernelWeights;
        curves.sensitivity = head.sensitivityWeights;
        report.curves.push_back(curves);
    }
    return report;
}

CompareReport fakeComparison(const CompareRequest& request) {
    CompareReport report;
    for (std::size_t model = 0; model < request.models.size(); ++model) {
        for (int i = 0; i < kLayers * kHeads; ++i) {
            const HeadId id{i / kHeads, i % kHeads};
            if (!request.heads.empty() && std::ranges::find(request.heads, id) == request.heads.end()) continue;
            report.models.push_back(static_cast<int>(model));
            report.heads.push_back(id);
            report.names.push_back(id.name());
            report.embedding.insert(report.embedding.end(), {0.5 * i, 0.25 * static_cast<double>(model)});
        }
    }
    const std::size_t count = report.heads.size();
    for (std::size_t i = 0; i < count * count; ++i) report.matrix.push_back(i % (count + 1) == 0 ? 1 : 0.5);
    report.axisShare = {0.75, 0.25};
    report.title = "Kernel correlation";
    return report;
}

ClassifyResult fakeClasses(const ClassifyRequest& request) {
    ClassifyResult result;
    result.top = {{1, "cat", 0.7, 2.0}, {0, "dog", 0.3, 1.15}};
    result.grid = {kSide, kSide};
    result.input = makeArray(std::vector<std::uint8_t>(6 * 6 * 3, 90), {6, 6, 3});
    result.device = "fake";
    constexpr int n = (2 * kSide - 1) * (2 * kSide - 1);
    for (HeadId id : request.heads) {
        result.heads.push_back(
            {{id, {kSide, kSide}, std::vector<float>(n, 0.9f / n), std::vector<float>(n, 0.5f), 1.0}, 0.1, 0.2, {}});
    }
    return result;
}

TokensReport fakeTokens(const std::string& prompt) {
    const int words = static_cast<int>(std::count(prompt.begin(), prompt.end(), ' ')) + 1;
    return {{{"text_encoder", -1, 77, words + 2, 0, {}}, {"text_encoder_2", 0, 4, 3, 1, {"a", "cat", "</s>"}}}};
}

AttentionReport fakeAttention(const AttentionRequest& request) {
    AttentionReport report;
    report.grid = {kSide, kSide};
    report.time = 100.0 * request.step;
    report.tokens = fakeTokens(request.run.text.prompt);
    const float first = request.patches.empty() ? 0.1f : 0.1f * static_cast<float>(request.patches.front());
    report.looks = {std::vector<float>(kSide * kSide, first), {0.1f, 0.2f, 0.3f, 0.0f}};
    report.seen = {std::vector<float>(kSide * kSide, 0.5f), std::vector<float>(4, 0.25f)};
    report.shares = {4, 0.6, 0.2};
    return report;
}

TensorsReport fakeTensors(const TensorsRequest& request) {
    TensorsReport report;
    for (const char* name : {"blocks.0.attn.qkv.weight", "blocks.0.gate", "blocks.1.gate"})
        report.rows.push_back({name, "F32", {4, 8}, 128, "used"});
    if (request.model.path.find("surplus") != std::string::npos)
        report.rows[1].use = report.rows[2].use = "not understood";
    if (request.tensor.empty()) return report;
    report.statistics = {request.tensor, 32, 1, -1, 3, 0.5, 2.25, std::vector<std::int64_t>(64, 0)};
    report.statistics.bins[10] = 31;
    return report;
}

/// Of a picture that was made with "/m/flux-other.safetensors", a LoRA and a prompt; "first-...": with
/// "/m/first.safetensors"; "...changed...": with tau=0 on L1.H0.
PictureSettings fakeSettings(const std::string& path) {
    PictureSettings found;
    found.path = path;
    found.complete = path.find("other-program") == std::string::npos;
    found.settings.model.path = "/m/flux-other.safetensors";
    found.settings.model.loras = {{"/l/style.safetensors", 0.5}};
    found.settings.text.prompt = "a dog";
    found.settings.steps = 11;
    found.settings.seed = 77;
    found.settings.size = {256, 512};
    if (path.find("first") != std::string::npos) {
        found.settings.model = {}, found.settings.text = {}, found.settings.size = {};
        found.settings.model.path = "/m/first.safetensors";
    }
    if (path.find("changed") != std::string::npos) {
        HeadChange& change = found.settings.model.changes.emplace_back();
        change.layer = 1, change.head = 0, change.amount = 0;
    }
    if (!found.complete) found.taken = {"prompt", "seed"};
    return found;
}

}  // namespace

HeadReport fakeHead(HeadId id) {
    HeadReport head;
    head.id = id;
    head.hasMap = true;
    head.spectrum.stored = {1.2, 1.4, 0.8, 1.0};
    head.spectrum.gaugeFixed = {1.4, 1.2, 1.0, 0.8};
    head.query.overlap = {0.7, 0.3, 0.3, 0.7};
    head.query.principalAngles = {10, 20, 15, 25};
    head.query.gain = head.query.gain1 = head.query.gain2 = {1.0, 1.1};
    head.query.axisMixing = {0.7, 0.3, 0.3, 0.7};
    head.query.crossAxisMixing = 0.3;
    head.key = head.query;
    head.queryKeyOverlap = {1, 1};
    head.planeAxis = {0, 1};
    head.energy.frequency = {1, 0, 0, 1};
    head.energy.map = head.energy.weights = {0.4, 0.6};
    head.energy.reference = {0.5, 0.5};
    head.energy.axisShare = {0.4, 0.6};
    head.kernelWeights = {{0.5, 0.5}, {0, 0.1}, {1, 0, 0, 1}, 2, 1};
    head.kernelWhite = head.kernelWeights;
    head.sensitivityWeights = {std::vector<double>(16, 0.0), {1, 0, 0, 1}, 2, 1};
    for (int i = 0; i < 4; ++i) head.sensitivityWeights.quadratic[static_cast<std::size_t>(5 * i)] = 1;
    head.sensitivityWhite = head.sensitivityWeights;
    head.contentStrength = 1;
    head.mapQuery = head.mapKey = std::vector<double>(16, 0.5);
    return head;
}

GenerateProgress fakeProgress(const GenerateRequest& request, int step, int steps) {
    GenerateProgress progress;
    progress.step = step;
    progress.steps = steps;
    progress.secondsPerStep = 0.01;
    progress.secondsLeft = 0.01 * (steps - step);
    progress.preview = makeArray(std::vector<std::uint8_t>(6 * 6 * 3, static_cast<std::uint8_t>(step)), {6, 6, 3});
    progress.fields.step = step - 1;
    progress.fields.steps = steps;
    std::vector<HeadId> heads = request.recordHeads;
    if (request.record == RecordFields::All) heads = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};
    for (HeadId id : heads) {
        constexpr int n = (2 * kSide - 1) * (2 * kSide - 1);
        progress.fields.heads.push_back(
            {id, {kSide, kSide}, std::vector<float>(n, 1.0f / n), std::vector<float>(n, 1.0f), 1.0, {4, 0.6, 0.2}});
    }
    return progress;
}

Reply fakeReply(const Request& request) {
    if (const auto* open = std::get_if<OpenRequest>(&request)) return fakeCard(open->model);
    if (std::holds_alternative<AtlasRequest>(request)) return fakeAtlas();
    if (const auto* wanted = std::get_if<HeadsRequest>(&request)) {
        HeadsReport report;
        for (HeadId id : wanted->heads) {
            report.heads.push_back(fakeHead(id));
            // Stretched frequencies are half as fast.
            if (wanted->extrapolate.method == Extrapolation::None) continue;
            for (double& omega : report.heads.back().kernelWeights.frequency) omega *= 0.5;
        }
        return report;
    }
    if (std::holds_alternative<DevicesRequest>(request))
        return DevicesReport{{"cpu"}, {"CPU (fake)"}, "no GPU", 1 << 20};
    if (const auto* save = std::get_if<SavePngRequest>(&request)) return SavedFile{save->path};
    if (std::holds_alternative<SelfCheckRequest>(request))
        return SelfCheckReport{{{"relative", "Relative positions", LampState::Green, 1e-7, 1e-4, "fake", "fake"}},
                               LampState::Green};
    if (const auto* measure = std::get_if<CalibrateRequest>(&request)) return fakeCalibration(*measure);
    if (const auto* compare = std::get_if<CompareRequest>(&request)) return fakeComparison(*compare);
    if (const auto* classify = std::get_if<ClassifyRequest>(&request)) return fakeClasses(*classify);
    if (const auto* tokens = std::get_if<TokensRequest>(&request)) return fakeTokens(tokens->prompt);
    if (const auto* loras = std::get_if<LorasRequest>(&request)) {
        LorasReport report;
        for (const LoraRef& lora : loras->model.loras) report.loras.push_back({lora.path, 7, 9, 0, 0, "block.x", {}});
        return report;
    }
    if (std::holds_alternative<DecodeRequest>(request))
        return DecodedStep{makeArray(std::vector<std::uint8_t>(8 * 8 * 3, 20), {8, 8, 3})};
    if (const auto* attention = std::get_if<AttentionRequest>(&request)) return fakeAttention(*attention);
    if (const auto* read = std::get_if<ReadSettingsRequest>(&request)) return fakeSettings(read->path);
    if (const auto* tensors = std::get_if<TensorsRequest>(&request)) return fakeTensors(*tensors);
    const auto& generate = std::get<GenerateRequest>(request);
    GenerateResult result;
    result.images.push_back(
        {generate.seed, generate.labels.at(0), makeArray(std::vector<std::uint8_t>(6 * 6 * 3, 200), {6, 6, 3}), "{}"});
    result.latents = makeArray(std::vector<float>(36, 0.f), {1, 1, 6, 6});
    result.device = "fake";
    return result;
}

}  // namespace ropescope::test
