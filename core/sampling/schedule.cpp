// SPDX-License-Identifier: Apache-2.0
#include "core/sampling/schedule.h"

#include <cmath>
#include <numbers>
#include <stdexcept>

namespace ropescope {
namespace {

Error stepsError(int steps, const std::string& expected) {
    return {ErrorKind::Usage,
            "bad-steps",
            "--steps",
            "this number of steps is not possible",
            std::to_string(steps),
            expected,
            "Choose another number of steps"};
}

/// Number of elements of range(0, 1000, stride).
int strideCount(int stride) {
    return (kTrainedSteps + stride - 1) / stride;
}

std::vector<double> trainedAlphaBars() {
    std::vector<double> bars(kTrainedSteps);
    double product = 1;
    for (int i = 0; i < kTrainedSteps; ++i) {
        product *= 1 - (1e-4 + (2e-2 - 1e-4) * i / (kTrainedSteps - 1));
        bars[i] = product;
    }
    return bars;
}

}  // namespace

Result<std::vector<int>> respaceEvenly(int steps) {
    if (steps < 1 || steps > kTrainedSteps) return failure(stepsError(steps, "1 to 1000"));
    const double stride = steps > 1 ? double(kTrainedSteps - 1) / (steps - 1) : 1;
    std::vector<int> times;
    double position = 0;  // accumulated, not multiplied: ties then fall as in the original code
    for (int i = 0; i < steps; ++i, position += stride) {
        const int time = static_cast<int>(std::nearbyint(position));
        if (times.empty() || times.back() != time) times.push_back(time);
    }
    return times;
}

Result<std::vector<int>> respaceByStride(int steps) {
    if (steps < 1 || steps > kTrainedSteps) return failure(stepsError(steps, "1 to 1000"));
    int stride = 1;
    while (strideCount(stride) > steps) ++stride;
    if (strideCount(stride) != steps) {
        return failure(stepsError(steps, std::to_string(strideCount(stride)) + " or " +
                                             std::to_string(strideCount(stride - 1)) + " for ddim"));
    }
    std::vector<int> times;
    for (int time = 0; time < kTrainedSteps; time += stride) times.push_back(time);
    return times;
}

Result<std::vector<int>> respaceToEnd(int steps) {
    if (steps < 1 || steps >= kTrainedSteps) return failure(stepsError(steps, "1 to 999"));
    std::vector<int> times;
    for (int i = 1; i <= steps; ++i)
        times.push_back(static_cast<int>(std::nearbyint(double(kTrainedSteps - 1) * i / steps)));
    return times;
}

std::vector<DiffusionStep> diffusionSteps(const std::vector<int>& times) {
    const std::vector<double> bars = trainedAlphaBars();
    const int count = static_cast<int>(times.size());
    std::vector<double> posterior(count);
    std::vector<DiffusionStep> steps(count);
    for (int i = 0; i < count; ++i) {
        const double bar = bars.at(times[i]);
        const double previous = i > 0 ? bars.at(times[i - 1]) : 1;
        const double beta = 1 - bar / previous;
        posterior[i] = beta * (1 - previous) / (1 - bar);
        DiffusionStep& step = steps[count - 1 - i];
        step.time = times[i];
        step.alphaBar = bar;
        step.alphaBarPrev = previous;
        step.cleanFromX = 1 / std::sqrt(bar);
        step.cleanFromEps = std::sqrt(1 / bar - 1);
        step.meanFromClean = beta * std::sqrt(previous) / (1 - bar);
        step.meanFromX = (1 - previous) * std::sqrt(1 - beta) / (1 - bar);
        step.logVarianceMax = std::log(beta);
    }
    // The first posterior variance is 0; a chain of one step has no other and adds no noise either.
    for (int i = 0; i < count; ++i) {
        steps[count - 1 - i].logVarianceMin = count > 1 ? std::log(posterior[i > 0 ? i : 1]) : steps[0].logVarianceMax;
    }
    return steps;
}

std::vector<FlowStep> flowSteps(int steps) {
    if (steps < 1) throw std::invalid_argument("flowSteps: at least one step");
    std::vector<FlowStep> flow(steps);
    for (int i = 0; i < steps; ++i) flow[i] = {double(steps - i) / steps, double(steps - i - 1) / steps};
    return flow;
}

PathPoint pathAt(NoisePath path, double u) {
    switch (path) {
        case NoisePath::Linear:
            return {1 - u, u, -1, 1};
        case NoisePath::Cosine: {
            const double angle = std::numbers::pi / 2 * u;
            const double rate = std::numbers::pi / 2;
            return {std::cos(angle), std::sin(angle), -rate * std::sin(angle), rate * std::cos(angle)};
        }
        case NoisePath::Preserving: {
            constexpr double kLeast = 0.1, kMost = 20;
            const double log = -0.25 * u * u * (kMost - kLeast) - 0.5 * u * kLeast;
            const double change = -0.5 * u * (kMost - kLeast) - 0.5 * kLeast;
            const double a = std::exp(log), b = std::sqrt(-std::expm1(2 * log));
            return {a, b, a * change, b > 0 ? -a * a * change / b : 0};
        }
    }
    return {};
}

double networkTime(const FlowKind& kind, double u) {
    return kind.scale * (kind.noiseAtZero ? 1 - u : u);
}

FlowStep samplingRange(const FlowKind& kind) {
    constexpr double kEnd = 1e-3;
    if (kind.path == NoisePath::Preserving) return {1, kEnd};
    if (kind.prediction != Prediction::Velocity) return {1 - kEnd, kEnd};
    return {1, 0};
}

double learnedLogVariance(const DiffusionStep& step, double value) {
    const double share = (value + 1) / 2;
    return share * step.logVarianceMax + (1 - share) * step.logVarianceMin;
}

double logSnr(const SamplingPlan& plan, int step) {
    if (plan.flow.empty()) {
        const double bar = plan.diffusion.at(step).alphaBar;
        return std::log(bar / (1 - bar));
    }
    const PathPoint point = pathAt(plan.kind.path, plan.flow.at(step).time);
    return 2 * std::log(point.a / point.b);
}

std::vector<int> alignedSteps(const SamplingPlan& plan, const SamplingPlan& other) {
    // Equal infinities are as near as can be.
    const auto apart = [](double a, double b) { return a == b ? 0 : std::abs(a - b); };
    std::vector<int> out;
    for (int step = 0; step < plan.steps(); ++step) {
        const double here = logSnr(plan, step);
        int nearest = 0;
        for (int k = 1; k < other.steps(); ++k)
            if (apart(here, logSnr(other, k)) < apart(here, logSnr(other, nearest))) nearest = k;
        out.push_back(nearest);
    }
    return out;
}

const char* samplerName(Sampler sampler) {
    switch (sampler) {
        case Sampler::Auto:
            return "auto";
        case Sampler::Ddpm:
            return "ddpm";
        case Sampler::Ddim:
            return "ddim";
        case Sampler::Euler:
            return "euler";
        case Sampler::Heun:
            return "heun";
        case Sampler::Dpmpp2m:
            return "dpmpp-2m";
    }
    return "?";
}

Result<SamplingPlan> planSampling(Sampler sampler, const std::string& objective, int steps, const FlowKind& kind) {
    const bool flow = objective == "flow";
    if (objective.empty())
        return failure({ErrorKind::Usage, "time-unknown", "--time",
                        "the file does not say what the network's time means and what it predicts", "",
                        "ddpm, flow, sit or repa", "Give --time"});
    if (!flow && objective != "ddpm") {
        return failure({ErrorKind::Refused, "no-sampler", "", "this kind of model does not generate", objective,
                        "an objective ddpm or flow", "Open a diffusion or flow model to generate"});
    }
    if (sampler == Sampler::Auto) sampler = flow ? Sampler::Euler : Sampler::Ddim;
    const bool flowSampler = sampler == Sampler::Euler || sampler == Sampler::Heun;
    if (sampler != Sampler::Dpmpp2m && flow != flowSampler) {
        return failure({ErrorKind::Usage, "bad-sampler", "--sampler", "the sampler does not fit the model",
                        samplerName(sampler),
                        flow ? "euler, heun or dpmpp-2m (velocity model)" : "ddim, ddpm or dpmpp-2m (eps model)",
                        "Choose another sampler or leave it out"});
    }
    if (steps < 1 || steps > kTrainedSteps) return failure(stepsError(steps, "1 to 1000"));
    SamplingPlan plan;
    plan.sampler = sampler;
    if (flow) {
        const bool straight = kind.path == NoisePath::Linear && kind.prediction == Prediction::Velocity;
        if (sampler == Sampler::Dpmpp2m && !straight)
            return failure({ErrorKind::Usage, "bad-sampler", "--sampler", "the sampler does not fit the model",
                            samplerName(sampler), "euler or heun (" + describeTime(kind) + ")",
                            "Choose another sampler or leave it out"});
        const FlowStep range = samplingRange(kind);
        plan.kind = kind;
        plan.flow = flowSteps(steps);
        for (FlowStep& step : plan.flow) {
            step.time = range.next + (range.time - range.next) * step.time;
            step.next = range.next + (range.time - range.next) * step.next;
            plan.times.push_back(networkTime(kind, step.time));
            if (sampler == Sampler::Heun) plan.times.push_back(networkTime(kind, step.next));
        }
        return plan;
    }
    const auto times = sampler == Sampler::Ddim      ? respaceByStride(steps)
                       : sampler == Sampler::Dpmpp2m ? respaceToEnd(steps)
                                                     : respaceEvenly(steps);
    if (!times) return failure(times.error());
    plan.diffusion = diffusionSteps(*times);
    for (const DiffusionStep& step : plan.diffusion) plan.times.push_back(step.time);
    return plan;
}

}  // namespace ropescope
