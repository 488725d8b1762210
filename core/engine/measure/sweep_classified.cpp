// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "core/checkpoint/model_folder.h"
#include "core/engine/machine/device.h"
#include "core/engine/measure/classifier_input.h"
#include "core/engine/measure/sweep_parts.h"
#include "core/engine/network/request_checks.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;

constexpr int kTokensAtOnce = 16384, kPicturesAtOnce = 250;

Error refused(const std::string& folder, std::string reason, std::string found, std::string expected) {
    return {ErrorKind::Refused, "labelled-pictures", place({folder}),      std::move(reason),
            std::move(found),   std::move(expected), "Give another folder"};
}

/// What is in the folder, in the order of the names; hidden files are left out.
std::vector<fs::path> entriesOf(const fs::path& folder, bool folders) {
    std::vector<fs::path> all;
    std::error_code ended;
    for (fs::directory_iterator at(folder, ended), end; !ended && at != end; at.increment(ended)) {
        const bool fits = folders ? at->is_directory(ended) : at->is_regular_file(ended);
        if (fits && !at->path().filename().string().starts_with('.')) all.push_back(at->path());
    }
    std::ranges::sort(all);
    return all;
}

/// A class's number by its folder: the number or the class's name; else the folder's place, where there are as many as
/// classes.
Result<int> classOf(const fs::path& folder, std::size_t index, std::size_t count, const ModelCard& card) {
    const std::string name = folder.filename().string();
    const auto named = std::ranges::find(card.classNames, name);
    if (named != card.classNames.end()) return static_cast<int>(named - card.classNames.begin());
    int number = -1;
    const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (wrong == std::errc() && end == name.data() + name.size() && number >= 0 && number < card.classes) return number;
    if (static_cast<int>(count) == card.classes) return static_cast<int>(index);
    return failure(refused(folder.string(), "the folder is none of the model's classes",
                           std::to_string(count) + " folders",
                           "a class's name or number, or a folder for each of " + std::to_string(card.classes)));
}

/// Labelled pictures as inputs of one model, read as they are needed.
class Pictures {
public:
    [[nodiscard]] static Result<Pictures> open(const SweepRequest& request, const ModelCard& card,
                                               const ReadTestSet& readTestSet);
    [[nodiscard]] int count() const { return static_cast<int>(m_labels.size()); }
    [[nodiscard]] int label(int picture) const { return m_labels[picture]; }
    /// [n,C,h,w], normalised.
    [[nodiscard]] Result<at::Tensor> input(const OpenClassifier& model, Precision precision, int first, int n) const;

private:
    [[nodiscard]] Result<void> readFolder(const std::string& folder, const ModelCard& card);
    [[nodiscard]] Result<void> readSet(const std::string& folder, const ModelCard& card, const ReadTestSet& read);
    void spread(int images);

    std::vector<int> m_labels;
    std::vector<std::string> m_files;  ///< of a folder
    at::Tensor m_images;               ///< of a set in memory, U8 [n,C,h,w]
};

Result<void> Pictures::readFolder(const std::string& folder, const ModelCard& card) {
    if (const std::string why = closedBecause(folder); !why.empty())
        return failure(refused(folder, "the folder cannot be read", why, "a folder of pictures"));
    const std::vector<fs::path> classes = entriesOf(folder, true);
    for (std::size_t i = 0; i < classes.size(); ++i) {
        const auto label = classOf(classes[i], i, classes.size(), card);
        if (!label) return failure(label.error());
        for (const fs::path& file : entriesOf(classes[i], false)) m_files.push_back(file), m_labels.push_back(*label);
    }
    if (m_files.empty())
        return failure(refused(folder, "no picture lies in a sub-folder", "none", "a sub-folder for each class"));
    return {};
}

Result<void> Pictures::readSet(const std::string& folder, const ModelCard& card, const ReadTestSet& read) {
    const auto set = read(folder);
    if (!set) return failure(set.error());
    const at::Tensor& images = set->images;
    const std::vector<std::int64_t> own = {card.inChannels, card.grid.rows * card.patch, card.grid.cols * card.patch};
    if (images.sizes().slice(1).vec() != own)
        return failure(
            refused(folder, "the model takes other pictures", spaced(images.sizes().slice(1).vec()), spaced(own)));
    const int most = set->labels.max().item<int>();
    if (most >= card.classes)
        return failure(
            refused(folder, "the model has fewer classes", std::to_string(most + 1), std::to_string(card.classes)));
    m_images = images;
    for (std::int64_t i = 0; i < images.size(0); ++i) m_labels.push_back(set->labels[i].item<int>());
    return {};
}

/// So many at even distances, so that a folder is not measured on its first class alone.
void Pictures::spread(int images) {
    const std::size_t all = m_labels.size(), n = std::min<std::size_t>(all, images);
    std::vector<std::int64_t> chosen;
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t from = i * all / n;
        m_labels[i] = m_labels[from];
        if (!m_files.empty()) m_files[i] = m_files[from];
        chosen.push_back(static_cast<std::int64_t>(from));
    }
    m_labels.resize(n), m_files.resize(m_files.empty() ? 0 : n);
    if (m_images.defined()) m_images = m_images.index_select(0, at::tensor(chosen, at::kLong));
}

Result<Pictures> Pictures::open(const SweepRequest& request, const ModelCard& card, const ReadTestSet& readTestSet) {
    Pictures all;
    const auto read =
        request.folder.empty() ? all.readSet(request.data, card, readTestSet) : all.readFolder(request.folder, card);
    if (!read) return failure(read.error());
    if (request.images > 0) all.spread(request.images);
    return all;
}

