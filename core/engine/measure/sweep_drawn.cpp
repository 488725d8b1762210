// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>

#include "core/data/command_line.h"
#include "core/data/enum_names.h"
#include "core/data/picture_distance.h"
#include "core/engine/machine/device.h"
#include "core/engine/machine/media_library.h"
#include "core/engine/measure/picture_judge.h"
#include "core/engine/measure/sweep_parts.h"
#include "core/engine/run/run.h"

namespace ropescope {
namespace {

constexpr int kTokensAtOnce = 16384, kPicturesAtOnce = 64;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// Pictures that are drawn at once, one after the other in the table, by their place: group * seeds + seed.
using Round = std::vector<int>;

struct Drawn {
    at::Tensor latents;         ///< [n,C,h,w] float64 on the CPU
    std::vector<Array> pixels;  ///< U8 [h,w,3]
    at::Tensor answers;         ///< [n,classes] probabilities; undefined without a judge
};

double relativeDistance(const at::Tensor& a, const at::Tensor& b) {
    return ((a - b).norm() / a.norm()).item<double>();
}

class DrawnSweep {
public:
    DrawnSweep(const SweepRequest& request, const ModelCard& card, const JobContext& context)
        : m_request(request), m_card(card), m_context(context), m_progress(context) {}

    [[nodiscard]] Result<void> open();
    [[nodiscard]] Result<void> work();
    [[nodiscard]] Result<SweepReport> report();

private:
    [[nodiscard]] int seeds() const { return static_cast<int>(m_request.seeds.size()); }
    [[nodiscard]] int groups() const {
        if (m_card.takesText()) return std::max(1, static_cast<int>(m_request.prompts.size()));
        return static_cast<int>(m_request.classes.size());
    }
    [[nodiscard]] GenerateRequest requestOf(const Round& round) const;
    [[nodiscard]] Round oneOfEachGroup() const;
    [[nodiscard]] SweepForm form(const RunSetting& setting, std::vector<HeadChange> heads) const;
    [[nodiscard]] std::vector<Round> rounds() const;
    [[nodiscard]] std::vector<int> missing(const Round& round) const;
    [[nodiscard]] Result<Drawn> draw(const ModelRef& model, const Round& round, const std::string& head);
    [[nodiscard]] Result<void> measure(const Round& round);
    [[nodiscard]] std::vector<double> numbers(const Drawn& a, const Drawn& b, int i, int picture);
    [[nodiscard]] double similarity(const Array& a, const Array& b);

