// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/checkpoint/tensor_table.h"
#include "core/data/model.h"
#include "core/probe/model_heads.h"

namespace ropescope {

/// A file that was opened for its heads, with what they are made of as far as it was read. Safe to use from several
/// threads.
class HeadSource {
public:
    HeadSource(TensorTable table, ModelCard card) : m_table(std::move(table)), m_card(std::move(card)) {}
    [[nodiscard]] const TensorTable& table() const { return m_table; }
    [[nodiscard]] const ModelCard& card() const { return m_card; }
    /// All parts of a layer, kept. Errors: reading failed.
    [[nodiscard]] Result<LayerParts> parts(int layer);

private:
    TensorTable m_table;
    ModelCard m_card;
    std::mutex m_mutex;
    std::map<int, LayerParts> m_parts;
};

/// The heads of one opened file under one variation, made layer by layer when asked for. Safe to use from several
/// threads.
class HeadStore {
public:
    /// As stored, whatever ref changes of heads. Errors: those of the reader, of recognising the file and of
    /// encodingOf().
    [[nodiscard]] static Result<std::shared_ptr<HeadStore>> open(const ModelRef& ref);
    /// The heads of the same source with changes; layers that they do not touch are those of `stored`.
    [[nodiscard]] static std::shared_ptr<HeadStore> varied(std::shared_ptr<HeadStore> stored, HeadChangesPtr changes);

    [[nodiscard]] const ModelCard& card() const { return m_source->card(); }
    [[nodiscard]] const HeadChangesPtr& changes() const { return m_changes; }
    /// All heads of a layer; the pointer stays valid as long as the store. Errors: reading failed.
    [[nodiscard]] Result<const std::vector<LoadedHead>*> layer(int layer);

    /// The same for a pass over a whole model by several threads at once: heads of a large one are not kept, and may be
    /// asked for in ranges.
    [[nodiscard]] Result<std::vector<LoadedHead>> passing(int layer, HeadRange range = {});
    /// All heads together are small enough to be kept.
    [[nodiscard]] bool keepsAll() const;

    explicit HeadStore(std::shared_ptr<HeadSource> source) : m_source(std::move(source)) {}

private:
    std::shared_ptr<HeadSource> m_source;
    std::shared_ptr<HeadStore> m_stored;  ///< the unchanged one; null: this is it
    HeadChangesPtr m_changes;
    std::mutex m_mutex;
    std::map<int, std::vector<LoadedHead>> m_layers;
};

/// The store of a model, kept for the last few so that the next head, or another setting of a dial, needs no reading. A
/// file that was replaced or changed since is opened anew. Errors: those, and of headChanges().
[[nodiscard]] Result<std::shared_ptr<HeadStore>> headStore(const ModelRef& ref);

}  // namespace ropescope
