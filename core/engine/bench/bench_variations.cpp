// SPDX-License-Identifier: Apache-2.0
// What a changed head costs, on the shipped model.
#include <chrono>
#include <filesystem>
#include <stdexcept>

#include "core/engine/bench/bench.h"
#include "core/engine/measure/pair.h"
#include "core/engine/run/generate.h"
#include "core/engine/weights/heads.h"

namespace ropescope {
namespace {

using Clock = std::chrono::steady_clock;

double millisecondsSince(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

GenerateRequest shipped(const BenchOptions& options, double tau) {
    GenerateRequest r;
    r.model.path = options.model;
    r.compute.device = options.device, r.compute.threads = options.threads;
    r.steps = 20, r.guidance = 2, r.previews = false;
    if (tau == 1) return r;
    HeadChange dial;
    dial.layer = 3, dial.head = 1, dial.amount = tau;
    r.model.changes = {dial};
    return r;
}

template <class T>
T take(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message());
    return std::move(*result);
}

double kernelTime(const BenchOptions& options, double tau) {
    HeadsRequest request;
    request.model = shipped(options, tau).model;
    request.heads = {{3, 0}, {3, 1}, {3, 2}, {3, 3}, {2, 0}, {2, 1}};
    const Clock::time_point start = Clock::now();
    (void)take(reportHeads(request, {}));
    return millisecondsSince(start);
}

double pictureTime(const GenerateRequest& request) {
    const Clock::time_point start = Clock::now();
    (void)take(generate(request, {}));
    return millisecondsSince(start);
}

double pairTime(const BenchOptions& options, const std::string& other) {
    PairRequest request;
    request.run = shipped(options, 1);
    request.against.path = other;
    const Clock::time_point start = Clock::now();
    (void)take(runPair(request, {}));
    return millisecondsSince(start);
}

}  // namespace

std::vector<BenchRow> benchVariations(const BenchOptions& options) {
    std::vector<BenchRow> rows = {
        {"dial_kernels", "ms", "a new tau of one head: reports of 6 heads, no file read", 16, {}, ""},
        {"changed_picture", "s", "a new tau of one head: its picture of 20 guided steps, no file read", 0.3, {}, ""},
        {"pair_over_one", "x", "two shipped models in step, over one alone", 2.1, {}, ""}};
    namespace fs = std::filesystem;
    const fs::path other = fs::path(options.model).parent_path().parent_path() / "fashion-rope/model.safetensors";
    if (!fs::exists(options.model) || !fs::exists(other)) {
        for (BenchRow& row : rows) row.note = "not measured: give the shipped model's file with --model";
        return rows;
    }
    std::vector<double> kernels, pictures, ratios;
    for (int i = -1; i < options.repeat; ++i) {  // one round to warm up
        const double tau = 0.5 + 0.01 * (i + 1);
        const double kernel = kernelTime(options, tau), picture = pictureTime(shipped(options, tau));
        const double one = pictureTime(shipped(options, 1)), pair = pairTime(options, other.string());
        if (i < 0) continue;
        kernels.push_back(kernel), pictures.push_back(picture), ratios.push_back(pair / one);
    }
    rows[0].value = median(kernels);
    rows[1].value = median(pictures) / 1000;
    rows[2].value = median(ratios);
    return rows;
}

}  // namespace ropescope
