// SPDX-License-Identifier: Apache-2.0
#include "core/media/similarity.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "core/data/picture_distance.h"

namespace ropescope {
namespace {

constexpr double kSigma = 1.5;
constexpr double kRange = 255;
constexpr double kC1 = (0.01 * kRange) * (0.01 * kRange);
constexpr double kC2 = (0.03 * kRange) * (0.03 * kRange);

std::vector<cv::Mat> channelsOf(const Array& picture) {
    const int count = picture.shape.size() == 3 ? static_cast<int>(picture.shape[2]) : 1;
    const cv::Mat pixels(static_cast<int>(picture.shape[0]), static_cast<int>(picture.shape[1]), CV_8UC(count),
                         const_cast<std::byte*>(picture.bytes.data()));
    std::vector<cv::Mat> channels;
    cv::split(pixels, channels);
    return channels;
}

cv::Mat inDouble(const cv::Mat& channel) {
    cv::Mat out;
    channel.convertTo(out, CV_64F);
    return out;
}

/// The mean under the window wherever it lies within the values.
cv::Mat localMean(const cv::Mat& values) {
    cv::Mat means;
    cv::GaussianBlur(values, means, {kSimilarityWindow, kSimilarityWindow}, kSigma, kSigma);
    const int edge = kSimilarityWindow / 2;
    return means(cv::Rect(edge, edge, values.cols - 2 * edge, values.rows - 2 * edge));
}

double channelSimilarity(const cv::Mat& a, const cv::Mat& b) {
    const cv::Mat meanA = localMean(a), meanB = localMean(b);
    const cv::Mat meanProduct = meanA.mul(meanB);
    const cv::Mat meanSquares = meanA.mul(meanA) + meanB.mul(meanB);
    const cv::Mat covariance = localMean(a.mul(b)) - meanProduct;
    const cv::Mat variances = localMean(a.mul(a) + b.mul(b)) - meanSquares;
    const cv::Mat above = (2 * meanProduct + kC1).mul(2 * covariance + kC2);
    const cv::Mat below = (meanSquares + kC1).mul(variances + kC2);
    return cv::mean(above / below)[0];
}

}  // namespace

Result<double> structuralSimilarity(const Array& a, const Array& b) {
    if (const auto same = checkSameSize(a, b); !same) return failure(same.error());
    if (std::min(a.shape[0], a.shape[1]) < kSimilarityWindow) {
        const std::string side = std::to_string(kSimilarityWindow);
        return failure({ErrorKind::Refused, "picture-size", "",
                        "the pictures are smaller than the window of the similarity", pictureSize(a),
                        "at least " + side + " x " + side + " pixels", "Compare larger pictures"});
    }
    const auto left = channelsOf(a), right = channelsOf(b);
    double sum = 0;
    for (std::size_t i = 0; i < left.size(); ++i) sum += channelSimilarity(inDouble(left[i]), inDouble(right[i]));
    return sum / static_cast<double>(left.size());
}

}  // namespace ropescope
