// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>
#include <set>

#include "core/checkpoint/model_config.h"
#include "core/checkpoint/tensor_table.h"
#include "core/data/matrix_kind.h"
#include "core/data/model_card.h"

namespace ropescope {

/// A size of a file as an int: what is larger is impossible and refused later.
[[nodiscard]] inline int clamped(std::int64_t value) {
    return static_cast<int>(std::min<std::int64_t>(value, 1 << 20));
}

/// What recognise() works on. Private to core/checkpoint.
struct Recognition {
    const TensorTable& table;
    const ModelRef& ref;
    ModelConfig config;
    ModelCard card;
    Grid input = {};  ///< in pixels or latents, of what the network is about to get; 0x0: nothing

    /// Dimension `axis` of a tensor; 0 when the tensor or the axis is not there.
    [[nodiscard]] std::int64_t size(std::string_view name, std::size_t axis) const;
    [[nodiscard]] std::size_t rank(std::string_view name) const;
    struct Side {
        std::string name;
        std::size_t axis = 0;
    };
    /// What most of these sides say, the first of equals; 0 when none is there. One damaged tensor does not decide.
    [[nodiscard]] int agreed(const std::vector<Side>& sides) const;
    void note(std::string text) { card.notes.push_back(std::move(text)); }
    /// Something usual that was taken because nothing says it; listed apart.
    void assume(std::string text) { card.assumed.push_back(std::move(text)); }
    /// An argument of the training, whatever group of them it stands in; empty where there is none.
    [[nodiscard]] std::string argument(std::string_view key) const;
    /// The norm whose parameters begin with `name`: none, with a bias, or without one (`norm_layer` of the
    /// configuration, else a root mean square).
    [[nodiscard]] Norm normOf(const std::string& name);
    /// Some block has a bias of queries, keys and values, or none has their weights.
    [[nodiscard]] bool hasQkvBias() const;
    /// Some block's MLP is gated (SwiGLU): its first two weights are joined as w12.
    [[nodiscard]] bool hasGatedMlp() const;
    /// Features inside the MLP of the blocks, of one half where card.variant.gated; 0 where none is there.
    [[nodiscard]] int mlpHidden() const;
    /// Errors: CF-02 for a norm that is not known.
    [[nodiscard]] Result<void> checkNormLayer() const;
    [[nodiscard]] tl::unexpected<Error> refused(std::string code, std::string_view tensor, std::string reason,
                                                std::string found = {}, std::string expected = {}) const;

    /// Number of layers: one more than the largest i of "<prefix>i.". Errors: TC-08 beyond 1000.
    [[nodiscard]] Result<int> countLayers(std::string_view prefix) const;
    /// The first tensor of a learned matrix and what it says; empty name when the file holds none.
    struct FoundMap {
        std::string name;
        std::string encoding;  ///< whose matrix it is
        MatrixKind kind = MatrixKind::None;
        std::vector<std::int64_t> part;  ///< shape of one head's part of a new matrix, D = 0
        bool ofModel = false;            ///< shared by all layers
    };
    [[nodiscard]] FoundMap firstMap() const;
    /// Fills heads, headDim, sharedMaps for card.width: from the maps, --heads, the configuration.
    /// `headDim` is what other tensors say, 0 if they do not. Errors: TC-07, TC-08; Usage naming --heads.
    [[nodiscard]] Result<void> findHeads(std::int64_t headDim = 0);
    /// The number of heads that every published ViT of this width has, noted; 0 for other widths and networks.
    [[nodiscard]] int usualHeads();
    /// Fills convention for files with maps, None for others. Errors: CF-02 a word of the metadata that is not known.
    [[nodiscard]] Result<void> findConvention();
    /// Fills theta: option, configuration, else `usual`.
    void findTheta(double usual);
    /// Fills grid: option, configuration, the contents of a sine table or a stored rotary table (`known`), a position
    /// table of a square number of `positions`, training arguments, else 16x16.
    [[nodiscard]] Result<void> findGrid(std::int64_t positions, std::optional<Grid> known = {},
                                        const std::string& source = {});
};

/// What any header tells: names, sizes, metadata, and which network it resembles.
[[nodiscard]] ModelCard outlineOf(const TensorTable& table, const ModelRef& ref);
/// What becomes of every tensor, in the file's order; empty texts for a network that is not known.
[[nodiscard]] std::vector<std::string> tensorUses(const TensorTable& table, const ModelCard& card);

/// Fills what the configuration leaves open about a DiT from the arguments of its training.
void takeTrainingArguments(Recognition& r);
/// The first argument of the training that says another diffusion than the first DiT's, with its value; else empty.
[[nodiscard]] std::string otherDiffusion(const Recognition& r);
/// Conflicts of the arguments with the tensors, and a note of those that were not looked at. After all else is known.
void compareTrainingArguments(Recognition& r);

[[nodiscard]] Result<void> recogniseDit(Recognition& r);
[[nodiscard]] Result<void> recogniseViT(Recognition& r);
[[nodiscard]] Result<void> recogniseMmdit(Recognition& r);
[[nodiscard]] Result<void> recogniseFlux(Recognition& r);
[[nodiscard]] Result<void> recogniseVae(Recognition& r);

}  // namespace ropescope
