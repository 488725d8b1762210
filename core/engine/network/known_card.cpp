// SPDX-License-Identifier: Apache-2.0
#include "core/engine/network/known_card.h"

#include <algorithm>
#include <list>
#include <mutex>

#include "core/checkpoint/tensor_table.h"
#include "core/engine/machine/kept.h"

namespace ropescope {
namespace {

constexpr std::size_t kKeptCards = 8;

struct KnownCard {
    ModelRef ref;
    std::vector<std::int64_t> stamp;
    ModelCard card;
};

struct KnownCards {
    std::mutex mutex;
    std::list<KnownCard> cards;  ///< newest first
};

KnownCards& knownCards() {
    static KnownCards known;
    return known;
}

}  // namespace

Result<ModelCard> knownCard(const ModelRef& ref) {
    const ModelRef source = withoutChanges(ref);
    const std::vector<std::int64_t> stamp = stampOf(source);
    KnownCards& known = knownCards();
    const std::lock_guard lock(known.mutex);
    const auto same = [&](const KnownCard& one) { return one.ref == source && one.stamp == stamp; };
    const auto found = std::ranges::find_if(known.cards, same);
    if (found != known.cards.end()) {
        known.cards.splice(known.cards.begin(), known.cards, found);
        return found->card;
    }
    auto card = openCard(source);
    if (!card) return card;
    known.cards.push_front({source, stamp, *card});
    if (known.cards.size() > kKeptCards) known.cards.pop_back();
    return card;
}

}  // namespace ropescope