    const SweepRequest& m_request;
    const ModelCard& m_card;
    const JobContext& m_context;
    SweepProgress m_progress;
    std::optional<PictureJudge> m_judge;
    std::shared_ptr<const Decoder> m_decoder;
    std::optional<SweepTable> m_table;
    int m_atOnce = 1, m_before = 0;
    std::string m_device, m_unlike;  ///< m_unlike: why there is no similarity
};

/// Without the seeds, which a Run is given.
GenerateRequest DrawnSweep::requestOf(const Round& round) const {
    GenerateRequest one = m_request.run;
    one.batch = static_cast<int>(round.size());
    one.record = RecordFields::None, one.previews = false;
    if (m_card.takesText()) {
        if (!m_request.prompts.empty()) one.text.prompt = m_request.prompts[round.front() / seeds()];
        return one;
    }
    one.labels.clear();
    for (const int picture : round) one.labels.push_back(m_request.classes[picture / seeds()]);
    return one;
}

/// What shows whether the request fits the model.
Round DrawnSweep::oneOfEachGroup() const {
    Round round;
    for (int group = 0; group < (m_card.takesText() ? 1 : groups()); ++group) round.push_back(group * seeds());
    return round;
}

SweepForm DrawnSweep::form(const RunSetting& setting, std::vector<HeadChange> heads) const {
    SweepForm form;
    form.heads = std::move(heads);
    form.numbers = {"picture_l2", "picture_ssim", "latent_l2"};
    if (m_judge) form.numbers.insert(form.numbers.end(), {"answer_change", "right_drop"});
    form.groups = groups(), form.samples = seeds();
    form.columns = {{"steps", std::to_string(setting.plan.steps())},
                    {"guidance", numberWord(m_request.run.guidance)},
                    {"sampler", std::string(enumName(setting.plan.sampler))}};
    if (m_card.takesText())
        form.columns.emplace_back("prompts", std::to_string(groups()));
    else
        form.columns.emplace_back("classes", spaced(m_request.classes));
    form.columns.emplace_back("seeds", spaced(m_request.seeds));
    form.settings = sweepSettings(m_request);
    form.settings.insert(form.columns.begin(), form.columns.end());
    return form;
}

Result<void> DrawnSweep::open() {
    auto heads = sweepHeads(m_request, m_card);
    if (!heads) return failure(heads.error());
    if (!m_request.classifier.empty()) {
        auto judge = PictureJudge::open(m_request.classifier, m_request.run.compute);
        if (!judge) return failure(judge.error());
        m_judge = std::move(*judge);
    }
    const GenerateRequest first = requestOf(oneOfEachGroup());
    const auto network = openNetwork(first, m_context);
    if (!network) return failure(network.error());
    const RunSetting& setting = (*network)->setting();
    const at::Device device = (*network)->device();
    m_device = describeCompute(device, first.compute.precision, setting.threads);
    auto decoder = decoderFor(first.vae, first.model.path, setting.channels, device,
                              usualLatents((*network)->card(), setting.channels));
    if (!decoder) return failure(decoder.error());
    m_decoder = std::move(*decoder);
    const int usual = m_card.takesText() ? 1 : std::clamp(kTokensAtOnce / setting.grid.tokens(), 1, kPicturesAtOnce);
    m_atOnce = m_request.batch > 0 ? m_request.batch : usual;
    auto table = SweepTable::open(m_request.out, m_request.restart, form(setting, std::move(*heads)));
    if (!table) return failure(table.error());
    m_table.emplace(std::move(*table));
    return {};
}

std::vector<Round> DrawnSweep::rounds() const {
    std::vector<Round> all;
    for (int picture = 0; picture < groups() * seeds(); ++picture) {
        const bool other = m_card.takesText() && picture % seeds() == 0;  // a prompt of its own
        if (all.empty() || other || std::ssize(all.back()) == m_atOnce) all.emplace_back();
        all.back().push_back(picture);
    }
    return all;
}

std::vector<int> DrawnSweep::missing(const Round& round) const {
    return m_table->missing(round.front(), static_cast<int>(round.size()));
}

Result<Drawn> DrawnSweep::draw(const ModelRef& model, const Round& round, const std::string& head) {
    GenerateRequest request = requestOf(round);
    request.model = model;
    JobContext quiet;
    quiet.stop = m_context.stop;
    auto network = openNetwork(request, quiet);
    if (!network) return failure(network.error());
    std::vector<std::uint64_t> noises;
    for (const int picture : round) noises.push_back(m_request.seeds[picture % seeds()]);
    auto run = Run::over(std::move(*network), request, quiet, m_decoder, std::move(noises));
    if (!run) return failure(run.error());
    while (!run->done()) {
        const auto tell = [&](double steps) {
            m_progress.tell(head, static_cast<double>(round.size()) * steps / run->steps());
        };
        const auto step =
            run->step([&](int layer) { tell(run->stepsDone() + static_cast<double>(layer) / m_card.layers); });
        if (!step) return failure(step.error());
        tell(run->stepsDone());
    }
    Drawn drawn;
    drawn.latents = run->latents().to(at::kCPU, at::kDouble);
    auto pictures = run->pictures();
    if (!pictures) return failure(pictures.error());
    for (GeneratedImage& picture : *pictures) drawn.pixels.push_back(std::move(picture.pixels));
    if (m_judge) {
        auto answers = m_judge->probabilities(drawn.pixels);
        if (!answers) return failure(answers.error());
        drawn.answers = std::move(*answers);
    }
    m_progress.done(static_cast<double>(round.size()));
    return drawn;
}

double DrawnSweep::similarity(const Array& a, const Array& b) {
    const auto media = openMediaLibrary();
    const auto found = media ? (*media)->similarity(a, b) : Result<double>(failure(media.error()));
    if (!found) m_unlike = found.error().reason;
    return found ? *found : kNone;
}

std::vector<double> DrawnSweep::numbers(const Drawn& a, const Drawn& b, int i, int picture) {
    const auto distance = pictureDistance(a.pixels[i], b.pixels[i]);
    std::vector<double> all = {distance ? *distance : kNone, similarity(a.pixels[i], b.pixels[i]),
                               relativeDistance(a.latents[i], b.latents[i])};
    if (!m_judge) return all;
    const at::Tensor before = a.answers[i], after = b.answers[i];
    all.push_back(before.argmax().item<std::int64_t>() != after.argmax().item<std::int64_t>());
    const int asked = m_card.takesText() ? -1 : m_request.classes[picture / seeds()];
    const bool known = m_judge->shares(m_card) && asked >= 0 && asked < before.size(0);
    all.push_back(known ? (before[asked] - after[asked]).item<double>() : kNone);
    return all;
}

Result<void> DrawnSweep::measure(const Round& round) {
    const std::vector<int> heads = missing(round);
    if (heads.empty()) return {};
    const auto before = draw(m_request.run.model, round, "unchanged");
    if (!before) return failure(before.error());
    for (const int head : heads) {
        const HeadChange& change = m_table->form().heads[head];
        const std::string name =
            headsText(change) + ", " + std::to_string(head + 1) + " of " + std::to_string(m_table->form().heads.size());
        const auto after = draw(withChange(m_request.run.model, change), round, name);
        if (!after) return failure(ofHead(after.error(), change));
        for (std::size_t i = 0; i < round.size(); ++i)
            m_table->put(head, round[i], numbers(*before, *after, static_cast<int>(i), round[i]));
        if (auto kept = m_table->keep(false); !kept) return kept;
    }
    return {};
}

Result<void> DrawnSweep::work() {
    double pictures = 0;
    for (const Round& round : rounds()) {
        const auto heads = static_cast<double>(missing(round).size());
        if (heads > 0) pictures += static_cast<double>(round.size()) * (1 + heads);
    }
    m_before = m_table->completeHeads();
    m_progress.start(pictures);
    const KeptAtEnd keptAtEnd{*m_table};
    for (const Round& round : rounds())
        if (auto measured = measure(round); !measured) return measured;
    return m_table->finish();
}

Result<SweepReport> DrawnSweep::report() {
    SweepReport report;
    report.numbers = m_table->form().numbers;
    report.rows = m_table->rows();
    report.pictures = m_table->form().pictures(), report.before = m_before;
    report.device = m_device;
    if (!m_unlike.empty()) report.note = "no picture_ssim: " + m_unlike;
    return report;
}

}  // namespace

Result<SweepReport> sweepDrawn(const SweepRequest& request, const ModelCard& card, const JobContext& context) {
    DrawnSweep sweep(request, card, context);
    if (auto opened = sweep.open(); !opened) return failure(opened.error());
    if (auto worked = sweep.work(); !worked) return failure(worked.error());
    return sweep.report();
}

}  // namespace ropescope
