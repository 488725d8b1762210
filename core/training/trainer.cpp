// SPDX-License-Identifier: Apache-2.0
#include "core/training/trainer.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <numbers>
#include <set>
#include <thread>

#include "core/data/atomic_file.h"
#include "core/engine/machine/device.h"
#include "core/training/train_files.h"
#include "core/training/train_task.h"

namespace ropescope {
namespace {

using Clock = std::chrono::steady_clock;
using Say = std::function<void(const std::string&)>;

constexpr int kLossWindow = 50;

/// One training in this process: everything that stays from step to step.
struct Run {
    TrainSettings settings;
    std::unique_ptr<TrainTask> task;
    std::int64_t total = 0;
    std::set<std::int64_t> seriesSteps;
    TrainState state;
};

Result<Run> prepare(const TrainSettings& s) {
    Result<std::unique_ptr<TrainTask>> task = makeTask(s);
    if (!task) return failure(task.error());
    Run run{s, std::move(*task), 0, {}, {}};
    const double perEpoch = static_cast<double>(run.task->stepsPerEpoch());
    run.total = s.steps > 0 ? s.steps : std::max<std::int64_t>(1, std::llround(s.epochs * perEpoch));
    // Early steps change the most: half-way in square root between even and quadratic spacing.
    for (int i = 0; i < s.series; ++i)
        run.seriesSteps.insert(
            std::llround(static_cast<double>(run.total) * std::pow(static_cast<double>(i) / s.series, 1.5)));
    return run;
}

std::string seriesPath(const Run& run, std::int64_t step) {
    char name[48];
    std::snprintf(name, sizeof name, "/series/step-%06lld.safetensors", static_cast<long long>(step));
    return run.settings.out + name;
}

Result<void> saveSeries(const Run& run, const ParameterStore& store, std::int64_t step) {
    if (!run.seriesSteps.contains(step)) return {};
    return run.task->save(seriesPath(run, step), store.average(), step, Share::ProjectionsAndMaps);
}

std::string progressLine(const Run& run, std::int64_t stepsHere, double secondsHere) {
    const std::int64_t step = run.state.step;
    double loss = 0;
    const std::size_t window = std::min<std::size_t>(100, run.state.losses.size());
    for (std::size_t i = run.state.losses.size() - window; i < run.state.losses.size(); ++i)
        loss += run.state.losses[i];
    const double perStep = secondsHere / static_cast<double>(stepsHere);
    const long left = std::lround(perStep * static_cast<double>(run.total - step));
    char line[200];
    std::snprintf(line, sizeof line, "step %lld/%lld  loss %.5f  %.0f images/s  time left %ld:%02ld:%02ld",
                  static_cast<long long>(step), static_cast<long long>(run.total), loss / static_cast<double>(window),
                  run.settings.batch / perStep, left / 3600, left / 60 % 60, left % 60);
    return line;
}

float trainStep(Run& run, ParameterStore& store) {
    const at::Tensor loss = run.task->loss(store.leaves(), run.state.step);
    loss.backward();
    ++run.state.step;
    store.step(learningRate(run.settings, run.state.step, run.total), run.state.step);
    return loss.item<float>();
}

Result<void> trainSteps(Run& run, ParameterStore& store, const Say& say) {
    const Clock::time_point start = Clock::now();
    Clock::time_point said = start;
    const std::int64_t first = run.state.step;
    const double before = run.state.seconds;
    if (Result<void> saved = saveSeries(run, store, run.state.step); !saved) return saved;
    while (run.state.step < run.total) {
        run.state.losses.push_back(trainStep(run, store));
        const Clock::time_point now = Clock::now();
        run.state.seconds = before + std::chrono::duration<double>(now - start).count();
        if (!std::isfinite(run.state.losses.back()))
            return failure({ErrorKind::Refused, "loss", run.settings.out,
                            "the loss is not finite at step " + std::to_string(run.state.step), "", "",
                            "Lower --lr or --map-lr-scale, or use --precision fp32"});
        if (now - said > std::chrono::seconds(10) || run.state.step == run.total) {
            said = now;
            say(progressLine(run, run.state.step - first, run.state.seconds - before));
        }
        if (Result<void> saved = saveSeries(run, store, run.state.step); !saved) return saved;
        if (run.state.step % run.settings.saveEvery != 0 && run.state.step != run.total) continue;
        run.state.parameters = store.state();
        if (Result<void> saved = saveState(run.settings, run.state); !saved) return saved;
        if (Result<void> saved = saveLosses(run.settings.out + "/loss.csv", run.state.losses, kLossWindow); !saved)
            return saved;
    }
    return {};
}

std::string machine(at::Device device) {
    if (device.is_cuda()) return cudaDevices().names.at(device.index());
    return std::to_string(std::thread::hardware_concurrency()) + " processor cores, " +
           std::to_string(at::get_num_threads()) + " used (vector instructions: " + at::get_cpu_capability() + ")";
}

Result<void> saveSummary(const Run& run) {
    double loss = 0;
    const std::size_t window = std::min<std::size_t>(500, run.state.losses.size());
    for (std::size_t i = run.state.losses.size() - window; i < run.state.losses.size(); ++i)
        loss += run.state.losses[i];
    const nlohmann::json summary = {{"recipe", nlohmann::json::parse(recipeJson(run.settings))},
                                    {"data", run.task->data().description},
                                    {"steps", run.state.step},
                                    {"images_seen", run.state.step * run.settings.batch},
                                    {"seconds", run.state.seconds},
                                    {"machine", machine(chooseDevice(run.settings.device).value())},
                                    {"final_loss", loss / static_cast<double>(window)}};
    const std::string text = summary.dump(2) + "\n";
    return writeFileAtomically(run.settings.out + "/training.json", {std::as_bytes(std::span(text))});
}

// Keeps freed memory in the process: every step asks for the same large blocks, and giving them back costs page faults
// worth an eighth of the time.
void keepFreedMemory() {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
    mallopt(M_TOP_PAD, 64 << 20);
#endif
}

Error folderError(const std::string& folder, const std::string& reason) {
    return {ErrorKind::Refused, "out", place({folder}), reason, "", "", "Choose another --out"};
}

}  // namespace

double learningRate(const TrainSettings& s, std::int64_t step, std::int64_t total) {
    const double rise = s.warmUp > 0 ? std::min(1.0, static_cast<double>(step) / static_cast<double>(s.warmUp)) : 1.0;
    const double share =
        total > s.warmUp ? std::max(0.0, static_cast<double>(step - s.warmUp) / static_cast<double>(total - s.warmUp))
                         : 0.0;
    return s.rate * rise * 0.5 * (1 + std::cos(std::numbers::pi * share));
}

Result<std::string> train(const TrainSettings& settings, const Say& say) {
    at::set_num_threads(settings.threads);
    keepFreedMemory();
    std::error_code error;
    std::filesystem::create_directories(settings.out + "/series", error);
    if (error) return failure(folderError(settings.out, "the folder cannot be made: " + error.message()));
    Result<Run> prepared = prepare(settings);
    if (!prepared) return failure(prepared.error());
    Run& run = *prepared;
    // Known by now: makeTask asked for it.
    const at::Device device = chooseDevice(settings.device).value();
    ParameterStore store(run.task->initialWeights(), settings.optimizer, run.task->fixed(), device);
    Result<std::optional<TrainState>> saved = loadState(settings);
    if (!saved) return failure(saved.error());
    if (*saved) {
        run.state = std::move(**saved);
        store.restore(run.state.parameters);
        say("going on from step " + std::to_string(run.state.step));
    }
    if (Result<void> done = trainSteps(run, store, say); !done) return failure(done.error());
    const std::string path = settings.out + "/model.safetensors";
    if (Result<void> done = run.task->save(path, store.average(), run.state.step, Share::All); !done)
        return failure(done.error());
    if (Result<void> done = saveSummary(run); !done) return failure(done.error());
    return path;
}

}  // namespace ropescope
