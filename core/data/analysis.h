// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/data/field.h"
#include "core/data/generation.h"
#include "core/data/head_report.h"
#include "core/data/model.h"

namespace ropescope {

// What a model does with data. L layers, H heads, P planes, A axes, S sampling steps, n images.
// Definitions: core/probe/README.md.

/// One pass over images that measures heads (of the head). Complete: all that decides the numbers is in it.
struct CalibrateRequest {
    ModelRef model;
    Compute compute;
    int images = 16;     ///< how many; of a folder's pictures, that many at even distances
    std::string folder;  ///< of pictures, for a model that classifies; a model that draws is measured on what it draws
    // What is drawn:
    std::vector<int> labels;  ///< classes, taken in turn; empty: all of the model in turn
    std::uint64_t seed = 0;   ///< image i uses seed + i
    int steps = 20;
    double guidance = 2;  ///< steers the images; measured is the conditional half alone
    Sampler sampler = Sampler::Auto;
    std::vector<std::string> prompts;  ///< models that take text: taken in turn; empty: text.embeddings
    TextSettings text;                 ///< the same: all but the prompt
    Grid size;                         ///< the same: height x width of the pictures in pixels; 0x0: the usual one
    std::vector<HeadId> heads;         ///< empty: all
    bool operator==(const CalibrateRequest&) const = default;
};

/// A number of every head from data: mean over images and its standard error (NaN for a single image).
struct MeasuredNumber {
    std::string key;         ///< stable, e.g. "data_mean_distance"
    std::string title;       ///< "Mean attention distance"
    std::string unit;        ///< "", "nats", "tokens", "degrees", "share"
    std::string definition;  ///< one sentence
    About about = About::Head;
    double neutral = 0;             ///< NaN where there is none
    std::vector<double> mean;       ///< [L*H] over images and steps; NaN where marked, not asked for or undefined
    std::vector<double> error;      ///< [L*H] standard error
    std::vector<double> stepMean;   ///< [S, L*H]
    std::vector<double> stepError;  ///< [S, L*H]
};

/// The curves of one head from data, averaged over images and steps.
struct HeadCalibration {
    HeadId id;
    std::string problem;               ///< not empty: the head is marked and nothing below is valid
    std::vector<double> frequency;     ///< [P,A] radians per token; empty where nothing turns, then P = 0
    std::vector<double> energy;        ///< [P] plane energies of the measured moments, sum 1
    std::vector<double> energyError;   ///< [P] standard error over images
    std::vector<double> reference;     ///< [P] the same with the map taken out, sum 1 (of the map)
    KernelSeries kernel;               ///< C = mean of (mean key)(mean query)^T; scale: sum of plane energies
    std::vector<double> kernelErrorA;  ///< [P] standard errors of kernel.a ...
    std::vector<double> kernelErrorB;  ///< [P] ... and of kernel.b
    SensitivityForm sensitivity;       ///< with the measured second moments
    double contentStrength = 0;        ///< sum of plane energies / sqrt(D): beta of the softmax view
    HeadField field;                   ///< of image tokens
};

struct CalibrationReport {
    int layers = 0;
    int heads = 0;
    int images = 0;
    Grid grid;           ///< tokens of one image
    std::string source;  ///< in words, e.g. "16 generated images, 20 ddim steps, guidance 2, seed 0"
    std::string device;  ///< what it ran on
    double seconds = 0;
    std::vector<double> times;  ///< [S] model time of each measured step; empty when nothing is sampled
    std::vector<MeasuredNumber> numbers;
    std::vector<HeadCalibration> curves;  ///< of the heads asked for, layer by layer
};

template <class V>
void fields(V& v, CalibrateRequest& c) {
    v("model", c.model), v("compute", c.compute), v("images", c.images), v("folder", c.folder), v("labels", c.labels),
        v("seed", c.seed), v("steps", c.steps), v("guidance", c.guidance), v("sampler", c.sampler),
        v("prompts", c.prompts), v("text", c.text), v("size", c.size), v("heads", c.heads);
}
template <class V>
void fields(V& v, MeasuredNumber& n) {
    v("key", n.key), v("title", n.title), v("unit", n.unit), v("definition", n.definition), v("about", n.about),
        v("neutral", n.neutral), v("mean", n.mean), v("error", n.error), v("step_mean", n.stepMean),
        v("step_error", n.stepError);
}
template <class V>
void fields(V& v, HeadCalibration& h) {
    v("id", h.id), v("problem", h.problem), v("frequency", h.frequency), v("energy", h.energy),
        v("energy_error", h.energyError), v("reference", h.reference), v("kernel", h.kernel),
        v("kernel_error_a", h.kernelErrorA), v("kernel_error_b", h.kernelErrorB), v("sensitivity", h.sensitivity),
        v("content_strength", h.contentStrength), v("field", h.field);
}
template <class V>
void fields(V& v, CalibrationReport& c) {
    v("layers", c.layers), v("heads", c.heads), v("images", c.images), v("grid", c.grid), v("source", c.source),
        v("device", c.device), v("seconds", c.seconds), v("times", c.times), v("numbers", c.numbers),
        v("curves", c.curves);
}
}  // namespace ropescope
