// SPDX-License-Identifier: Apache-2.0
#include "app/engine/outputs.h"

#include <filesystem>

namespace ropescope {
namespace {

namespace fs = std::filesystem;

bool isFolder(const fs::path& path) {
    std::error_code ignored;
    return fs::is_directory(path, ignored);
}

bool same(const fs::path& a, const fs::path& b) {
    std::error_code missing;
    return fs::equivalent(a, b, missing);
}

/// Not results that were put there: pictures, figures.
bool isRead(const fs::path& file) {
    const std::string kind = file.extension().string();
    for (const char* known : {".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".json", ".txt", ".model"})
        if (kind == known) return true;
    return false;
}

/// A file of the folder or of the folders in it.
bool holds(const fs::path& folder, const fs::path& file, int depth) {
    std::error_code ended;
    for (fs::recursive_directory_iterator at(folder, ended), end; !ended && at != end; at.increment(ended)) {
        if (at.depth() >= depth) at.disable_recursion_pending();
        if (same(at->path(), file)) return isRead(at->path());
    }
    return false;
}

bool reads(const fs::path& input, const fs::path& output) {
    if (same(input, output)) return true;
    if (isFolder(input)) return holds(input, output, 1);
    const std::string name = input.filename().string();
    if (name.find(".index.") == std::string::npos || !name.ends_with(".json")) return false;
    const fs::path folder = input.parent_path();
    return holds(folder.empty() ? "." : folder, output, 0);
}

}  // namespace

std::vector<std::string> inputsOf(const ModelRef& model) {
    std::vector<std::string> all = {model.path, model.adapter, model.config};
    for (const LoraRef& lora : model.loras) all.push_back(lora.path);
    for (const HeadChange& change : model.changes) all.push_back(change.donor);
    return all;
}

std::vector<std::string> inputsOf(const GenerateRequest& run) {
    std::vector<std::string> all = inputsOf(run.model);
    for (const std::string& path : {run.noiseFile, run.stepNoiseFile, run.vae, run.text.encoders, run.text.embeddings})
        all.push_back(path);
    return all;
}

Result<void> checkOutputs(const std::vector<std::string>& outputs, const std::vector<std::string>& inputs) {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        const std::string& path = outputs[i];
        if (path.empty()) continue;
        const fs::path folder = fs::path(path).parent_path();
        if (!folder.empty() && !isFolder(folder))
            return failure({ErrorKind::Refused,
                            "EX-01",
                            place({path}),
                            "its folder does not exist",
                            {},
                            {},
                            "Create the folder or choose another"});
        if (isFolder(path))
            return failure(
                {ErrorKind::Refused, "EX-02", place({path}), "the target is a folder", {}, {}, "Give a file name"});
        for (const std::string& input : inputs)
            if (!input.empty() && reads(input, path))
                return failure({ErrorKind::Refused, "EX-06", place({path}), "this file is read for the result",
                                "an input", "another file", "Choose another name; nothing was written"});
        for (std::size_t k = 0; k < i; ++k)
            if (fs::path(path).lexically_normal() == fs::path(outputs[k]).lexically_normal() || same(path, outputs[k]))
                return failure({ErrorKind::Usage,
                                "bad-option",
                                place({path}),
                                "two results in one file",
                                {},
                                "a file for each",
                                ""});
    }
    return {};
}

}  // namespace ropescope
