// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/data/array.h"
#include "core/data/field.h"
#include "core/data/model.h"

namespace ropescope {

/// What does the model see in a picture? Preprocessed as the model's card says.
struct ClassifyRequest {
    ModelRef model;
    Compute compute;
    std::string image;          ///< a PNG, JPEG or WebP file; empty: `pixels`
    Array pixels;               ///< U8 [h,w,3], used when `image` is empty
    int top = 5;                ///< how many classes, best first
    std::vector<HeadId> heads;  ///< whose attention is measured; may be empty
};

struct ClassScore {
    int index = 0;
    std::string label;       ///< the class's name; its number where the file has no names
    double probability = 0;  ///< softmax over all classes, in [0, 1]
    double logit = 0;
};

/// Attention of one head in one pass, the class token's share apart.
struct HeadAttention {
    HeadField field;             ///< of patch queries over patch keys; its bins sum to 1 - classShare
    double classShare = 0;       ///< mean attention of the patches to the class token, in [0, 1]
    double classToItself = 0;    ///< attention of the class token to itself
    std::vector<float> ofClass;  ///< attention of the class token to the patches, [h*w] row-major
};

struct ClassifyResult {
    std::vector<ClassScore> top;       ///< best first
    std::vector<HeadAttention> heads;  ///< in the order asked for
    Grid grid;                         ///< patches of the input
    Array input;                       ///< U8 [h,w,3]: what the model saw, before normalisation
    double seconds = 0;                ///< of the network
    std::string device;                ///< what it ran on
};

template <class V>
void fields(V& v, ClassifyRequest& r) {
    v("model", r.model), v("compute", r.compute), v("image", r.image), v("pixels", r.pixels), v("top", r.top),
        v("heads", r.heads);
}
template <class V>
void fields(V& v, ClassScore& s) {
    v("index", s.index), v("label", s.label), v("probability", s.probability), v("logit", s.logit);
}
template <class V>
void fields(V& v, HeadAttention& h) {
    v("field", h.field), v("class_share", h.classShare), v("class_to_itself", h.classToItself),
        v("of_class", h.ofClass);
}
template <class V>
void fields(V& v, ClassifyResult& r) {
    v("top", r.top), v("heads", r.heads), v("grid", r.grid), v("input", r.input), v("seconds", r.seconds),
        v("device", r.device);
}

}  // namespace ropescope
