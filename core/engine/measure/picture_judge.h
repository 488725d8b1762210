// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/engine/measure/classifier_input.h"
#include "core/model/small_classifier.h"

namespace ropescope {

/// What tells the classes of drawn pictures: the project's small classifier, on the CPU, or a ViT.
class PictureJudge {
public:
    /// Errors: those of loading either; Refused "not-a-classifier" for another network.
    [[nodiscard]] static Result<PictureJudge> open(const std::string& file, const Compute& compute);

    /// Probabilities [n, classes], float64 on the CPU, of pictures U8 [h,w,3]. Errors: Refused "classifier" when they
    /// are not what it takes.
    [[nodiscard]] Result<at::Tensor> probabilities(const std::vector<Array>& pictures) const;

    /// Are its classes those that the model draws: as many, and of the same names where both have names?
    [[nodiscard]] bool shares(const ModelCard& model) const;

private:
    PictureJudge() = default;
    [[nodiscard]] Result<at::Tensor> smallInput(const std::vector<Array>& pictures) const;

    std::string m_file;
    Precision m_precision = Precision::Fp32;
    std::optional<Classifier> m_small;
    std::optional<OpenClassifier> m_vit;
};

}  // namespace ropescope
