// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/steps/step_series.h"

#include <algorithm>

namespace ropescope {

std::vector<StepPoint> stepSeries(const std::vector<StepFields>& fields, HeadId head,
                                  const std::vector<StepPoint>& known) {
    std::vector<StepPoint> series;
    for (const StepFields& step : fields) {
        const auto field = std::ranges::find(step.heads, head, &HeadField::id);
        if (field == step.heads.end()) continue;
        if (const StepPoint* point = pointAt(known, step.step)) {
            series.push_back(*point);
            continue;
        }
        const double distance = measureField(field->sum, field->grid).meanDistance;
        series.push_back({step.step, step.time, field->entropy, distance});
    }
    std::ranges::sort(series, {}, &StepPoint::step);
    return series;
}

const StepPoint* pointAt(const std::vector<StepPoint>& series, int step) {
    const auto point = std::ranges::find(series, step, &StepPoint::step);
    return point == series.end() ? nullptr : &*point;
}

}  // namespace ropescope
