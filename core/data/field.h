// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "core/data/model.h"

namespace ropescope {

/// How the attention of a head is shared between picture and text, where both are in one attention (of the head): means
/// over the picture's queries and over the text's. The other two shares are 1 minus these.
struct JointShares {
    int text = 0;            ///< text tokens; 0: no text in this attention, shares mean nothing
    double imageToText = 0;  ///< share on text tokens, of picture queries
    double textToImage = 0;  ///< share on picture tokens, of text queries
};

/// Measured receptive field of one head in one forward pass, over offsets key minus query, averaged over the batch
/// (conditional half under guidance). Arrays are [2h-1, 2w-1] row-major, zero offset in the middle.
struct HeadField {
    HeadId id;
    Grid grid;
    std::vector<float> sum;   ///< (1/N) sum of attention in the bin; all bins sum to 1 (minus text and class shares)
    std::vector<float> mean;  ///< attention per pair in the bin: for looking
    double entropy = 0;       ///< mean over picture queries of -sum alpha ln alpha over all keys, nats
    JointShares shares;
};

/// The fields of some heads at one sampling step.
struct StepFields {
    int step = 0;  ///< 0 .. steps-1 in sampling order
    int steps = 0;
    double time = 0;  ///< model time given to the network (original 0..999 scale)
    std::vector<HeadField> heads;
};

/// Numbers of a field, all from `sum` divided by its total (of the head).
struct FieldNumbers {
    double meanDistance = 0;  ///< tokens
    double rmsRadius = 0;     ///< tokens
    double centreRow = 0;     ///< tokens, centre of mass of the offsets
    double centreCol = 0;
    double anisotropy = 0;   ///< 1 - lambda2/lambda1 of the central second moments, 0 if lambda1 = 0
    double orientation = 0;  ///< degrees in (-90, 90], direction of the larger axis, 0 = along columns
    double lambda1 = 0;      ///< tokens^2
    double lambda2 = 0;
    double halfMassRadius = 0;  ///< tokens: smallest distance within which half of the mass lies
    double selfShare = 0;       ///< share on zero offset
    double fieldEntropy = 0;    ///< nats
};

/// Throws std::invalid_argument when the array does not match the grid. Checked by tests/core/data/field_test.cpp.
[[nodiscard]] FieldNumbers measureField(const std::vector<float>& fieldSum, Grid grid);

template <class V>
void fields(V& v, JointShares& s) {
    v("text", s.text), v("image_to_text", s.imageToText), v("text_to_image", s.textToImage);
}
template <class V>
void fields(V& v, HeadField& f) {
    v("id", f.id), v("grid", f.grid), v("sum", f.sum), v("mean", f.mean), v("entropy", f.entropy),
        v("shares", f.shares);
}
template <class V>
void fields(V& v, StepFields& s) {
    v("step", s.step), v("steps", s.steps), v("time", s.time), v("heads", s.heads);
}

}  // namespace ropescope
