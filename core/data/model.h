// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

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

/// One attention head, always written L4.H2 (both counted from 0).
struct HeadId {
    int layer = 0;
    int head = 0;
    [[nodiscard]] std::string name() const {
        return std::string("L").append(std::to_string(layer)).append(".H").append(std::to_string(head));
    }
    auto operator<=>(const HeadId&) const = default;
};

/// A low-rank change of a model's weights, from a file, times a strength.
struct LoraRef {
    std::string path;
    double strength = 1;
    bool operator==(const LoraRef&) const = default;
};

/// A model file together with everything it may not say itself (the options of reference: every subcommand).
/// A request that holds a ModelRef is complete: the engine keeps caches only.
struct ModelRef {
    std::string path;
    /// Which copy, where a file holds several: "ema" the averaged one, "model" the other, or a copy's own name.
    std::string weights = "ema";
    Convention convention = Convention::Unknown;  ///< Unknown: what the file says
    MapTokens mapTokens = MapTokens::Unknown;     ///< Unknown: what the file says
    int heads = 0;                                ///< 0: from the tensors
    Grid grid;                                    ///< 0x0: from the file
    double theta = 0;                             ///< 0: from the file
    std::string config;                           ///< optional JSON file beside the weights
    std::string adapter;                          ///< FLUX, SD3: optional file with HARoPE maps for these weights
    std::vector<LoraRef> loras;                   ///< FLUX, SD3: added in this order
    std::string time;                             ///< TimeChoice as text; empty: what the file says
    std::vector<std::string> ignore;  ///< patterns (* and ?) of tensors that are left out although they may matter
    bool operator==(const ModelRef&) const = default;
};

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
void fields(V& v, HeadId& h) {
    v("layer", h.layer), v("head", h.head);
}
template <class V>
void fields(V& v, LoraRef& l) {
    v("path", l.path), v("strength", l.strength);
}
template <class V>
void fields(V& v, ModelRef& m) {
    v("path", m.path), v("weights", m.weights), v("convention", m.convention), v("map_tokens", m.mapTokens),
        v("heads", m.heads), v("grid", m.grid), v("theta", m.theta), v("config", m.config), v("adapter", m.adapter),
        v("loras", m.loras), v("time", m.time), v("ignore", m.ignore);
}
template <class V>
void fields(V& v, Compute& c) {
    v("device", c.device), v("precision", c.precision), v("threads", c.threads);
}
}  // namespace ropescope
