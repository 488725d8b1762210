// SPDX-License-Identifier: Apache-2.0
#include "core/engine/weights/head_store.h"

#include <cstdint>
#include <list>

#include "core/engine/machine/kept.h"

namespace ropescope {
namespace {

struct KeptHeads {
    ModelRef ref;
    std::vector<std::int64_t> stamp;
    std::shared_ptr<HeadStore> store;
};

// A model and its series of intermediate checkpoints; a head holds five D x D matrices.
constexpr std::size_t kKeptFiles = 12;
// A pass over all layers of a model keeps them up to this size.
constexpr std::int64_t kKeptBytes = 96 << 20;

}  // namespace

Result<std::shared_ptr<HeadStore>> HeadStore::open(const ModelRef& ref) {
    Result<TensorTable> table = TensorTable::open(ref);
    if (!table) return failure(table.error());
    Result<ModelCard> card = recognise(*table, ref);
    if (!card) return failure(card.error());
    if (const Result<EncodingSpec> spec = encodingOf(*card); !spec) return failure(spec.error());
    if (auto known = checkAttention(*table, *card); !known) return failure(known.error());
    return std::make_shared<HeadStore>(std::move(*table), std::move(*card));
}

Result<const std::vector<LoadedHead>*> HeadStore::layer(int layer) {
    const std::lock_guard lock(m_mutex);
    const auto known = m_layers.find(layer);
    if (known != m_layers.end()) return &known->second;
    Result<std::vector<LoadedHead>> heads = loadHeads(m_table, m_card, layer);
    if (!heads) return failure(heads.error());
    return &m_layers.emplace(layer, std::move(*heads)).first->second;
}

bool HeadStore::keepsAll() const {
    return std::int64_t(m_card.layers) * m_card.heads * m_card.headDim * m_card.headDim * 5 * 8 <= kKeptBytes;
}

Result<std::vector<LoadedHead>> HeadStore::passing(int layer, HeadRange range) {
    const bool whole = range == HeadRange{} || range.count == m_card.heads;
    {
        const std::lock_guard lock(m_mutex);
        const auto known = m_layers.find(layer);
        if (known != m_layers.end()) {
            const auto& heads = known->second;
            if (whole) return heads;
            return std::vector(heads.begin() + range.first, heads.begin() + range.first + range.count);
        }
    }
    Result<std::vector<LoadedHead>> heads = loadHeads(m_table, m_card, layer, range);
    if (!heads || !whole || !keepsAll()) return heads;
    const std::lock_guard lock(m_mutex);
    m_layers.emplace(layer, *heads);
    return heads;
}

Result<std::shared_ptr<HeadStore>> headStore(const ModelRef& ref) {
    static std::mutex mutex;
    static std::list<KeptHeads> kept;  // newest first
    const std::lock_guard lock(mutex);
    const std::vector<std::int64_t> stamp = stampOf(ref);
    for (auto it = kept.begin(); it != kept.end(); ++it) {
        if (!(it->ref == ref)) continue;
        if (it->stamp == stamp) {
            kept.splice(kept.begin(), kept, it);
            return kept.front().store;
        }
        kept.erase(it);
        break;
    }
    Result<std::shared_ptr<HeadStore>> store = HeadStore::open(ref);
    if (!store) return store;
    kept.push_front({ref, stamp, *store});
    if (kept.size() > kKeptFiles) kept.pop_back();
    return store;
}

}  // namespace ropescope
