// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/data/array.h"
#include "core/data/extrapolation.h"
#include "core/data/field.h"
#include "core/data/model.h"

namespace ropescope {

/// Auto: ddim for eps models, euler for flow models. Dpmpp2m: DPM-Solver++(2M), for both.
enum class Sampler { Auto, Ddpm, Ddim, Euler, Heun, Dpmpp2m };
enum class GuidanceChannels { Auto, First3, All };  ///< Auto: First3 for 4-channel latents with learned variance
enum class RecordFields { None, Listed, All };

/// What a text-to-image model (FLUX, SD3) is told; other models do not look at it.
struct TextSettings {
    std::string prompt;
    std::string negative;    ///< what guidance (FLUX: trueGuidance) leads away from
    std::string encoders;    ///< diffusers folder with text encoders and tokenizers; empty: the model's own folder
    std::string embeddings;  ///< instead of prompts: safetensors file with encoder_hidden_states [1,T,e] and
                             ///< pooled_projections [1,p], of a negative prompt with "negative_" before the name
    double trueGuidance =
        1;             ///< FLUX: w of negative + w (prompt - negative), on top of `guidance`; 1: the prompt alone
    double shift = 0;  ///< of the noise levels; 0: the model's usual one
    std::uint64_t memory = 0;  ///< bytes that the process may take, by streaming blocks from the file; 0: what is free
    bool operator==(const TextSettings&) const = default;
};

/// All that decides a picture. Image i of a batch uses seed + i.
struct GenerateRequest {
    ModelRef model;
    Compute compute;
    std::vector<int> labels = {0};  ///< one, or one per image
    std::uint64_t seed = 0;
    int steps = 20;
    double guidance = 2.0;  ///< w: uncond + w (cond - uncond); 1 = conditional only; FLUX.1 dev: the network's input
    GuidanceChannels guidanceChannels = GuidanceChannels::Auto;
    Sampler sampler = Sampler::Auto;
    Grid size;                ///< height x width in pixels of the model's own input (text-to-image models: of the
                              ///< picture); 0x0: as trained
    Extrapolate extrapolate;  ///< for sizes other than the trained one
    int batch = 1;
    std::string noiseFile;      ///< optional safetensors: tensor `noise` or the only one, [B,C,h,w]
    std::string stepNoiseFile;  ///< optional, [steps,C,h,w]
    std::string vae;  ///< autoencoder for models that draw latents; empty: that of a diffusers folder, else none
    TextSettings text;
    RecordFields record = RecordFields::None;
    std::vector<HeadId> recordHeads;  ///< for RecordFields::Listed
    bool previews = true;
};

/// Sent after every step; the newest replaces older ones.
struct GenerateProgress {
    int step = 0;  ///< steps finished
    int steps = 0;
    double secondsPerStep = 0;
    double secondsLeft = 0;
    Array preview;      ///< U8 [h,w,3] of image 0: the current estimate of the clean image; may be empty
    StepFields fields;  ///< of the recorded heads; empty heads when not recording
};

struct GeneratedImage {
    std::uint64_t seed = 0;
    int label = 0;
    Array pixels;        ///< U8 [h,w,3]
    std::string recipe;  ///< JSON: everything that decides the picture, with the file's hash and the program's version
};

struct GenerateResult {
    std::vector<GeneratedImage> images;
    Array latents;  ///< F32 [B,C,h,w] final
    std::vector<StepFields> fields;
    double seconds = 0;
    std::string device;  ///< what it ran on, e.g. "CPU, 2 threads, fp32"
    std::string note;    ///< e.g. "linear preview: no VAE"
};

template <class V>
void fields(V& v, TextSettings& t) {
    v("prompt", t.prompt), v("negative", t.negative), v("encoders", t.encoders), v("embeddings", t.embeddings),
        v("true_guidance", t.trueGuidance), v("shift", t.shift), v("memory", t.memory);
}
template <class V>
void fields(V& v, GenerateRequest& g) {
    v("model", g.model), v("compute", g.compute), v("labels", g.labels), v("seed", g.seed), v("steps", g.steps),
        v("guidance", g.guidance), v("guidance_channels", g.guidanceChannels), v("sampler", g.sampler),
        v("size", g.size), v("extrapolate", g.extrapolate), v("batch", g.batch), v("noise_file", g.noiseFile),
        v("step_noise_file", g.stepNoiseFile), v("vae", g.vae), v("text", g.text), v("record", g.record),
        v("record_heads", g.recordHeads), v("previews", g.previews);
}
template <class V>
void fields(V& v, GenerateProgress& p) {
    v("step", p.step), v("steps", p.steps), v("seconds_per_step", p.secondsPerStep), v("seconds_left", p.secondsLeft),
        v("preview", p.preview), v("fields", p.fields);
}
template <class V>
void fields(V& v, GeneratedImage& i) {
    v("seed", i.seed), v("label", i.label), v("pixels", i.pixels), v("recipe", i.recipe);
}
template <class V>
void fields(V& v, GenerateResult& r) {
    v("images", r.images), v("latents", r.latents), v("fields", r.fields), v("seconds", r.seconds),
        v("device", r.device), v("note", r.note);
}

}  // namespace ropescope
