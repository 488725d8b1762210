// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <filesystem>

#include "core/engine/bench/bench.h"
#include "core/engine/machine/device.h"
#include "core/engine/network/loaded_model.h"
#include "core/engine/run/generate.h"

namespace ropescope {
namespace {

using Clock = std::chrono::steady_clock;

double millisecondsSince(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

GenerateRequest shippedRequest(const BenchOptions& options, RecordFields record) {
    GenerateRequest r;
    r.model.path = options.model;
    r.compute.device = options.device;
    r.compute.threads = options.threads;
    r.steps = 20;
    r.guidance = 2;
    r.record = record;
    return r;
}

struct Timing {
    double whole = 0;  ///< ms
    double first = 0;  ///< ms until the first preview
};

Timing timeGeneration(const GenerateRequest& request) {
    Timing timing;
    JobContext context;
    const Clock::time_point start = Clock::now();
    context.onProgress = [&](const GenerateProgress& p) {
        if (p.step == 1) timing.first = millisecondsSince(start);
    };
    const auto result = generate(request, context);
    if (!result) throw std::runtime_error(result.error().message());
    timing.whole = millisecondsSince(start);
    return timing;
}

void fillShipped(const BenchOptions& options, std::vector<BenchRow>& rows) {
    std::vector<double> plain, recorded, preview;
    for (int i = -1; i < options.repeat; ++i) {  // one round to warm up
        forgetModel();
        const Timing cold = timeGeneration(shippedRequest(options, RecordFields::None));
        const Timing without = timeGeneration(shippedRequest(options, RecordFields::None));
        const Timing with = timeGeneration(shippedRequest(options, RecordFields::All));
        if (i < 0) continue;
        preview.push_back(cold.first);
        plain.push_back(without.whole);
        recorded.push_back(with.whole);
    }
    rows[0].value = median(plain) / 1000;
    rows[1].value = median(preview);
    rows[2].value = (median(recorded) / median(plain) - 1) * 100;
}

}  // namespace

std::vector<BenchRow> benchShipped(const BenchOptions& options) {
    std::vector<BenchRow> rows = {
        {"shipped_generation", "s", "20 guided steps of the shipped model, previews included", 1.0, {}, ""},
        {"first_preview", "ms", "from the request to the first preview, model file read anew", 150, {}, ""},
        {"field_recording", "%", "added by the fields of all heads, layers and steps", 25, {}, ""}};
    if (std::filesystem::exists(options.model)) {
        fillShipped(options, rows);
    } else {
        for (BenchRow& row : rows) row.note = "not measured: give the model's file with --model";
    }
    return rows;
}

std::vector<BenchRow> benchDitB2(const BenchOptions& options) {
    const c10::InferenceMode inference;
    const at::Device device = chooseDevice(options.device).value();
    const DitShape shape{12, 12, 64, 2, 4, 8, 1000, 10000, findEncoding("harope").value(), Convention::Inverse};
    const DitInference model(initialDitWeights(shape, {16, 16}, 1), shape, device, at::kFloat);
    std::vector<double> times;
    for (int i = 0; i < 50; ++i) times.push_back(999 - 20 * i);
    const DitConditions conditions = model.conditions(times, {207, 1000}, {16, 16});
    const at::Tensor x = at::ones({2, 4, 32, 32});
    std::vector<double> steps;
    for (int i = -2; i < options.repeat; ++i) {
        const Clock::time_point start = Clock::now();
        // Reading one number waits for a GPU to finish.
        (void)model.forward(x, conditions, (i + 2) % 50).flatten()[0].item<float>();
        if (i >= 0) steps.push_back(millisecondsSince(start) / 1000);
    }
    BenchRow row{
        "dit_b2_guided_step", "s", "one guided step of DiT-B/2, random weights, 2 x 256 tokens, float32", {}, {}, ""};
    row.value = median(steps);
    row.note = "tests/bench/side_by_side.py runs it interleaved with PyTorch eager";
    return {row};
}

}  // namespace ropescope
