// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/data/model.h"
#include "core/data/network_variant.h"

namespace ropescope {

/// How an image becomes a classifier's input: its shorter side resized to floor(size / cropFraction), the middle cut
/// out, values in [0, 1] taken minus mean, divided by std.
struct Preprocessing {
    Grid size;  ///< pixels of the input; 0x0: nothing is known
    double cropFraction = 1;
    std::string interpolation;  ///< bicubic | bilinear | nearest, as PIL computes them (with antialias)
    std::vector<double> mean;   ///< per channel
    std::vector<double> std;
    std::string source;  ///< where this comes from, in words
};

/// ModelCard::gridSource where neither the file nor anybody says the grid.
inline constexpr const char* kGridNotSaid = "16x16, because the file does not say";

/// What a header says about a model; no tensor data is read for it.
struct ModelCard {
    std::string path;
    std::string name;          ///< short name shown in the window: file stem, or the metadata's
    std::string format;        ///< safetensors | torch-zip | torch-legacy | folder
    std::string architecture;  ///< dit | vit | mmdit | flux | vae; empty: not known
    std::string encoding;      ///< none | absolute | rope1d | axial | mixed | string | rethinking | video | harope |
                               ///< harope_mixed (maps and learned frequencies)
    Convention convention = Convention::None;
    MapTokens mapTokens = MapTokens::All;
    int layers = 0;
    int heads = 0;
    int headDim = 0;  ///< D, even
    int width = 0;    ///< heads * headDim
    Grid grid;
    std::string gridSource;  ///< where the grid comes from, in words
    double theta = 0;
    MatrixKind matrix = MatrixKind::None;
    MapSharing sharing = MapSharing::Head;
    AxisOrder axisOrder = AxisOrder::RowFirst;
    RotaryLayout rotaryLayout = RotaryLayout::Interleaved;  ///< of the file
    std::vector<int> axesDims;                              ///< FLUX: features of each axis of a head; empty for others
    int jointLayers = 0;  ///< FLUX: of the layers, those with a stream for the text; 0 for others
    int axes = 2;         ///< position axes of the rotary map: 2 (row, column), 1, or 0 when there is none
    int patch = 0;
    int inChannels = 0;
    int outChannels = 0;
    bool learnedVariance = false;  ///< out = 2 * in channels (DDPM with learned range)
    bool classToken = false;       ///< a token without a place leads the patches
    int positionRows = 0;          ///< rows of an added position table (pos_embed); 0 without one
    bool layerScale = false;       ///< gamma_1, gamma_2 in every block
    int mlpHidden = 0;             ///< width inside the MLP; 0: 4 x width
    int timeWidth = 256;           ///< DiT: sinusoids of the time
    std::string naming;            ///< diffusers: its names and its forward pass; timm | rope-vit; else empty
    Preprocessing preprocessing;   ///< of classifiers
    std::string objective;         ///< ddpm (eps prediction) | flow | classify; empty: not known
    FlowKind flow;                 ///< of flow models
    NetworkVariant variant;
    bool nullClass = true;                ///< the label table ends in a row for "no class"
    int classes = 0;                      ///< without the null class
    std::vector<std::string> classNames;  ///< empty, or one per class
    std::int64_t parameters = 0;
    bool sharedMaps = false;             ///< one map per layer, shared by its heads
    std::string fingerprint;             ///< SHA-256 of the first 64 KiB and the size: names the file in recipes
    std::vector<std::string> notes;      ///< what was inferred and why
    std::vector<std::string> assumed;    ///< what is usual and was taken because nothing says it
    std::vector<std::string> copies;     ///< names of all copies of the weights in the file, for ModelRef::weights
    std::string copy;                    ///< the one taken; empty where there is one without a name
    std::string problem;                 ///< why it cannot be computed with, one line; empty: it can
    std::string problemCode;             ///< of that line
    std::vector<std::string> unused;     ///< tensors that are not understood: nothing is computed with the model
    std::vector<std::string> waived;     ///< tensors left out because ModelRef::ignore says so
    std::vector<std::string> conflicts;  ///< where the configuration and the tensors, which are believed, disagree
    std::map<std::string, std::string> metadata;      ///< as stored, shown only
    std::map<std::string, std::string> trainingArgs;  ///< argparse.Namespace of the authors' container, inert
    double latentScale = 0;                           ///< VAE: latents are (raw - shift) * scale; 0: not said
    double latentShift = 0;
    int normGroups = 0;               ///< VAE: groups of its norms
    bool guidanceInput = false;       ///< FLUX dev: guidance is an input of the network
    std::vector<std::string> series;  ///< paths of intermediate checkpoints found beside the file, in training order

