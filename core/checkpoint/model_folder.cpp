// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/model_folder.h"

#include <algorithm>
#include <filesystem>
#include <vector>

namespace ropescope {
namespace {

namespace fs = std::filesystem;

/// Folders inside that hold weights, in order; what a folder without weights of its own offers to choose from.
std::string partsWithWeights(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code ended;
    for (fs::directory_iterator at(folder, ended), end; !ended && at != end; at.increment(ended))
        if (!weightsInFolder(at->path().string()).empty()) names.push_back(at->path().filename().string());
    std::sort(names.begin(), names.end());
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + printable(name, 60);
    return text;
}

}  // namespace

std::string weightsInFolder(const std::string& path) {
    std::error_code ignored;
    if (!fs::is_directory(path, ignored)) return {};
    for (const char* name :
         {"transformer/diffusion_pytorch_model.safetensors",
          "transformer/diffusion_pytorch_model.safetensors.index.json", "diffusion_pytorch_model.safetensors",
          "diffusion_pytorch_model.safetensors.index.json", "transformer/diffusion_pytorch_model.bin",
          "transformer/diffusion_pytorch_model.bin.index.json", "diffusion_pytorch_model.bin",
          "diffusion_pytorch_model.bin.index.json", "model.safetensors", "model.safetensors.index.json",
          "pytorch_model.bin", "pytorch_model.bin.index.json"}) {
        const fs::path file = fs::path(path) / name;
        if (fs::is_regular_file(file, ignored)) return file.string();
    }
    // Where there is nothing else, diffusers' variants in half precision.
    for (const char* base : {"transformer/diffusion_pytorch_model", "diffusion_pytorch_model", "model"})
        for (const std::string& variant : {std::string("bf16"), std::string("fp16")})
            for (const std::string& end : {"." + variant + ".safetensors", ".safetensors.index." + variant + ".json"})
                if (const fs::path file = fs::path(path) / (base + end); fs::is_regular_file(file, ignored))
                    return file.string();
    return {};
}

std::string closedBecause(const std::string& folder) {
    std::error_code why;
    const fs::directory_iterator listed(folder, why);
    if (!why) (void)fs::status(fs::path(folder) / ".", why);  // names alone may be listed, and no file be reached
    return why ? why.message() : "";
}

Error noWeightsIn(const std::string& folder) {
    if (const std::string parts = partsWithWeights(folder); !parts.empty())
        return {ErrorKind::Refused,
                "FO-04",
                place({folder}),
                "the folder holds parts, no weights of its own",
                "weights in " + parts,
                "diffusion_pytorch_model or model, itself or in transformer",
                "Choose one of its folders or a file"};
    std::error_code unknown;
    for (const fs::path& one : {fs::path(folder), fs::path(folder) / "transformer"})
        if (const std::string why = closedBecause(one.string()); fs::is_directory(one, unknown) && !why.empty())
            return {ErrorKind::Refused,
                    "ST-21",
                    place({one.string()}),
                    "the folder cannot be read",
                    why,
                    "",
                    "Give yourself the right to read it, or choose another"};
    return {ErrorKind::Refused,
            "ST-21",
            place({folder}),
            "the folder holds no weights",
            "",
            "diffusion_pytorch_model or model, as .safetensors or .bin, or an index of its files",
            "Choose a folder or file with weights"};
}

}  // namespace ropescope
