// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <list>

#include "core/engine/machine/device.h"
#include "core/engine/machine/kept.h"

namespace ropescope {

/// The last few models that were loaded, newest first: at most four, and on a device never more than half of the memory
/// that would be free there without them. A model that alone is larger is kept alone. Whoever holds one keeps it alive.
/// Thread-safe. Checked by tests/core/engine/models_kept_test.cpp.
template <class T>
class ModelsKept {
public:
    static constexpr std::size_t kMost = 4;

    /// The kept one, if it is there; else loads. `load` gives Result<std::shared_ptr<T>> and calls its argument with
    /// the bytes that the model will take, before it takes them: others go then, so that there is room.
    template <class Load>
    Result<std::shared_ptr<T>> get(const Identity& identity, at::Device device, const Load& load) {
        const std::lock_guard lock(m_mutex);
        const auto found = std::ranges::find(m_models, identity, &Model::identity);
        if (found != m_models.end()) {
            m_models.splice(m_models.begin(), m_models, found);
            return found->value;
        }
        std::uint64_t size = 0;
        Result<std::shared_ptr<T>> loaded = load([&](std::uint64_t bytes) { size = bytes, makeRoom(bytes, device); });
        if (loaded) m_models.push_front({identity, device, size, *loaded});
        return loaded;
    }
    [[nodiscard]] std::size_t count() {
        const std::lock_guard lock(m_mutex);
        return m_models.size();
    }
    void forget() {
        const std::lock_guard lock(m_mutex);
        m_models.clear();
    }

private:
    struct Model {
        Identity identity;
        at::Device device;
        std::uint64_t bytes = 0;
        std::shared_ptr<T> value;
    };

    [[nodiscard]] std::uint64_t bytesOn(at::Device device) const {
        std::uint64_t sum = 0;
        for (const Model& model : m_models) sum += model.device == device ? model.bytes : 0;
        return sum;
    }
    void makeRoom(std::uint64_t wanted, at::Device device) {
        const std::uint64_t half = (freeBytes(device) + bytesOn(device)) / 2;
        while (!m_models.empty() && (m_models.size() >= kMost || bytesOn(device) + wanted > half)) m_models.pop_back();
    }

    std::mutex m_mutex;
    std::list<Model> m_models;
};

}  // namespace ropescope
