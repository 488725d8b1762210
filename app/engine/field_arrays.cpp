// SPDX-License-Identifier: Apache-2.0
#include "app/engine/field_arrays.h"

namespace ropescope {

std::map<std::string, Array> fieldArrays(const std::vector<StepFields>& steps) {
    std::map<std::string, Array> arrays;
    const auto count = static_cast<std::int64_t>(steps.size());
    std::vector<float> times;
    std::map<int, std::vector<float>> sums, means, entropies, toText, toImage;
    std::map<int, std::int64_t> heads;
    Grid grid;
    for (const StepFields& step : steps) {
        times.push_back(static_cast<float>(step.time));
        for (const HeadField& field : step.heads) {
            auto& sum = sums[field.id.layer];
            auto& mean = means[field.id.layer];
            sum.insert(sum.end(), field.sum.begin(), field.sum.end());
            mean.insert(mean.end(), field.mean.begin(), field.mean.end());
            entropies[field.id.layer].push_back(static_cast<float>(field.entropy));
            if (field.shares.text > 0) {
                toText[field.id.layer].push_back(static_cast<float>(field.shares.imageToText));
                toImage[field.id.layer].push_back(static_cast<float>(field.shares.textToImage));
            }
            ++heads[field.id.layer];
            grid = field.grid;
        }
    }
    for (const auto& [layer, total] : heads) {
        const std::vector<std::int64_t> shape = {count, total / count, 2 * grid.rows - 1, 2 * grid.cols - 1};
        arrays["field_sum." + std::to_string(layer)] = makeArray(std::span<const float>(sums[layer]), shape);
        arrays["field_mean." + std::to_string(layer)] = makeArray(std::span<const float>(means[layer]), shape);
        const std::vector<std::int64_t> each = {count, total / count};
        arrays["entropy." + std::to_string(layer)] = makeArray(std::span<const float>(entropies[layer]), each);
        if (toText[layer].empty()) continue;
        arrays["image_to_text." + std::to_string(layer)] = makeArray(std::span<const float>(toText[layer]), each);
        arrays["text_to_image." + std::to_string(layer)] = makeArray(std::span<const float>(toImage[layer]), each);
    }
    arrays["t"] = makeArray(std::span<const float>(times), {count});
    return arrays;
}

}  // namespace ropescope
