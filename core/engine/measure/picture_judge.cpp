// SPDX-License-Identifier: Apache-2.0
#include "core/engine/measure/picture_judge.h"

#include <ATen/ATen.h>

#include <iterator>

namespace ropescope {
namespace {

constexpr std::int64_t kBatch = 64;  ///< pictures at once through a ViT

Error unfit(const std::string& file, std::string reason, std::string found, std::string expected) {
    return {ErrorKind::Refused,
            "classifier",
            place({file}),
            std::move(reason),
            std::move(found),
            std::move(expected),
            "Judge with another --classifier, or with none"};
}

}  // namespace

Result<PictureJudge> PictureJudge::open(const std::string& file, const Compute& compute) {
    PictureJudge judge;
    judge.m_file = file, judge.m_precision = compute.precision;
    if (isClassifierFile(file)) {
        auto small = loadClassifier(file);
        if (!small) return failure(small.error());
        judge.m_small = std::move(*small);
        return judge;
    }
    ModelRef ref;
    ref.path = file;
    auto vit = openClassifier(ref, compute);
    if (!vit) return failure(vit.error());
    judge.m_vit = std::move(*vit);
    return judge;
}

bool PictureJudge::shares(const ModelCard& model) const {
    if (m_small) return m_small->weights.at("classes.bias").size(0) == model.classes;
    const ModelCard& own = m_vit->model->card;
    const bool named = !own.classNames.empty() && !model.classNames.empty();
    return own.classes == model.classes && (!named || own.classNames == model.classNames);
}

/// [n,C,h,w] in [-1, 1]; grey pictures have three equal channels.
Result<at::Tensor> PictureJudge::smallInput(const std::vector<Array>& pictures) const {
    std::vector<at::Tensor> all;
    for (const Array& picture : pictures)
        all.push_back(at::from_blob(const_cast<std::byte*>(picture.bytes.data()), picture.shape, at::kByte));
    at::Tensor bytes = at::stack(all).permute({0, 3, 1, 2});
    const std::int64_t rows = bytes.size(2), cols = bytes.size(3);
    if (!takesSize(*m_small, rows, cols))
        return failure(unfit(m_file, "the classifier takes pictures of another size",
                             std::to_string(rows) + "x" + std::to_string(cols), "those that it was trained on"));
    if (channelsOf(*m_small) == 1) {
        if (!bytes.eq(bytes.narrow(1, 0, 1)).all().item<bool>())
            return failure(unfit(m_file, "the classifier takes grey pictures", "colours", "grey"));
        bytes = bytes.narrow(1, 0, 1);
    }
    return bytes.to(at::kFloat).contiguous() / 127.5 - 1;
}

Result<at::Tensor> PictureJudge::probabilities(const std::vector<Array>& pictures) const {
    std::vector<at::Tensor> scores;
    if (m_small) {
        const auto input = smallInput(pictures);
        if (!input) return failure(input.error());
        scores.push_back(classifierScores(m_small->weights, classifierFeatures(m_small->weights, *input)));
    }
    std::vector<at::Tensor> waiting;
    for (std::size_t i = 0; m_vit && i < pictures.size(); ++i) {
        auto input = readInput(*m_vit, m_precision, "", pictures[i]);
        if (!input) return failure(input.error());
        waiting.push_back(std::move(input->values));
        if (std::ssize(waiting) < kBatch && i + 1 < pictures.size()) continue;
        scores.push_back(m_vit->model->vit->forward(at::cat(waiting)));
        waiting.clear();
    }
    return at::softmax(at::cat(scores).to(at::kCPU, at::kDouble), 1);
}

}  // namespace ropescope
