// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/heads/undefined_reason.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string_view>

namespace ropescope {
namespace {

using Keys = std::span<const std::string_view>;

// Keys of core/probe/head_numbers.cpp and core/probe/calibration.cpp by what the number rests on.
constexpr std::array<std::string_view, 10> kOfContent = {
    "log_frequency_shift", "wasserstein", "mean_log_frequency", "std_log_frequency", "row_share",
    "column_share",        "still_share", "long_wave_share",    "sensitivity_1",     "content_strength"};
constexpr std::array<std::string_view, 17> kOfPlanes = {
    "cross_axis_mixing",     "cross_axis_mixing_k",   "mean_principal_angle_q",  "mean_principal_angle_k",
    "max_principal_angle_q", "max_principal_angle_k", "query_key_overlap",       "circularity",
    "wasserstein_map",       "sensitivity_white_1",   "data_mean_log_frequency", "data_std_log_frequency",
    "data_row_share",        "data_column_share",     "data_still_share",        "data_long_wave_share",
    "data_wasserstein"};
constexpr std::array<std::string_view, 6> kOfAxes = {"cross_axis_mixing", "cross_axis_mixing_k", "row_share",
                                                     "column_share",      "data_row_share",      "data_column_share"};
constexpr std::array<std::string_view, 2> kOfText = {"image_to_text", "text_to_image"};

bool holds(Keys keys, std::string_view key) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
}

bool named(const std::vector<HeadNumber>& numbers, const std::string& key) {
    return std::any_of(numbers.begin(), numbers.end(), [&](const HeadNumber& n) { return n.key == key; });
}

bool measured(const OpenModel& model, const std::string& key) {
    if (!model.calibration) return false;
    const auto& numbers = model.calibration->numbers;
    return std::any_of(numbers.begin(), numbers.end(), [&](const MeasuredNumber& n) { return n.key == key; });
}

/// The head has not been read yet: every sound one has singular values.
bool awaited(const AtlasReport& atlas, std::size_t index) {
    const std::size_t first = index * atlas.headDim;
    return first < atlas.singularValues.size() && std::isnan(atlas.singularValues[first]);
}

bool turns(const HeadReport& report) {
    const std::vector<double>& w = report.energy.frequency;
    return std::any_of(w.begin(), w.end(), [](double omega) { return omega != 0; });
}

QString ofReport(const HeadReport& report, std::string_view key) {
    const bool ofContent = holds(kOfContent, key);
    if (!turns(report) && (ofContent || holds(kOfPlanes, key) || key == "data_content_strength"))
        return QObject::tr("because nothing turns in this model");
    if (ofContent && report.kernelWeights.a.empty())
        return QObject::tr("because norms stand between the weights and queries and keys: measure data");
    if (!holds(kOfAxes, key)) return QObject::tr("for this model");
    if (report.kernelWhite.axes == 1) return QObject::tr("because positions have a single axis");
    const bool mixed = report.query.axisMixing.empty();
    return mixed ? QObject::tr("because planes turn along several axes at once") : QObject::tr("for this model");
}

}  // namespace

QString undefinedReason(const OpenModels& models, HeadRef head, const std::string& key) {
    const OpenModel* model = models.find(head.model);
    if (model == nullptr || !model->atlas) return QObject::tr("because its model has no numbers yet");
    const auto index = static_cast<std::size_t>(head.id.layer) * model->atlas->heads + head.id.head;
    if (!model->atlas->problems[index].empty()) return QObject::tr("because the head is marked");
    if (holds(kOfText, key)) {
        return model->takesText() ? QObject::tr("because the selected picture was made without recording it")
                                  : QObject::tr("because it has no text");
    }
    if (awaited(*model->atlas, index)) return QObject::tr("because the head is still being read");
    if (!named(model->atlas->numbers, key)) {
        const bool data = key.starts_with("data_") && !model->calibration;
        return data ? QObject::tr("because it is not measured yet: measure data") : QObject::tr("for this model");
    }
    if (measured(*model, key) && models.calibration(head) == nullptr)
        return QObject::tr("because the head was not among those measured");
    if (const HeadReport* report = models.head(head)) return ofReport(*report, key);
    const bool still = model->card.axes == 0 && (holds(kOfContent, key) || holds(kOfPlanes, key));
    return still ? QObject::tr("because nothing turns in this model")
                 : QObject::tr("because the head is still being read");
}

}  // namespace ropescope
