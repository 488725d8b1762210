// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>

#include "core/checkpoint/model_folder.h"
#include "core/engine/machine/media_library.h"
#include "core/training/dataset.h"
#include "core/training/tensor_array.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;

Error folderError(const fs::path& path, std::string reason, std::string found = "", std::string expected = "") {
    return {ErrorKind::Refused,
            "image-folder",
            place({path.string()}),
            std::move(reason),
            std::move(found),
            std::move(expected),
            "Give a folder with one subfolder of equally large images for each class"};
}

std::vector<fs::path> sorted(const fs::path& folder, bool (*wanted)(const fs::directory_entry&)) {
    std::vector<fs::path> found;
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored))
        if (wanted(entry)) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
}

/// A folder that may not be read is no empty one.
Result<void> checkOpen(const fs::path& folder) {
    const std::string why = closedBecause(folder.string());
    if (!why.empty()) return failure(folderError(folder, "the folder cannot be read", why));
    return {};
}

bool isFolder(const fs::directory_entry& e) {
    return e.is_directory() && e.path().filename().string()[0] != '.';
}
bool isFile(const fs::directory_entry& e) {
    return e.is_regular_file() && e.path().filename().string()[0] != '.';
}

}  // namespace

Result<Dataset> readImageFolder(const std::string& folder) {
    const Result<MediaApi*> media = openMediaLibrary();
    if (!media) return failure(media.error());
    Dataset data;
    std::vector<at::Tensor> images;
    std::vector<std::int64_t> labels;
    for (const fs::path& group : sorted(folder, isFolder)) {
        if (auto open = checkOpen(group); !open) return failure(open.error());
        for (const fs::path& file : sorted(group, isFile)) {
            const Result<Array> pixels = (*media)->readImage(file.string());
            if (!pixels) return failure(pixels.error());
            images.push_back(toTensor(*pixels).permute({2, 0, 1}));
            if (images.back().sizes() != images.front().sizes())
                return failure(
                    folderError(file, "images differ in size",
                                std::to_string(images.back().size(1)) + "x" + std::to_string(images.back().size(2)),
                                std::to_string(images.front().size(1)) + "x" + std::to_string(images.front().size(2))));
            labels.push_back(static_cast<std::int64_t>(data.classNames.size()));
        }
        data.classNames.push_back(group.filename().string());
    }
    if (images.empty()) return failure(folderError(folder, "no images in subfolders"));
    data.images = at::stack(images);
    // Grey pictures are decoded to three equal channels; one is enough to learn.
    if (data.images.eq(data.images.narrow(1, 0, 1)).all().item<bool>())
        data.images = data.images.narrow(1, 0, 1).contiguous();
    data.labels = at::tensor(labels, at::kLong);
    data.description = std::to_string(images.size()) + " images of " + std::to_string(data.images.size(2)) + "x" +
                       std::to_string(data.images.size(3)) + " pixels in " + std::to_string(data.classNames.size()) +
                       " classes";
    return data;
}

Result<Dataset> readTrainingSet(const std::string& folder) {
    if (auto open = checkOpen(folder); !open) return failure(open.error());
    const fs::path idx = fs::path(folder) / "train-images-idx3-ubyte";
    const bool isIdx = fs::exists(idx) || fs::exists(idx.string() + ".gz") || sorted(folder, isFolder).empty();
    return isIdx ? readIdxFolder(folder, Split::Train) : readImageFolder(folder);
}

}  // namespace ropescope
