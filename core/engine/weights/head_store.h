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

/// The heads of one opened file, loaded layer by layer when asked for. Safe to use from several threads.
class HeadStore {
public:
    /// Errors: those of the reader, of recognising the file and of encodingOf().
    [[nodiscard]] static Result<std::shared_ptr<HeadStore>> open(const ModelRef& ref);

    [[nodiscard]] const ModelCard& card() const { return m_card; }
    /// All heads of a layer; the pointer stays valid as long as the store. Errors: reading failed.
    [[nodiscard]] Result<const std::vector<LoadedHead>*> layer(int layer);

    /// The same for a pass over a whole model by several threads at once: heads of a large one are not kept, and may be
    /// asked for in ranges.
    [[nodiscard]] Result<std::vector<LoadedHead>> passing(int layer, HeadRange range = {});
    /// All heads together are small enough to be kept.
    [[nodiscard]] bool keepsAll() const;

    HeadStore(TensorTable table, ModelCard card) : m_table(std::move(table)), m_card(std::move(card)) {}

private:
    TensorTable m_table;
    ModelCard m_card;
    std::mutex m_mutex;
    std::map<int, std::vector<LoadedHead>> m_layers;
};

/// The store of a file, kept for the last few files so that the next head needs no reading. A file that was replaced or
/// changed since is opened anew.
[[nodiscard]] Result<std::shared_ptr<HeadStore>> headStore(const ModelRef& ref);

}  // namespace ropescope
