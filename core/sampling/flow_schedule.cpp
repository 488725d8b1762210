// SPDX-License-Identifier: Apache-2.0
#include "core/sampling/flow_schedule.h"

#include <cmath>
#include <stdexcept>

namespace ropescope {
namespace {

double shifted(double sigma, double s) {
    return s * sigma / (1 + (s - 1) * sigma);
}

}  // namespace

std::vector<FlowStep> shiftedFlowSteps(int steps, double shift, FlowSpacing spacing) {
    if (steps < 1 || !(shift > 0)) throw std::invalid_argument("shiftedFlowSteps: at least one step, a positive shift");
    const double last = spacing == FlowSpacing::Even ? 1.0 / steps : shifted(0.001, shift);
    std::vector<FlowStep> flow(steps);
    for (int i = 0; i < steps; ++i) flow[i].time = shifted(steps == 1 ? 1 : 1 + (last - 1) * i / (steps - 1), shift);
    for (int i = 0; i < steps; ++i) flow[i].next = i + 1 < steps ? flow[i + 1].time : 0;
    return flow;
}

double fluxShift(int imageTokens) {
    return std::exp(0.5 + (1.15 - 0.5) * (imageTokens - 256) / (4096 - 256));
}

Result<SamplingPlan> planFlow(Sampler sampler, std::vector<FlowStep> steps) {
    if (sampler == Sampler::Auto) sampler = Sampler::Euler;
    if (sampler != Sampler::Euler && sampler != Sampler::Heun && sampler != Sampler::Dpmpp2m)
        return failure({ErrorKind::Usage, "bad-sampler", "--sampler", "the sampler does not fit the model",
                        samplerName(sampler), "euler, heun or dpmpp-2m (velocity model)",
                        "Choose another or leave it out"});
    SamplingPlan plan;
    plan.sampler = sampler;
    for (const FlowStep& step : steps) {
        plan.times.push_back(kTrainedSteps * step.time);
        if (sampler == Sampler::Heun) plan.times.push_back(kTrainedSteps * step.next);
    }
    plan.flow = std::move(steps);
    plan.plainEnd = true;
    return plan;
}

}  // namespace ropescope