Result<at::Tensor> Pictures::input(const OpenClassifier& model, Precision precision, int first, int n) const {
    if (m_images.defined())
        return (m_images.narrow(0, first, n).to(at::kFloat) / 127.5 - 1).to(model.device, scalarType(precision));
    std::vector<at::Tensor> all;
    for (int i = first; i < first + n; ++i) {
        auto one = readInput(model, precision, m_files[i]);
        if (!one) return failure(one.error());
        all.push_back(std::move(one->values));
    }
    return at::cat(all);
}

class ClassifiedSweep {
public:
    ClassifiedSweep(const SweepRequest& request, const ModelCard& card, const JobContext& context)
        : m_request(request), m_card(card), m_context(context), m_progress(context) {}

    [[nodiscard]] Result<void> open(const ReadTestSet& readTestSet);
    [[nodiscard]] Result<void> work();
    [[nodiscard]] SweepReport report() const;

private:
    [[nodiscard]] Precision precision() const { return m_request.run.compute.precision; }
    [[nodiscard]] Result<void> measure(int first, int n);
    /// Calls `each` with the first of the pictures that are classified at once, and how many they are.
    template <class Each>
    [[nodiscard]] Result<void> overPictures(const Each& each) const {
        for (int first = 0; first < m_pictures->count(); first += m_atOnce)
            if (auto done = each(first, std::min(m_atOnce, m_pictures->count() - first)); !done) return done;
        return {};
    }

    const SweepRequest& m_request;
    const ModelCard& m_card;
    const JobContext& m_context;
    SweepProgress m_progress;
    std::optional<OpenClassifier> m_stored;  ///< the model without the change
    std::optional<Pictures> m_pictures;
    std::optional<SweepTable> m_table;
    int m_atOnce = 1, m_before = 0;
};

Result<void> ClassifiedSweep::open(const ReadTestSet& readTestSet) {
    auto heads = sweepHeads(m_request, m_card);
    if (!heads) return failure(heads.error());
    auto stored = openClassifier(m_request.run.model, m_request.run.compute);
    if (!stored) return failure(stored.error());
    m_stored = std::move(*stored);
    auto pictures = Pictures::open(m_request, m_card, readTestSet);
    if (!pictures) return failure(pictures.error());
    m_pictures = std::move(*pictures);
    const int usual = std::clamp(kTokensAtOnce / std::max(1, m_card.grid.tokens()), 1, kPicturesAtOnce);
    m_atOnce = m_request.batch > 0 ? m_request.batch : usual;
    SweepForm form;
    form.heads = std::move(*heads);
    form.numbers = {"accuracy", "accuracy_drop", "answer_change"};
    form.samples = m_pictures->count();
    form.columns = {{"images", std::to_string(form.samples)}};
    form.settings = sweepSettings(m_request);
    auto table = SweepTable::open(m_request.out, m_request.restart, std::move(form));
    if (!table) return failure(table.error());
    m_table.emplace(std::move(*table));
    return {};
}

Result<void> ClassifiedSweep::measure(int first, int n) {
    const std::vector<int> heads = m_table->missing(first, n);
    if (heads.empty()) return {};
    const auto input = m_pictures->input(*m_stored, precision(), first, n);
    if (!input) return failure(input.error());
    const auto answers = [&](const LoadedModel& model) {
        at::Tensor best = model.vit->forward(*input).argmax(1).to(at::kCPU);
        m_progress.done(n);
        return best;
    };
    const at::Tensor before = answers(*m_stored->model);
    for (const int head : heads) {
        if (m_context.stop.stop_requested()) return failure(cancelled());
        const HeadChange& change = m_table->form().heads[head];
        m_progress.tell(headsText(change) + ", pictures from " + std::to_string(first + 1) + " of " +
                            std::to_string(m_pictures->count()),
                        0);
        const auto model = loadModel(withChange(m_request.run.model, change), m_stored->device, precision());
        if (!model) return failure(ofHead(model.error(), change));
        const at::Tensor after = answers(**model);
        for (int i = 0; i < n; ++i) {
            const auto a = before[i].item<std::int64_t>(), b = after[i].item<std::int64_t>();
            const int label = m_pictures->label(first + i);
            const double wasRight = a == label, isRight = b == label, other = a != b;
            m_table->put(head, first + i, {isRight, wasRight - isRight, other});
        }
        if (auto kept = m_table->keep(false); !kept) return kept;
    }
    return {};
}

Result<void> ClassifiedSweep::work() {
    double pictures = 0;
    (void)overPictures([&](int first, int n) -> Result<void> {
        const auto heads = static_cast<double>(m_table->missing(first, n).size());
        if (heads > 0) pictures += n * (1 + heads);
        return {};
    });
    m_before = m_table->completeHeads();
    m_progress.start(pictures);
    const KeptAtEnd keptAtEnd{*m_table};
    auto measured = overPictures([&](int first, int n) { return measure(first, n); });
    if (!measured) return measured;
    return m_table->finish();
}

SweepReport ClassifiedSweep::report() const {
    SweepReport report;
    report.numbers = m_table->form().numbers;
    report.rows = m_table->rows();
    report.pictures = m_table->form().pictures(), report.before = m_before;
    report.device = describeCompute(m_stored->device, precision(), m_stored->threads);
    return report;
}

}  // namespace

Result<SweepReport> sweepClassified(const SweepRequest& request, const ModelCard& card, const JobContext& context,
                                    const ReadTestSet& readTestSet) {
    ClassifiedSweep sweep(request, card, context);
    if (auto opened = sweep.open(readTestSet); !opened) return failure(opened.error());
    if (auto worked = sweep.work(); !worked) return failure(worked.error());
    return sweep.report();
}

}  // namespace ropescope
