// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/data/error.h"
#include "core/data/model.h"

namespace ropescope {

/// Number, size and time of a file; of a folder those of all files in it and one folder below; of an index of shards
/// those of the shards too. Of what decides beside it how it is read (NAME.config.json, config.json,
/// adapter_config.json) likewise. Nothing for an empty path.
[[nodiscard]] std::vector<std::int64_t> stampOf(const std::string& path);
/// Of all files of a model.
[[nodiscard]] std::vector<std::int64_t> stampOf(const ModelRef& ref);

/// For keys that are texts: the numbers, each with a space before it.
[[nodiscard]] std::string stampText(const std::vector<std::int64_t>& stamp);

/// What must not change for something made of a model's files to be made of those files still: everything that decides
/// how they are read, and the files' stamps.
struct Identity {
    ModelRef ref;
    std::string device;
    Precision precision = Precision::Fp32;
    std::uint64_t memory = 0;  ///< a limit, where there is one
    std::vector<std::int64_t> files;
    bool operator==(const Identity&) const = default;
};
[[nodiscard]] Identity identityOf(const ModelRef& ref, at::Device device, Precision precision,
                                  std::uint64_t memory = 0);

/// The last thing that was loaded, because one model may fill the memory. Thread-safe.
template <class T>
class Kept {
public:
    /// The kept one, if it is the same; else drops it and loads. `load` gives Result<std::shared_ptr<T>>.
    template <class Load>
    Result<std::shared_ptr<T>> get(const Identity& identity, const Load& load) {
        const std::lock_guard lock(m_mutex);
        if (m_value && m_identity == identity) return m_value;
        m_value = nullptr;  // first, so that two never lie in memory together
        Result<std::shared_ptr<T>> loaded = load();
        if (loaded) m_value = *loaded, m_identity = identity;
        return loaded;
    }
    [[nodiscard]] std::shared_ptr<T> peek() {
        const std::lock_guard lock(m_mutex);
        return m_value;
    }
    void forget() {
        const std::lock_guard lock(m_mutex);
        m_value = nullptr;
    }

private:
    std::mutex m_mutex;
    Identity m_identity;
    std::shared_ptr<T> m_value;
};

}  // namespace ropescope
