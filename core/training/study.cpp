// SPDX-License-Identifier: Apache-2.0
#include "core/training/study.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/checkpoint/sha256.h"
#include "core/data/atomic_file.h"
#include "core/training/fused_vit.h"
#include "core/training/tensor_array.h"
#include "core/training/trainer.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;
using Say = std::function<void(const std::string&)>;

Error usage(std::string reason, std::string found, std::string expected) {
    return {ErrorKind::Usage,    "study",           "study", std::move(reason), std::move(found),
            std::move(expected), "See study --help"};
}

std::string textOf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Held while a run is done, by one process of all that share the folder; the system frees it when the process dies.
class RunLock {
public:
    explicit RunLock(const std::string& folder)
        : m_file(open((folder + "/lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644)) {
        m_held = m_file >= 0 && flock(m_file, LOCK_EX | LOCK_NB) == 0;
    }
    ~RunLock() {
        if (m_file >= 0) close(m_file);
    }
    RunLock(const RunLock&) = delete;
    RunLock& operator=(const RunLock&) = delete;
    [[nodiscard]] bool held() const { return m_held; }

private:
    int m_file;
    bool m_held = false;
};

std::string today() {
    const std::time_t now = std::time(nullptr);
    char text[16];
    std::strftime(text, sizeof text, "%Y-%m-%d", std::gmtime(&now));
    return text;
}

/// The weights as the file holds them.
Result<WeightTable> storedWeights(const std::string& path) {
    const Result<SafetensorsContent> content = readSafetensorsFile(path);
    if (!content) return failure(content.error());
    WeightTable weights;
    for (const auto& [name, array] : content->arrays)
        if (!name.starts_with("selfcheck.")) weights[name] = toTensor(array).to(at::kFloat);
    return weights;
}

std::string resultPath(const std::string& runFolder) {
    return runFolder + "/result.json";
}

/// Is the run finished? Errors: Refused when it had other settings.
Result<bool> isFinished(const TrainSettings& s) {
    const std::string text = textOf(resultPath(s.out));
    if (text.empty()) return false;
    const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
    if (json.is_discarded() || !json.contains("recipe") || json["recipe"].dump() != recipeJson(s))
        return failure({ErrorKind::Refused, "study", place({resultPath(s.out)}), "the finished run had other settings",
                        "", "", "Give the same options, or another --out"});
    return true;
}

Result<void> writeResult(const StudySettings& settings, const TrainSettings& s, const Dataset& test, double seconds) {
    const Result<WeightTable> weights = storedWeights(s.out + "/model.safetensors");
    if (!weights) return failure(weights.error());
    const Encoding& encoding = **findEncoding(s.encoding);
    const Grid grid{static_cast<int>(test.images.size(2)) / s.patch, static_cast<int>(test.images.size(3)) / s.patch};
    const ViTShape shape = trainedViTShape(s, encoding, static_cast<int>(test.images.size(1)),
                                           static_cast<int>(test.classNames.size()), grid);
    const std::clock_t start = std::clock();
    nlohmann::json top1;
    for (const int side : settings.sizes)
        top1[std::to_string(side)] = accuracyAt(*weights, shape, test, side, s.precision);
    const nlohmann::json training = nlohmann::json::parse(textOf(s.out + "/training.json"));
    const std::string model = textOf(s.out + "/model.safetensors");
    const nlohmann::json result = {
        {"recipe", nlohmann::json::parse(recipeJson(s))},
        {"seed", s.seed},
        {"top1", top1},
        {"test", test.description},
        {"model_sha256", sha256(std::as_bytes(std::span(model)))},
        {"processor_seconds", seconds + static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC},
        {"machine", training.at("machine")},
        {"date", today()}};
    const std::string text = result.dump(2) + "\n";
    return writeFileAtomically(resultPath(s.out), {std::as_bytes(std::span(text))});
}

Result<std::vector<StudyRow>> wantedRows(const StudySettings& settings) {
    std::vector<StudyRow> rows;
    std::string known;
    for (const StudyRow& row : studyRows()) known += (known.empty() ? "" : ", ") + row.name;
    for (const std::string& name : settings.rows) {
        const StudyRow* row = findStudyRow(name);
        if (!row) return failure(usage("no such row", printable(name), known));
        rows.push_back(*row);
    }
    if (settings.rows.empty()) rows.assign(studyRows().begin(), studyRows().end());
    for (const int side : settings.sizes)
        if (side < settings.base.patch || side % settings.base.patch != 0)
            return failure(usage("a size is no multiple of the patch", std::to_string(side),
                                 "multiples of " + std::to_string(settings.base.patch)));
    return rows;
}

/// One run, unless it is finished or done elsewhere. True when it was done here.
Result<bool> doRun(const StudySettings& settings, const StudyRow& row, std::uint64_t seed, const Dataset& test,
                   const Say& say) {
    TrainSettings s = runSettings(settings.base, row, seed);
    if (Result<void> fits = checkChoices(s); !fits) return failure(fits.error());
    std::error_code error;
    fs::create_directories(s.out, error);
    const RunLock lock(s.out);
    if (error || !lock.held()) {
        if (!fs::exists(s.out)) return failure(usage("the folder cannot be made", printable(s.out), ""));
        return false;
    }
    const Result<bool> done = isFinished(s);
    if (!done) return failure(done.error());
    if (*done) return false;
    const std::string name = row.name + ", seed " + std::to_string(seed);
    say(name);
    const std::clock_t start = std::clock();
    if (Result<std::string> model = train(s, [&](const std::string& line) { say(name + ": " + line); }); !model)
        return failure(model.error());
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    if (Result<void> written = writeResult(settings, s, test, seconds); !written) return failure(written.error());
    fs::remove(s.out + "/state.safetensors", error);  // a finished run needs it no more
    return true;
}

Result<bool> budgetLeft(const StudySettings& settings) {
    if (settings.budget <= 0) return true;
    const Result<std::vector<StudyRun>> runs = finishedRuns(settings.base.out);
    if (!runs) return failure(runs.error());
    double seconds = 0;
    for (const StudyRun& run : *runs) seconds += run.processorSeconds;
    return seconds < 60 * settings.budget;
}

}  // namespace

double accuracyAt(const WeightTable& weights, const ViTShape& shape, const Dataset& test, int side,
                  Precision precision) {
    const at::NoGradGuard noGrad;
    std::int64_t right = 0;
    const std::int64_t images = test.images.size(0);
    for (std::int64_t begin = 0; begin < images; begin += 250) {
        const std::int64_t count = std::min<std::int64_t>(250, images - begin);
        at::Tensor x = toSignal(test.images.narrow(0, begin, count));
        if (x.size(2) != side || x.size(3) != side) x = at::_upsample_bicubic2d_aa(x, {side, side}, false).clamp(-1, 1);
        const at::Tensor found = trainingForward(weights, shape, x, precision).argmax(1);
        right += found.eq(test.labels.narrow(0, begin, count)).sum().item<std::int64_t>();
    }
    return static_cast<double>(right) / static_cast<double>(images);
}

Result<void> runStudy(const StudySettings& settings, const Say& say, const std::function<Result<void>()>& finished) {
    const Result<std::vector<StudyRow>> rows = wantedRows(settings);
    if (!rows) return failure(rows.error());
    const Result<Dataset> test = readIdxFolder(settings.base.data, Split::Test);
    if (!test) return failure(test.error());
    for (int seed = 1; seed <= settings.seeds; ++seed)
        for (const StudyRow& row : *rows) {
            const Result<bool> left = budgetLeft(settings);
            if (!left) return failure(left.error());
            if (!*left) {
                say("the budget is used up");
                return {};
            }
            const Result<bool> done = doRun(settings, row, static_cast<std::uint64_t>(seed), *test, say);
            if (!done) return failure(done.error());
            if (!*done) continue;
            if (Result<void> told = finished(); !told) return told;
        }
    return {};
}

Result<std::vector<StudyRun>> finishedRuns(const std::string& out) {
    std::vector<StudyRun> runs;
    for (const StudyRow& row : studyRows()) {
        if (row.folder != row.name) continue;  // another row's runs
        for (int seed = 1; seed <= 1000; ++seed) {
            const std::string folder = out + "/" + row.folder + "/seed-" + std::to_string(seed);
            if (!fs::exists(folder)) break;
            const std::string text = textOf(resultPath(folder));
            if (text.empty()) continue;
            try {
                const nlohmann::json json = nlohmann::json::parse(text);
                StudyRun run{
                    row.folder,         json.at("seed"), {}, json.at("processor_seconds"), json.at("model_sha256"),
                    json.at("machine"), json.at("date")};
                for (const auto& [side, share] : json.at("top1").items()) run.top1[std::stoi(side)] = share;
                runs.push_back(std::move(run));
            } catch (const std::exception&) {
                return failure({ErrorKind::Refused, "study", place({resultPath(folder)}), "not a result of this study",
                                "", "", "Delete the file: the run is repeated"});
            }
        }
    }
    return runs;
}

}  // namespace ropescope
