// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "core/data/error.h"

namespace ropescope {

/// Labelled images of one size, in memory.
struct Dataset {
    at::Tensor images;  ///< U8 [n, channels, h, w]
    at::Tensor labels;  ///< I64 [n], 0 .. classes-1
    std::vector<std::string> classNames;
    std::string description;  ///< for cards: what was read and how many images
};

enum class Split { Train, Test };

/// Reads a folder of idx files, plain or gzip (`train-images-idx3-ubyte[.gz]` and its companions; Test: `t10k-`).
/// A folder whose path says fashion-mnist gets that set's class names, others the labels as names.
/// Errors: Refused when a file is missing, cut, of another kind, or the counts differ.
/// Checked by tests/core/training/dataset_test.cpp.
[[nodiscard]] Result<Dataset> readIdxFolder(const std::string& folder, Split split);

/// Reads a folder of images by class: one subfolder per class, named after it, in alphabetical order; PNG, JPEG or WebP
/// of one size (libropescope_media). Grey images give one channel, others three. Errors: Refused when there are none or
/// sizes differ, those of the image reader, Device without that library.
[[nodiscard]] Result<Dataset> readImageFolder(const std::string& folder);

/// Either kind: idx files when they are there or when there are no subfolders, else images by class.
[[nodiscard]] Result<Dataset> readTrainingSet(const std::string& folder);

/// Pixels as the models see them: float32 in [-1, 1].
[[nodiscard]] at::Tensor toSignal(const at::Tensor& bytes);

}  // namespace ropescope
