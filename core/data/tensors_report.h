// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/data/model.h"

namespace ropescope {

/// The tensors of a file, whether or not it is a model that runs.
struct TensorsRequest {
    ModelRef model;
    std::string tensor;  ///< not empty: the values of this one are read too
};

struct TensorRow {
    std::string name;   ///< as the program reads it; without prefixes and wrappers
    std::string dtype;  ///< "F32", as safetensors names it
    std::vector<std::int64_t> shape;
    std::uint64_t bytes = 0;
    std::string use;  ///< in words: "used", why it does no harm, or "not understood"
};

/// Values of one tensor; of those that are finite where that matters.
struct TensorStatistics {
    std::string name;  ///< empty: none was asked for
    std::int64_t count = 0;
    std::int64_t nonFinite = 0;
    double min = 0;
    double max = 0;
    double mean = 0;
    double norm = 0;                 ///< root of the sum of squares
    std::vector<std::int64_t> bins;  ///< how many values lie in equal parts of [min, max]; 64 of them
};

struct TensorsReport {
    std::vector<TensorRow> rows;  ///< file order
    TensorStatistics statistics;
};

template <class V>
void fields(V& v, TensorsRequest& r) {
    v("model", r.model), v("tensor", r.tensor);
}
template <class V>
void fields(V& v, TensorRow& r) {
    v("name", r.name), v("dtype", r.dtype), v("shape", r.shape), v("bytes", r.bytes), v("use", r.use);
}
template <class V>
void fields(V& v, TensorStatistics& s) {
    v("name", s.name), v("count", s.count), v("non_finite", s.nonFinite), v("min", s.min), v("max", s.max),
        v("mean", s.mean), v("norm", s.norm), v("bins", s.bins);
}
template <class V>
void fields(V& v, TensorsReport& r) {
    v("rows", r.rows), v("statistics", r.statistics);
}

}  // namespace ropescope
