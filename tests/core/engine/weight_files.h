// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/checkpoint/tensor_table.h"
#include "core/data/safetensors.h"

// Model files that the tests of this folder read and write.

namespace ropescope {

inline const std::string kGolden = std::string(ROPESCOPE_SOURCE_DIR) + "/tests/golden/";
inline const std::string kFixture = kGolden + "harope_dit_tiny.pt";

using Tensors = std::map<std::string, at::Tensor>;

/// All tensors of a weight file, float64.
inline Tensors readWeights(const std::string& path) {
    const Result<TensorTable> table = TensorTable::open(path);
    if (!table) throw std::runtime_error(table.error().message());
    Tensors tensors;
    for (const TensorEntry& e : table->tensors()) {
        std::vector<double> values = table->readDouble(e.name).value();
        tensors[e.name] = at::from_blob(values.data(), e.shape, at::kDouble).clone();
    }
    return tensors;
}

inline void writeWeights(const std::string& path, const Tensors& tensors) {
    std::map<std::string, Array> arrays;
    for (const auto& [name, tensor] : tensors) {
        const at::Tensor t = tensor.to(at::kDouble).contiguous();
        arrays[name] = makeArray(std::span(t.const_data_ptr<double>(), t.numel()), t.sizes().vec());
    }
    const Result<void> written = writeSafetensors(path, arrays);
    if (!written) throw std::runtime_error(written.error().message());
}

/// A folder of its own for every test.
class InFolder : public testing::Test {
protected:
    void SetUp() override {
        const auto* test = testing::UnitTest::GetInstance()->current_test_info();
        m_folder = std::filesystem::temp_directory_path() /
                   (std::string("ropescope_") + test->name() + "_" + std::to_string(::getpid()));
        std::filesystem::create_directories(m_folder);
    }
    void TearDown() override { std::filesystem::remove_all(m_folder); }
    [[nodiscard]] std::string path(const std::string& name) const { return m_folder / name; }

    std::filesystem::path m_folder;
};

}  // namespace ropescope
