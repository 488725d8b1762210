// SPDX-License-Identifier: Apache-2.0
#include "core/engine/measure/pair.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "core/encoding/extrapolation.h"
#include "core/engine/machine/host_copy.h"
#include "core/engine/network/known_card.h"
#include "core/engine/run/run.h"
#include "core/engine/weights/head_kernels.h"

namespace ropescope {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// ---------------------------------------------------------------------------------------------------- what fits

/// `found` is B's, `expected` A's.
Error unfit(const ModelCard& a, const ModelCard& b, const std::string& reason, const std::string& found,
            const std::string& expected, const std::string& advice) {
    return {ErrorKind::Refused, "pair", place({b.path}), "no pair with " + printable(a.name) + ": " + reason, found,
            expected,           advice};
}

/// From the headers, before anything is read.
Result<void> checkKinds(const PairRequest& request) {
    const auto a = knownCard(request.run.model), b = knownCard(request.against);
    if (!a) return failure(a.error());
    if (!b) return failure(b.error());
    if (a->takesText() != b->takesText()) {
        const auto kind = [](const ModelCard& card) { return card.takesText() ? "a prompt" : "a class"; };
        return failure(
            unfit(*a, *b, "the two draw from different things", kind(*b), kind(*a), "Choose two models of one kind"));
    }
    if (a->takesText()) return {};
    const int last = b->nullClass ? b->classes : b->classes - 1;
    for (const int label : request.run.labels)
        if (label > last)
            return failure(unfit(*a, *b, "the model has no such class", "0 to " + std::to_string(last),
                                 std::to_string(label), "Choose a class that both have"));
    return {};
}

std::string latentsText(const RunSetting& setting) {
    return std::to_string(setting.channels) + " channels of " + std::to_string(setting.size.rows) + "x" +
           std::to_string(setting.size.cols);
}

Result<void> checkLatents(const Run& a, const Run& b) {
    const RunSetting &first = a.setting(), &second = b.setting();
    if (first.channels != second.channels || first.size != second.size)
        return failure(unfit(a.card(), b.card(), "latents of another size", latentsText(second), latentsText(first),
                             "Give a --size that both can draw, or choose another model"));
    if (a.decodes() != b.decodes() || first.pixelsPerLatent != second.pixelsPerLatent) {
        const auto said = [](const Run& run) { return run.decodes() ? "a decoder" : "no decoder"; };
        return failure(
            unfit(a.card(), b.card(), "pictures of another size", said(b), said(a), "Give both a decoder with --vae"));
    }
    return {};
}

// ---------------------------------------------------------------------------------------------------- distances

/// ||a - b|| / ||a||; 0 between equal ones, whatever they are.
double relativeDistance(const at::Tensor& a, const at::Tensor& b) {
    const at::Tensor first = a.to(at::kDouble), second = b.to(at::kDouble);
    const double apart = (first - second).norm().item<double>();
    return apart == 0 ? 0 : apart / first.norm().item<double>();
}

/// NaN unless both are there and of one length.
template <class T>
double relativeDistance(const std::vector<T>& a, const std::vector<T>& b) {
    if (a.empty() || a.size() != b.size()) return kNone;
    double apart = 0, whole = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        apart += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
        whole += double(a[i]) * a[i];
    }
    return apart == 0 ? 0 : std::sqrt(apart / whole);
}

double fieldDistance(const StepFields& a, const StepFields& b, HeadId id) {
    const auto first = std::ranges::find(a.heads, id, &HeadField::id);
    const auto second = std::ranges::find(b.heads, id, &HeadField::id);
    const bool both = first != a.heads.end() && second != b.heads.end() && first->grid == second->grid;
    return both ? relativeDistance(first->mean, second->mean) : kNone;
}

// ---------------------------------------------------------------------------------------------------- the runs

/// One of the two, as far as it has come.
struct Side {
    ModelRef model;
    Run run;
    RunStep last;                              ///< the step done last
    std::vector<std::vector<double>> kernels;  ///< of the compared heads, in that step
    GenerateResult result;
};

Result<Side> begun(GenerateRequest request, const ModelRef& model, const JobContext& context) {
    request.model = model;
    auto run = Run::start(request, context);
    if (!run) return failure(run.error());
    return Side{model, std::move(*run), {}, {}, {}};
}

