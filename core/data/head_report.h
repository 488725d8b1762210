// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/data/model.h"

namespace ropescope {

// What the weights alone say about one head. D head dimension, P = D/2 rotary planes, A position axes (row, column).
// Small matrices are flat, row-major. All values computed in float64. Definitions: core/probe/README.md.

/// Which fact a number is about: the map's own basis, or what the head computes (invariant to both gauges).
enum class About { Map, Head };

/// Singular values of a map and their summary numbers (of the map).
struct Spectrum {
    std::vector<double> stored;      ///< [D] file order
    std::vector<double> gaugeFixed;  ///< [D] descending; same-map: the sorted stored values
    double condition = 1;            ///< s_max / s_min of the gauge-fixed values
    double logVolume = 0;            ///< sum ln s
    double stableRank = 0;           ///< ||B||_F^2 / s_max^2
    double entropyRank = 0;          ///< exp(-sum p ln p), p = s^2 / sum s^2
    double orthogonalityError = 0;   ///< ||B^T B - I||_F / sqrt(D)
    double ropeDistance = 0;         ///< 0 exactly for plain RoPE, invariant to the left gauge
    std::vector<int> groupStart;     ///< degenerate groups of gaugeFixed: first index ...
    std::vector<int> groupEnd;       ///< ... and one past the last (relative gap < 1e-3 inside)
};

/// Rotary planes of one side (queries or keys) against the canonical planes (of the map).
struct PlaneAlignment {
    std::vector<double> overlap;          ///< [P,P], rows sum to 1, identity for RoPE
    std::vector<double> principalAngles;  ///< [P,2] degrees, ascending
    std::vector<double> gain1;            ///< [P] larger singular value of the plane's 2xD block
    std::vector<double> gain2;            ///< [P] smaller one
    std::vector<double> gain;             ///< [P] sqrt((g1^2+g2^2)/2)
    std::vector<double> axisMixing;       ///< [A,A], rows sum to 1; empty for one axis or mixed planes
    double crossAxisMixing = 0;           ///< mean of 1 - diagonal: 0 for RoPE, 0.5 for a random basis; NaN likewise
};

/// Energy over frequency. Each distribution is over planes and sums to 1.
struct FrequencyEnergy {
    std::vector<double> frequency;  ///< [P,A] radians per token
    std::vector<double> map;        ///< [P] B alone (of the map)
    std::vector<double> weights;    ///< [P] with W W^T + b b^T (of the head); empty behind a q,k norm
    std::vector<double> reference;  ///< [P] the same as `weights` with B = I
    double meanLogOmega = 0;        ///< energy-weighted, of `weights`, still planes left out
    double stdLogOmega = 0;
    std::vector<double> axisShare;  ///< [A]; empty for a single axis and for mixed planes
    double stillShare = 0;          ///< share of planes that never turn
    double longWaveShare = 0;       ///< wavelengths > 4 x grid side
    double wasserstein = 0;         ///< 1-Wasserstein over ln|omega| from `weights` to `reference`
    double wassersteinMap = 0;      ///< the same for `map` against a flat ladder
};

/// K(delta) = sum_p a_p cos(omega_p . delta) + b_p sin(omega_p . delta), divided by `scale`.
struct KernelSeries {
    std::vector<double> a;          ///< [P]
    std::vector<double> b;          ///< [P]
    std::vector<double> frequency;  ///< [P,A]
    int axes = 2;
    double scale = 1;  ///< weights content: sum of plane energies, so the result lies in [-1, 1]
};

/// Sensitivity(delta) = sqrt(max(0, u^T Q u)) / divisor with u = (cos phi_p - 1 for all p, sin phi_p for all p).
struct SensitivityForm {
    std::vector<double> quadratic;  ///< [2P,2P] symmetric
    std::vector<double> frequency;  ///< [P,A]
    int axes = 2;
    double divisor = 1;
};

/// Everything the weight views draw for one head.
struct HeadReport {
    HeadId id;
    std::string problem;    ///< not empty: the head is marked and no number below is valid
    bool identity = false;  ///< untrained: the map is the identity, drawn as "identity"
    bool hasMap = false;    ///< false: plain RoPE or no encoding; numbers are those of the identity
    Spectrum spectrum;
    PlaneAlignment query;
    PlaneAlignment key;
    std::vector<double> queryKeyOverlap;  ///< [P] 1 under same-map
    std::vector<double> planeAxis;        ///< [P] 0 row, 1 column, -1 no single axis or still
    FrequencyEnergy energy;
    KernelSeries kernelWeights;  ///< default content
    KernelSeries kernelWhite;    ///< matched white, C = I/D, scale 1 (of the map)
    SensitivityForm sensitivityWeights;
    SensitivityForm sensitivityWhite;  ///< of the map
    double contentStrength = 0;        ///< beta: sum of plane energies / sqrt(D), for the softmax view (of the head)
    std::vector<double> mapQuery;      ///< [D,D] B_q
    std::vector<double> mapKey;        ///< [D,D] B_k
};

template <class V>
void fields(V& v, Spectrum& s) {
    v("stored", s.stored), v("gauge_fixed", s.gaugeFixed), v("condition", s.condition), v("log_volume", s.logVolume),
        v("stable_rank", s.stableRank), v("entropy_rank", s.entropyRank),
        v("orthogonality_error", s.orthogonalityError), v("rope_distance", s.ropeDistance),
        v("group_start", s.groupStart), v("group_end", s.groupEnd);
}
template <class V>
void fields(V& v, PlaneAlignment& p) {
    v("overlap", p.overlap), v("principal_angles", p.principalAngles), v("gain1", p.gain1), v("gain2", p.gain2),
        v("gain", p.gain), v("axis_mixing", p.axisMixing), v("cross_axis_mixing", p.crossAxisMixing);
}
template <class V>
void fields(V& v, FrequencyEnergy& e) {
    v("frequency", e.frequency), v("map", e.map), v("weights", e.weights), v("reference", e.reference),
        v("mean_log_omega", e.meanLogOmega), v("std_log_omega", e.stdLogOmega), v("axis_share", e.axisShare),
        v("still_share", e.stillShare), v("long_wave_share", e.longWaveShare), v("wasserstein", e.wasserstein),
        v("wasserstein_map", e.wassersteinMap);
}
template <class V>
void fields(V& v, KernelSeries& k) {
    v("a", k.a), v("b", k.b), v("frequency", k.frequency), v("axes", k.axes), v("scale", k.scale);
}
template <class V>
void fields(V& v, SensitivityForm& s) {
    v("quadratic", s.quadratic), v("frequency", s.frequency), v("axes", s.axes), v("divisor", s.divisor);
}
template <class V>
void fields(V& v, HeadReport& h) {
    v("id", h.id), v("problem", h.problem), v("identity", h.identity), v("has_map", h.hasMap),
        v("spectrum", h.spectrum), v("query", h.query), v("key", h.key), v("query_key_overlap", h.queryKeyOverlap),
        v("plane_axis", h.planeAxis), v("energy", h.energy), v("kernel_weights", h.kernelWeights),
        v("kernel_white", h.kernelWhite), v("sensitivity_weights", h.sensitivityWeights),
        v("sensitivity_white", h.sensitivityWhite), v("content_strength", h.contentStrength),
        v("map_query", h.mapQuery), v("map_key", h.mapKey);
}
}  // namespace ropescope
