// SPDX-License-Identifier: Apache-2.0
#include "core/engine/run/run_memory.h"

#include <ATen/ATen.h>

#include <mutex>
#include <utility>
#include <vector>

#include "core/data/codec.h"
#include "core/engine/machine/kept.h"

namespace ropescope {
namespace {

struct LastRun {
    std::mutex mutex;
    std::string key;
    std::vector<at::Tensor> latents, clean;
    // A run that has not finished a step yet: until then the one before is still there.
    std::string nextKey;
    std::vector<at::Tensor> nextLatents;
};

LastRun& lastRun() {
    static LastRun run;
    return run;
}

at::Tensor firstOf(const at::Tensor& latents) {
    return latents.narrow(0, 0, 1).to(at::kCPU).clone();
}

at::Tensor of(const LastRun& run, const GenerateRequest& request, const std::vector<at::Tensor>& steps, int step) {
    const bool there = step >= 0 && step < static_cast<int>(steps.size()) && run.key == runKey(request);
    return there ? steps[static_cast<std::size_t>(step)] : at::Tensor();
}

}  // namespace

std::string runKey(GenerateRequest request) {
    request.record = RecordFields::None, request.recordHeads.clear(), request.previews = true;
    if (request.noiseFile.empty()) request.batch = 1;
    if (request.labels.size() > 1) request.labels.resize(1);
    request.vae.clear(), request.compute.threads = 0;
    std::string key = settingsJson(request) + stampText(stampOf(request.model));
    for (const std::string& path :
         {request.noiseFile, request.stepNoiseFile, request.text.encoders, request.text.embeddings})
        key += stampText(stampOf(path));
    return key;
}

void beginRun(const GenerateRequest& request) {
    LastRun& run = lastRun();
    const std::lock_guard lock(run.mutex);
    run.nextKey = runKey(request);
    run.nextLatents.clear();
}

void keepStep(const at::Tensor& latents) {
    LastRun& run = lastRun();
    const std::lock_guard lock(run.mutex);
    (run.nextKey.empty() ? run.latents : run.nextLatents).push_back(firstOf(latents));
}

void keepClean(const at::Tensor& latents) {
    LastRun& run = lastRun();
    const std::lock_guard lock(run.mutex);
    if (!run.nextKey.empty()) {
        run.key = std::exchange(run.nextKey, {});
        run.latents = std::exchange(run.nextLatents, {});
        run.clean.clear();
    }
    run.clean.push_back(firstOf(latents));
}

Result<RunStep> stepKept(Run& run, const LayerFn& onLayer) {
    keepStep(run.latents());
    auto step = run.step(onLayer);
    if (step) keepClean(step->clean);
    return step;
}

at::Tensor keptStep(const GenerateRequest& request, int step) {
    LastRun& run = lastRun();
    const std::lock_guard lock(run.mutex);
    return of(run, request, run.latents, step);
}

at::Tensor keptClean(const GenerateRequest& request, int step) {
    LastRun& run = lastRun();
    const std::lock_guard lock(run.mutex);
    return of(run, request, run.clean, step);
}

}  // namespace ropescope