/// Once, but for what changes over a run.
Result<void> findKernels(Side& side, const PairRequest& request, const std::vector<HeadId>& heads) {
    Extrapolate how = request.run.extrapolate;
    const bool moves = followsRun(side.model.changes) || how.method == Extrapolation::TimeAware;
    if (heads.empty() || (!side.kernels.empty() && !moves)) return {};
    const int evaluation = side.last.step * side.run.plan().evaluationsPerStep();
    how.time = imageShare(side.run.plan().times[evaluation]);
    auto kernels = headKernels({side.model, heads, side.run.grid(), how, side.run.setting().progress(evaluation)});
    if (!kernels) return failure(kernels.error());
    side.kernels = std::move(*kernels);
    return {};
}

/// Until that step, counted from 0, is done.
Result<void> advance(Side& side, int step, const PairRequest& request) {
    const Clock::time_point start = Clock::now();
    while (side.run.stepsDone() <= step) {
        auto done = side.run.step();
        if (!done) return failure(done.error());
        side.last = std::move(*done);
        if (request.keepFields && !side.last.fields.heads.empty()) side.result.fields.push_back(side.last.fields);
    }
    side.result.seconds += secondsSince(start);
    return {};
}

Result<void> finish(Side& side) {
    const Clock::time_point start = Clock::now();
    auto pictures = side.run.pictures();
    if (!pictures) return failure(pictures.error());
    side.result.images = std::move(*pictures);
    side.result.latents = arrayOf(side.run.latents());
    side.result.device = side.run.device(), side.result.note = side.run.note();
    side.result.seconds += secondsSince(start);
    return {};
}

PairStep compared(const Side& a, const Side& b, const std::vector<HeadId>& heads) {
    PairStep row;
    row.step = a.last.step + 1, row.stepB = b.last.step + 1;
    row.logSnr = logSnr(a.run.plan(), a.last.step), row.logSnrB = logSnr(b.run.plan(), b.last.step);
    row.latents = relativeDistance(a.last.latents, b.last.latents);
    row.clean = relativeDistance(a.last.clean, b.last.clean);
    for (std::size_t i = 0; i < heads.size(); ++i) {
        row.fields.push_back(fieldDistance(a.last.fields, b.last.fields, heads[i]));
        row.kernels.push_back(relativeDistance(a.kernels[i], b.kernels[i]));
    }
    return row;
}

void tell(const JobContext& context, int step, int steps, double seconds) {
    if (!context.onProgress) return;
    GenerateProgress p;
    p.step = step, p.steps = steps;
    p.secondsPerStep = seconds / step;
    p.secondsLeft = p.secondsPerStep * (steps - step);
    context.onProgress(p);
}

}  // namespace

Result<PairReport> runPair(const PairRequest& request, const JobContext& context) {
    const at::NoGradGuard noGrad;
    const Clock::time_point start = Clock::now();
    if (auto fits = checkKinds(request); !fits) return failure(fits.error());
    auto a = begun(request.run, request.run.model, context);
    if (!a) return failure(a.error());
    auto b = begun(request.run, request.against, context);
    if (!b) return failure(b.error());
    if (auto fits = checkLatents(a->run, b->run); !fits) return failure(fits.error());
    PairReport report;
    report.nameA = a->run.card().name, report.nameB = b->run.card().name;
    report.heads = a->run.setting().heads;
    const std::vector<int> aligned = alignedSteps(a->run.plan(), b->run.plan());
    const Clock::time_point firstStep = Clock::now();
    for (int step = 0; step < a->run.steps(); ++step) {
        if (auto done = advance(*a, step, request); !done) return failure(done.error());
        if (auto done = advance(*b, aligned[step], request); !done) return failure(done.error());
        for (Side* side : {&*a, &*b})
            if (auto found = findKernels(*side, request, report.heads); !found) return failure(found.error());
        report.steps.push_back(compared(*a, *b, report.heads));
        if (report.parting == 0 && report.steps.back().clean > request.partAt) report.parting = step + 1;
        tell(context, step + 1, a->run.steps(), secondsSince(firstStep));
    }
    if (auto done = advance(*b, b->run.steps() - 1, request); !done) return failure(done.error());
    for (Side* side : {&*a, &*b})
        if (auto done = finish(*side); !done) return failure(done.error());
    report.a = std::move(a->result), report.b = std::move(b->result);
    report.seconds = secondsSince(start);
    return report;
}

}  // namespace ropescope
