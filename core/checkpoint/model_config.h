// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/error.h"
#include "core/data/model.h"

namespace ropescope {

/// What a configuration says about a model; empty where it is silent. Three dialects are understood: the program's own
/// metadata (`ropescope.config`), diffusers' and timm's config.json (whose pretrained_cfg
/// is read too).
struct ModelConfig {
    std::string name, architecture, encoding, objective, content, axisOrder, rotaryLayout, interpolation, mapTokens,
        cropMode;
    std::optional<int> normGroups, heads, headDim, layers, patch, inChannels, outChannels, classes;
    std::optional<double> theta, cropFraction, latentScale, latentShift;
    std::vector<int> axesDims;      ///< FLUX: features of each axis
    std::vector<double> mean, std;  ///< of a classifier's input, per channel
    Grid grid;                      ///< 0x0: not said
    Grid image;                     ///< of the model's own input, 0x0: not said
    Grid latent;                    ///< diffusers' sample_size, 0x0: not said
    std::vector<std::string> classNames;
    // timm's words for what differs from the first ViT, SiT's for its flow.
    std::string globalPool, actLayer, normLayer, pathType, prediction, time;
    std::optional<bool> classToken, qkvBias, qkNorm, preNorm, fcNorm, noEmbedClass, learnSigma, guidanceEmbeds,
        quantConv;
    std::optional<int> registers, positionSide, singleLayers, width;
    std::optional<double> classDropout, normEps, mlpRatio, layerScale;
    std::vector<std::string> unknown;  ///< keys that the program does not know, dotted
    std::set<std::string> said;        ///< keys that are there, in any dialect, dotted
};

/// Keys that decide nothing about the computation (_class_name, dropout rates, label counts of pretraining ...) are
/// passed over, other unknown ones listed. Errors: CF-01 invalid JSON, duplicate keys or too deep, CF-02 a value of
/// wrong kind or out of range; names the key.
[[nodiscard]] Result<ModelConfig> parseModelConfig(std::string_view json, const std::string& where);

/// Reads and parses a file of at most 1 MiB.
[[nodiscard]] Result<ModelConfig> readModelConfig(const std::string& path);

}  // namespace ropescope
