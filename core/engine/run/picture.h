// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "core/data/array.h"
#include "core/data/model.h"
#include "core/data/model_card.h"

namespace ropescope {

/// How latents of this many channels become a picture without a decoder; empty when they are the picture itself.
[[nodiscard]] std::string pictureNote(std::int64_t channels);

/// One image [C,h,w] (any device and type) as U8 [h,w,3]. One and three channels: the value in [-1,1] as 0..255.
/// Four: a linear map from Stable Diffusion latents to colours; sixteen: from SD3's or (`architecture` flux) FLUX's.
/// Others: the first channel in grey, scaled to its range.
/// Values that are not finite give black. Checked by tests/core/engine/device_test.cpp.
[[nodiscard]] Array pictureOf(const at::Tensor& image, const std::string& architecture = {});

/// What classifierInput (core/engine/measure/preprocess.h) gave, U8 [h,w,C], as [1,C,h,w] with means and deviations
/// applied.
[[nodiscard]] at::Tensor normalisedInput(const Array& input, const Preprocessing& preprocessing);

}  // namespace ropescope
