// SPDX-License-Identifier: Apache-2.0
#include "core/training/dataset.h"

#include <ATen/ATen.h>
#include <zlib.h>

#include <filesystem>
#include <memory>

namespace ropescope {
namespace {

constexpr std::int64_t kMaxBytes = std::int64_t{1} << 32;  // four times the largest idx set in use

Error idxError(const std::string& path, std::string reason, std::string found = "", std::string expected = "") {
    return {ErrorKind::Refused,
            "idx",
            place({path}),
            std::move(reason),
            std::move(found),
            std::move(expected),
            "Point --data at a folder with the four idx files, for instance Debian's dataset-fashion-mnist"};
}

// One idx file of unsigned bytes with `rank` dimensions; gzread also reads files that are not compressed.
Result<at::Tensor> readIdx(const std::string& folder, const std::string& name, int rank) {
    std::string path = folder + "/" + name;
    if (!std::filesystem::exists(path)) path += ".gz";
    const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
    if (!file) return failure(idxError(folder + "/" + name, "cannot be opened, nor with .gz"));
    unsigned char head[4 + 4 * 4];
    const int headBytes = 4 + 4 * rank;
    if (gzread(file.get(), head, headBytes) != headBytes) return failure(idxError(path, "the file is cut"));
    if (head[0] != 0 || head[1] != 0 || head[2] != 8 || head[3] != rank)
        return failure(idxError(path, "not an idx file of bytes with that many dimensions", std::to_string(head[3]),
                                std::to_string(rank)));
    std::vector<std::int64_t> shape;
    std::int64_t total = 1;
    for (int i = 0; i < rank; ++i) {
        const unsigned char* b = head + 4 + 4 * i;
        shape.push_back((std::int64_t{b[0]} << 24) | (b[1] << 16) | (b[2] << 8) | b[3]);
        if (shape.back() == 0 || shape.back() > kMaxBytes / total) return failure(idxError(path, "impossible size"));
        total *= shape.back();
    }
    at::Tensor values = at::empty(shape, at::kByte);
    auto* to = values.data_ptr<std::uint8_t>();
    for (std::int64_t done = 0; done < total;) {
        const int got =
            gzread(file.get(), to + done, static_cast<unsigned>(std::min<std::int64_t>(total - done, 1 << 24)));
        if (got <= 0)
            return failure(idxError(path, "the file is cut", std::to_string(done) + " bytes", std::to_string(total)));
        done += got;
    }
    return values;
}

std::vector<std::string> namesOf(const std::string& folder, std::int64_t classes) {
    if (folder.find("fashion-mnist") != std::string::npos && classes == 10)
        return {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
    std::vector<std::string> names;
    for (std::int64_t i = 0; i < classes; ++i) names.push_back(std::to_string(i));
    return names;
}

}  // namespace

Result<Dataset> readIdxFolder(const std::string& folder, Split split) {
    const std::string prefix = split == Split::Train ? "train" : "t10k";
    Result<at::Tensor> images = readIdx(folder, prefix + "-images-idx3-ubyte", 3);
    if (!images) return failure(images.error());
    Result<at::Tensor> labels = readIdx(folder, prefix + "-labels-idx1-ubyte", 1);
    if (!labels) return failure(labels.error());
    if (images->size(0) != labels->size(0))
        return failure(idxError(folder, "images and labels differ in number", std::to_string(labels->size(0)),
                                std::to_string(images->size(0))));
    const std::int64_t classes = labels->max().item<std::int64_t>() + 1;
    return Dataset{images->unsqueeze(1), labels->to(at::kLong), namesOf(folder, classes),
                   std::to_string(images->size(0)) + " images of " + std::to_string(images->size(1)) + "x" +
                       std::to_string(images->size(2)) + " pixels in " + std::to_string(classes) + " classes"};
}

at::Tensor toSignal(const at::Tensor& bytes) {
    return bytes.to(at::kFloat) / 127.5 - 1;
}

}  // namespace ropescope
