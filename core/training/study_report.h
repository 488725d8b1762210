// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/data/error.h"
#include "core/training/study.h"

namespace ropescope {

/// Mean and the half-width of its 95 % interval, from Student's t distribution with n - 1 degrees of freedom. One value
/// has no interval; none at all has no mean (std::invalid_argument).
struct Interval {
    double mean = 0;
    std::optional<double> half;
    int count = 0;
};
[[nodiscard]] Interval interval95(const std::vector<double>& values);

/// One figure that somebody published.
struct PublishedFigure {
    std::string source, model, data, metric;
    int resolution = 0;
    std::string row;  ///< the row of the study that it is shown beside
    double value = 0;
};
/// Reads a CSV with the header source,model,data,metric,resolution,row,value; texts may stand in double quotes.
/// Errors: Refused, naming the line.
[[nodiscard]] Result<std::vector<PublishedFigure>> readPublished(const std::string& path);

/// What the reports are made of.
struct StudyReport {
    std::vector<StudyRun> runs;
    std::vector<PublishedFigure> published;
    std::vector<int> sizes;
    std::string setup;  ///< one paragraph: network, data, training
};

/// Every run and, per row and size, mean and interval.
[[nodiscard]] std::string studyJson(const StudyReport& report);
/// A table of encodings and one of matrices, published figures beside ours, and how to read them.
[[nodiscard]] std::string studyMarkdown(const StudyReport& report);
/// Top-1 over the side of the test images: encodings, matrices, and the published encodings in a panel of their own.
[[nodiscard]] std::string studySvg(const StudyReport& report);

}  // namespace ropescope
