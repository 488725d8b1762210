// SPDX-License-Identifier: Apache-2.0
#include "core/engine/weights/head_store.h"

#include <cstdint>
#include <list>

#include "core/engine/machine/kept.h"
#include "core/engine/network/variation.h"

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
    return std::make_shared<HeadStore>(std::make_shared<HeadSource>(std::move(*table), std::move(*card)));
}

std::shared_ptr<HeadStore> HeadStore::varied(std::shared_ptr<HeadStore> stored, HeadChangesPtr changes) {
    auto store = std::make_shared<HeadStore>(stored->m_source);
    store->m_stored = std::move(stored), store->m_changes = std::move(changes);
    return store;
}

Result<LayerParts> HeadSource::parts(int layer) {
    const std::lock_guard lock(m_mutex);
    const auto known = m_parts.find(layer);
    if (known != m_parts.end()) return known->second;
    Result<LayerParts> parts = readLayer(m_table, m_card, layer);
    if (parts) m_parts.emplace(layer, *parts);
    return parts;
}

Result<const std::vector<LoadedHead>*> HeadStore::layer(int layer) {
    if (m_stored && !m_changes->touchLayer(layer)) return m_stored->layer(layer);
    const std::lock_guard lock(m_mutex);
    const auto known = m_layers.find(layer);
    if (known != m_layers.end()) return &known->second;
    Result<LayerParts> parts = m_source->parts(layer);
    if (!parts) return failure(parts.error());
    return &m_layers.emplace(layer, makeHeads(std::move(*parts), card(), layer, m_changes)).first->second;
}

bool HeadStore::keepsAll() const {
    return std::int64_t(card().layers) * card().heads * card().headDim * card().headDim * 5 * 8 <= kKeptBytes;
}

Result<std::vector<LoadedHead>> HeadStore::passing(int layer, HeadRange range) {
    const bool whole = range == HeadRange{} || range.count == card().heads;
    {
        const std::lock_guard lock(m_mutex);
        const auto known = m_layers.find(layer);
        if (known != m_layers.end()) {
            const auto& heads = known->second;
            if (whole) return heads;
            return std::vector(heads.begin() + range.first, heads.begin() + range.first + range.count);
        }
    }
    Result<std::vector<LoadedHead>> heads = loadHeads(m_source->table(), card(), layer, range, m_changes);
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
    const auto get = [&](const ModelRef& key, const auto& make) -> Result<std::shared_ptr<HeadStore>> {
        for (auto it = kept.begin(); it != kept.end(); ++it) {
            if (!(it->ref == key)) continue;
            if (it->stamp == stamp) {
                kept.splice(kept.begin(), kept, it);
                return kept.front().store;
            }
            kept.erase(it);
            break;
        }
        Result<std::shared_ptr<HeadStore>> store = make();
        if (!store) return store;
        kept.push_front({key, stamp, *store});
        if (kept.size() > kKeptFiles) kept.pop_back();
        return store;
    };
    const ModelRef source = withoutChanges(ref);
    const auto stored = get(source, [&] { return HeadStore::open(source); });
    if (!stored || !ref.changesHeads()) return stored;
    return get(ref, [&]() -> Result<std::shared_ptr<HeadStore>> {
        const auto changes = headChanges(ref, (*stored)->card());
        if (!changes) return failure(changes.error());
        return HeadStore::varied(*stored, *changes);
    });
}

}  // namespace ropescope
