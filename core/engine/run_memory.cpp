// SPDX-License-Identifier: Apache-2.0
#include "core/engine/run_memory.h"

#include <ATen/ATen.h>

#include <mutex>
#include <vector>

#include "core/data/codec.h"
#include "core/engine/kept.h"

namespace ropescope {
namespace {

struct LastRun {
    std::mutex mutex;
    std::string key;
    std::weak_ptr<const void> model;
    std::vector<at::Tensor> latents;
};

LastRun& lastRun() {
    static LastRun run;
    return run;
}

}  // namespace

std::string runKey(GenerateRequest request) {
    request.record = RecordFields::None, request.recordHeads.clear(), request.previews = true;
    if (request.noiseFile.empty()) request.batch = 1;
    if (request.labels.size() > 1) request.labels.resize(1);
    request.vae.clear(), request.compute.threads = 0;
    std::string key = settingsJson(request);
    const auto add = [&](const std::vector<std::int64_t>& stamp) {
        for (const std::int64_t value : stamp) key += " " + std::to_string(value);
    };
    add(stampOf(request.model));
    for (const std::string& path :
         {request.noiseFile, request.stepNoiseFile, request.text.encoders, request.text.embeddings})
        add(stampOf(path));
    return key;
}

void beginRun(const GenerateRequest& request, const std::shared_ptr<const void>& model) {
    LastRun& run = lastRun();
    const std::lock_guard lock(run.mutex);
    run.key = runKey(request), run.model = model;
    run.latents.clear();
}

void keepStep(const at::Tensor& latents) {
    LastRun& run = lastRun();
    const std::lock_guard lock(run.mutex);
    run.latents.push_back(latents.narrow(0, 0, 1).to(at::kCPU).clone());
}

at::Tensor keptStep(const GenerateRequest& request, const void* model, int step) {
    LastRun& run = lastRun();
    const std::lock_guard lock(run.mutex);
    const bool same = run.model.lock().get() == model && run.key == runKey(request);
    return same && step < static_cast<int>(run.latents.size()) ? run.latents[step] : at::Tensor();
}

}  // namespace ropescope
