// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <utility>

#include "core/engine/run/generate.h"
#include "tests/core/golden.h"

// Runs of the tiny pipelines in tests/golden.

namespace ropescope {

inline GenerateRequest sd3() {
    GenerateRequest c;
    c.model.path = goldenPath("sd35_tiny.safetensors");
    c.compute.device = "cpu";
    c.compute.threads = 1;
    c.text.embeddings = c.noiseFile = goldenPath("pipelines.safetensors");
    c.vae = goldenPath("vae_tiny.safetensors");
    c.steps = 5;
    c.guidance = 4;
    return c;
}

inline GenerateRequest flux() {
    GenerateRequest c = sd3();
    c.model.path = goldenPath("flux_tiny.safetensors");
    c.noiseFile = goldenPath("pipelines_flux_noise.safetensors");
    c.vae.clear();
    c.steps = 4;
    c.guidance = 2.5;
    return c;
}

inline at::Tensor tensorOf(const Array& a) {
    return at::from_blob(const_cast<std::byte*>(a.bytes.data()), a.shape, at::kFloat).clone();
}

inline GenerateResult drawn(const GenerateRequest& command) {
    auto result = generate(command, {});
    if (!result) throw std::runtime_error(result.error().message());
    return std::move(*result);
}

}  // namespace ropescope
