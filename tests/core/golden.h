// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/checkpoint/tensor_table.h"

// Reading of tests/golden for tests that compare with recorded outputs.

namespace ropescope {

inline std::string goldenPath(const std::string& name) {
    return ROPESCOPE_SOURCE_DIR "/tests/golden/" + name;
}

/// A tensor of a file, float64. Throws when it is not there.
inline at::Tensor goldenTensor(const std::string& path, const std::string& name) {
    const TensorTable table = TensorTable::open(path).value();
    const std::vector<double> values = table.readDouble(name).value();
    return at::from_blob(const_cast<double*>(values.data()), table.find(name)->shape, at::kDouble).clone();
}

/// The tolerance of recorded model outputs: max|a-b| <= share * max(1, max|reference|).
inline void expectClose(const at::Tensor& found, const at::Tensor& reference, double share = 1e-4) {
    ASSERT_EQ(found.sizes(), reference.sizes());
    const double bound = share * std::max(1.0, reference.abs().max().item<double>());
    EXPECT_LE((found.to(at::kCPU, at::kDouble) - reference).abs().max().item<double>(), bound);
}

}  // namespace ropescope
