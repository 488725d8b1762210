// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/data/head_id.h"
#include "core/data/variation.h"

namespace ropescope {

/// How a HARoPE matrix enters the two sides: Same puts A on queries and keys (paper v1), Inverse puts M on queries and
/// M^-T on keys (released code). None: the encoding has no map. Unknown: the file has maps but does not say.
enum class Convention { None, Same, Inverse, Unknown };
/// How a learned matrix is made of its stored parameters (core/encoding/matrix.h). None: the encoding has no matrix.
enum class MatrixKind { None, Svd, Full, Diagonal, Exponential, Cayley, Householder, Givens, Lu, LowRank, Circulant };
/// What has a matrix (and learned frequencies) of its own: every head, every layer, or the whole model only once.
enum class MapSharing { Head, Layer, Model };
/// Which axis owns the first half of an axial head's planes.
enum class AxisOrder { RowFirst, ColumnFirst };
enum class RotaryLayout { Interleaved, HalfSplit };  ///< plane p of D features: (2p, 2p+1), or (p, p + D/2)
/// Which tokens a learned matrix turns where a model has a class token: all of them or the patches alone. Unknown: the
/// file has maps and a class token but does not say.
enum class MapTokens { All, PatchesOnly, Unknown };
enum class Precision { Fp32, Bf16, Fp16 };

/// Patch grid; tokens are numbered row by row. 0x0 means "what the file says".
struct Grid {
    int rows = 0;
    int cols = 0;
    [[nodiscard]] int tokens() const { return rows * cols; }
    bool operator==(const Grid&) const = default;
};

/// Which files, and how they are read where they do not say it themselves (the options of every subcommand). Weights
/// and what is made of them alone are cached by it.
struct Source {
    std::string path;
    /// Which copy, where a file holds several: "ema" the averaged one, "model" the other, or a copy's own name.
    std::string weights = "ema";
    Convention convention = Convention::Unknown;  ///< Unknown: what the file says
    MapTokens mapTokens = MapTokens::Unknown;     ///< Unknown: what the file says
    int heads = 0;                                ///< 0: from the tensors
    Grid grid;                                    ///< 0x0: from the file
    double theta = 0;                             ///< 0: from the file
    std::string config;                           ///< optional JSON file beside the weights
    std::string time;                             ///< TimeChoice as text; empty: what the file says
    std::vector<std::string> ignore;  ///< patterns (* and ?) of tensors that are left out although they may matter
    bool operator==(const Source&) const = default;
};

/// A source and how the model differs from it. A request that holds a ModelRef is complete: the engine keeps caches
/// only.
struct ModelRef : Source, Variation {
    [[nodiscard]] const Source& source() const { return *this; }
    [[nodiscard]] const Variation& variation() const { return *this; }
    [[nodiscard]] Variation& variation() { return *this; }
    bool operator==(const ModelRef&) const = default;
};
/// The same model with its heads as they are stored: two references to one open model differ in no more than changes.
[[nodiscard]] inline ModelRef withoutChanges(ModelRef model) {
    model.changes.clear();
    model.madeFor = {};
    return model;
}

/// Where and how to compute. `threads` 0: all cores.
struct Compute {
    std::string device = "auto";  ///< auto | cpu | cuda | cuda:N
    Precision precision = Precision::Fp32;
    int threads = 0;
    bool operator==(const Compute&) const = default;
};

template <class V>
void fields(V& v, Grid& g) {
    v("rows", g.rows), v("cols", g.cols);
}
template <class V>
void fields(V& v, ModelRef& m) {
    v("path", m.path), v("weights", m.weights), v("convention", m.convention), v("map_tokens", m.mapTokens),
        v("heads", m.heads), v("grid", m.grid), v("theta", m.theta), v("config", m.config), v("adapter", m.adapter),
        v("loras", m.loras), v("changes", m.changes), v("made_for", m.madeFor), v("time", m.time),
        v("ignore", m.ignore);
}
template <class V>
void fields(V& v, Compute& c) {
    v("device", c.device), v("precision", c.precision), v("threads", c.threads);
}
}  // namespace ropescope
