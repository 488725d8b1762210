// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/checkpoint/tensor_table.h"

namespace ropescope {
namespace {

const std::string kGolden = std::string(ROPESCOPE_SOURCE_DIR) + "/tests/golden/";

TEST(TorchFile, AuthorsContainerGivesEma) {
    const auto table = TensorTable::open(kGolden + "harope_dit_tiny.pt");
    ASSERT_TRUE(table) << table.error().message();
    EXPECT_EQ(table->format(), "torch-zip");
    EXPECT_TRUE(table->isAuthorsContainer());
    EXPECT_EQ(table->tensors().size(), 37u);
    EXPECT_EQ(table->tensors().front().name, "x_embedder.proj.weight");
    EXPECT_EQ(table->trainingArgs().at("model"), "DiT-B/2");
    EXPECT_EQ(table->trainingArgs().at("image_size"), "256");
    EXPECT_EQ(table->find("optimizer"), nullptr);
}

TEST(TorchFile, EmaAndModelDiffer) {
    const auto ema = TensorTable::open(kGolden + "harope_dit_tiny.pt");
    const auto model = TensorTable::open(kGolden + "harope_dit_tiny.pt", "model");
    ASSERT_TRUE(ema && model);
    EXPECT_EQ(ema->tensors().size(), model->tensors().size());
    EXPECT_NE(ema->readFloat("blocks.0.attn.qkv.weight").value(), model->readFloat("blocks.0.attn.qkv.weight").value());
}

/// In both formats, and where three tensors of a file make one.
TEST(TensorTable, RowsAreThoseOfTheWhole) {
    int compared = 0, joined = 0;
    for (const char* file : {"harope_dit_tiny.pt", "vit_tiny_patch16_224.safetensors", "dit_diffusers_tiny"}) {
        const TensorTable table = TensorTable::open(kGolden + file).value();
        for (const TensorEntry& entry : table.tensors()) {
            if (entry.shape.empty() || entry.shape[0] < 3) continue;
            const Array whole = table.read(entry.name).value();
            const std::int64_t all = entry.shape[0];
            const std::size_t row = whole.bytes.size() / static_cast<std::size_t>(all);
            for (const auto& [first, count] :
                 {std::pair<std::int64_t, std::int64_t>{0, all}, {1, all - 2}, {all - 1, 1}}) {
                const Array rows = table.readRows(entry.name, first, count).value();
                EXPECT_EQ(rows.shape[0], count);
                const auto from = whole.bytes.begin() + static_cast<std::ptrdiff_t>(first * row);
                EXPECT_TRUE(std::equal(rows.bytes.begin(), rows.bytes.end(), from,
                                       from + static_cast<std::ptrdiff_t>(count * row)))
                    << entry.name;
                ++compared;
            }
            joined += !entry.parts.empty();
            EXPECT_THROW((void)table.readRows(entry.name, 1, all), std::out_of_range);
        }
    }
    EXPECT_GT(compared, 100);
    EXPECT_GT(joined, 0);
}

/// The recorded singular values are softplus(sigma) + 1e-6 of the ema copy.
TEST(TorchFile, ValuesAreThoseOfTheReference) {
    const auto table = TensorTable::open(kGolden + "harope_dit_tiny.pt");
    const auto expected = TensorTable::open(kGolden + "harope_dit_tiny.expected.safetensors");
    ASSERT_TRUE(table && expected);
    for (int layer = 0; layer < 2; ++layer) {
        const auto sigma = table->readDouble("blocks." + std::to_string(layer) + ".attn.learnable_rot.sigma");
        const auto values = expected->readDouble("singular_values." + std::to_string(layer));
        ASSERT_TRUE(sigma && values);
        ASSERT_EQ(sigma->size(), values->size());
        for (std::size_t i = 0; i < sigma->size(); ++i) {
            EXPECT_NEAR(std::log1p(std::exp((*sigma)[i])) + 1e-6, (*values)[i], 1e-6);
        }
    }
}

TEST(TorchFile, BareStateDict) {
    const auto table = TensorTable::open(kGolden + "dit_ape_tiny.pt");
    ASSERT_TRUE(table) << table.error().message();
    EXPECT_FALSE(table->isAuthorsContainer());
    EXPECT_EQ(table->tensors().size(), 32u);
    const TensorEntry* positions = table->find("pos_embed");
    ASSERT_NE(positions, nullptr);
    EXPECT_EQ(positions->shape, (std::vector<std::int64_t>{1, 16, 48}));
    const auto values = table->readDouble("pos_embed");
    ASSERT_TRUE(values);
    EXPECT_EQ(values->size(), 768u);
    // Row 1 is token (0,1): the sine block of the column starts with sin 1 (fixed sin-cos table).
    EXPECT_NEAR((*values)[48], std::sin(1.0), 1e-6);
}

TEST(TorchFile, UnknownNameIsAnError) {
    const auto table = TensorTable::open(kGolden + "dit_ape_tiny.pt");
    ASSERT_TRUE(table);
    const auto read = table->readFloat("nothing");
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, "TC-05");
}

}  // namespace
}  // namespace ropescope