    /// Tokens before the patches.
    [[nodiscard]] int leadTokens() const {
        return (classToken ? 1 : 0) + (variant.distilled ? 1 : 0) + variant.registers;
    }
    /// FLUX or SD3: text and picture are in one attention, and pictures are made from prompts.
    [[nodiscard]] bool takesText() const { return architecture == "flux" || architecture == "mmdit"; }
    /// What the names of layer `i`'s attention begin with, its maps' too: "blocks.3.attn.".
    [[nodiscard]] std::string attention(int i) const {
        const bool single = architecture == "flux" && i >= jointLayers;
        const char* blocks = single                    ? "single_blocks."
                             : architecture == "flux"  ? "double_blocks."
                             : architecture == "mmdit" ? "joint_blocks."
                                                       : "blocks.";
        return blocks + std::to_string(single ? i - jointLayers : i) + ".attn.";
    }
};

template <class V>
void fields(V& v, Preprocessing& p) {
    v("size", p.size), v("crop_fraction", p.cropFraction), v("interpolation", p.interpolation), v("mean", p.mean),
        v("std", p.std), v("source", p.source);
}
template <class V>
void fields(V& v, ModelCard& c) {
    v("path", c.path), v("name", c.name), v("format", c.format), v("architecture", c.architecture),
        v("encoding", c.encoding), v("convention", c.convention), v("map_tokens", c.mapTokens), v("layers", c.layers),
        v("heads", c.heads), v("head_dim", c.headDim), v("width", c.width), v("grid", c.grid),
        v("grid_source", c.gridSource), v("theta", c.theta), v("matrix", c.matrix), v("sharing", c.sharing),
        v("axis_order", c.axisOrder), v("rotary_layout", c.rotaryLayout), v("axes_dims", c.axesDims),
        v("joint_layers", c.jointLayers), v("axes", c.axes), v("patch", c.patch), v("in_channels", c.inChannels),
        v("out_channels", c.outChannels), v("learned_variance", c.learnedVariance), v("class_token", c.classToken),
        v("position_rows", c.positionRows), v("layer_scale", c.layerScale), v("mlp_hidden", c.mlpHidden),
        v("naming", c.naming), v("preprocessing", c.preprocessing), v("objective", c.objective),
        v("classes", c.classes), v("class_names", c.classNames), v("parameters", c.parameters),
        v("shared_maps", c.sharedMaps), v("fingerprint", c.fingerprint), v("notes", c.notes),
        v("conflicts", c.conflicts), v("metadata", c.metadata), v("training_args", c.trainingArgs),
        v("latent_scale", c.latentScale), v("latent_shift", c.latentShift), v("norm_groups", c.normGroups),
        v("guidance_input", c.guidanceInput), v("series", c.series), v("flow", c.flow), v("variant", c.variant),
        v("null_class", c.nullClass), v("time_width", c.timeWidth), v("assumed", c.assumed), v("copies", c.copies),
        v("copy", c.copy), v("problem", c.problem), v("problem_code", c.problemCode), v("unused", c.unused),
        v("waived", c.waived);
}

}  // namespace ropescope
