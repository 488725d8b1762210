// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/data/analysis.h"

namespace ropescope {

// How heads differ. Definitions: core/probe/README.md.

enum class CompareMetric { FieldCorrelation, FrequencyWasserstein, KernelCorrelation, PlaneOverlap };
enum class ContentSource { Weights, Data };

/// Every head against every other, of one model or of several. Fields and data contents are measured with the settings
/// of `measure` (its model, compute and heads are replaced); a measurement that was made before is used again.
struct CompareRequest {
    std::vector<ModelRef> models;  ///< one or more; PlaneOverlap: two states of one training run
    std::vector<HeadId> heads;     ///< the same heads of each model; empty: all
    CompareMetric metric = CompareMetric::KernelCorrelation;
    ContentSource content = ContentSource::Weights;  ///< for frequencies and kernels
    CalibrateRequest measure;
    /// True when the request has to sample: the heavy lane takes it.
    [[nodiscard]] bool needsData() const {
        return metric == CompareMetric::FieldCorrelation ||
               (metric != CompareMetric::PlaneOverlap && content == ContentSource::Data);
    }
};

struct CompareReport {
    std::vector<std::string> names;  ///< [n] "L0.H1", with the model's name before it when there are several
    std::vector<int> models;         ///< [n] index in the request
    std::vector<HeadId> heads;       ///< [n]
    std::vector<double> matrix;      ///< [n,n]; NaN where a head is marked or two heads cannot be compared
    std::vector<double> embedding;   ///< [n,2] classical scaling; NaN for heads left out; empty for PlaneOverlap
    std::vector<double> axisShare;   ///< [2] share of variance of each axis of the embedding
    std::vector<double> perPlane;    ///< PlaneOverlap: [n/2, P] of each head of the first state; empty otherwise
    bool similarity = true;          ///< the diagonal is 1 (correlation, overlap), not 0 (distance)
    std::string title, unit, definition;
    About about = About::Head;
    std::string note;  ///< what was measured and what was left out, in words
};

template <class V>
void fields(V& v, CompareRequest& c) {
    v("models", c.models), v("heads", c.heads), v("metric", c.metric), v("content", c.content), v("measure", c.measure);
}
template <class V>
void fields(V& v, CompareReport& c) {
    v("names", c.names), v("models", c.models), v("heads", c.heads), v("matrix", c.matrix), v("embedding", c.embedding),
        v("axis_share", c.axisShare), v("per_plane", c.perPlane), v("similarity", c.similarity), v("title", c.title),
        v("unit", c.unit), v("definition", c.definition), v("about", c.about), v("note", c.note);
}
}  // namespace ropescope
