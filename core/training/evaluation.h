// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "core/data/error.h"
#include "core/data/model.h"
#include "core/training/classifier.h"
#include "core/training/dataset.h"

namespace ropescope {

/// What to generate and where its judges come from.
struct EvaluationSettings {
    ModelRef model;
    Compute compute;
    std::string data = "/usr/share/datasets/fashion-mnist";
    std::string classifier;  ///< cached classifier file; trained when missing
    std::string out;         ///< folder for evaluation.json, card.md and pictures
    std::string remark;      ///< put into the card
    int classifierEpochs = 6;
    int images = 2000;
    int guidedImages = 500;  ///< at strengths after the first
    int steps = 30;
    std::vector<double> guidance = {1, 2};  ///< the first one is the one that counts
    std::uint64_t seed = 0;
    int neighbours = 3;  ///< k of precision and recall
};

/// Figures of one guidance strength.
struct GuidanceFigures {
    double guidance = 1;
    int images = 0;
    double classAccuracy = 0;          ///< share of pictures that the classifier calls what was asked for
    std::vector<double> perClass;      ///< the same for each class
    double precision = 0, recall = 0;  ///< arXiv 1904.06991, classifier features
    double frechet = 0;                ///< distance to the test pictures, classifier features
    double seconds = 0;
};

struct Evaluation {
    std::vector<GuidanceFigures> figures;
    double frechetFloor = 0;    ///< between as many training pictures and the same test pictures
    double precisionFloor = 0;  ///< training pictures taken as generated ones: what a perfect model would get
    double recallFloor = 0;
    double realAccuracy = 0;  ///< of the classifier on the test set
    at::Tensor generated;     ///< U8 [images,1,h,w] at guidance[0]; labels are i % classes
    at::Tensor guided;        ///< U8, the first 100 at the second strength, or the first when there is only one
    at::Tensor nearest;       ///< U8 [20,1,h,w] nearest training pictures (pixels) of the first 20
};

using Say = std::function<void(const std::string&)>;

/// Generates and measures. Errors: those of the model, the data and generation.
[[nodiscard]] Result<Evaluation> evaluateModel(const EvaluationSettings& settings, const Classifier& classifier,
                                               const Dataset& train, const Dataset& test, const Say& say);

/// evaluation.json: every figure with the names of the classes and how it was made.
[[nodiscard]] std::string evaluationJson(const EvaluationSettings& settings, const Classifier& classifier,
                                         const Dataset& test, const Evaluation& evaluation);

}  // namespace ropescope
