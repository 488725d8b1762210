// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/data/array.h"
#include "core/data/generation.h"

namespace ropescope {

/// Writes a picture as PNG with its recipe in the text; an existing file is replaced as a whole or not at all.
struct SavePngRequest {
    std::string path;
    Array pixels;  ///< U8 [h,w,3]
    std::string recipe;
};
struct SavedFile {
    std::string path;
};

/// What a step of the last run saw as the clean picture, through an autoencoder: previews are linear.
struct DecodeRequest {
    GenerateRequest run;
    int step = 0;     ///< 0 .. steps-1
    std::string vae;  ///< as in GenerateRequest
};
struct DecodedStep {
    Array pixels;      ///< U8 [h,w,3]
    std::string note;  ///< not empty: in what way it is not quite the picture
};

/// The settings that a PNG carries: its own recipe, or the `parameters` text of Stable Diffusion web UIs.
struct ReadSettingsRequest {
    std::string path;
};
struct PictureSettings {
    std::string path;
    GenerateRequest settings;
    std::vector<std::string> taken;  ///< names of what the picture says; everything else is as by default
    bool complete = false;           ///< all settings are its own
    /// What the text says beyond that, "Hires upscale: 2", shown and not used.
    std::vector<std::string> kept;
};

template <class V>
void fields(V& v, SavePngRequest& r) {
    v("path", r.path), v("pixels", r.pixels), v("recipe", r.recipe);
}
template <class V>
void fields(V& v, DecodeRequest& r) {
    v("run", r.run), v("step", r.step), v("vae", r.vae);
}
template <class V>
void fields(V& v, DecodedStep& d) {
    v("pixels", d.pixels), v("note", d.note);
}
template <class V>
void fields(V& v, ReadSettingsRequest& r) {
    v("path", r.path);
}
template <class V>
void fields(V& v, PictureSettings& p) {
    v("path", p.path), v("settings", p.settings), v("taken", p.taken), v("complete", p.complete), v("kept", p.kept);
}
template <class V>
void fields(V& v, SavedFile& f) {
    v("path", f.path);
}

}  // namespace ropescope
