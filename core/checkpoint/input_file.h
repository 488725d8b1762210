// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/data/error.h"

namespace ropescope {

/// A plain file open for reading at any place (pread, never mmap: a file that shrinks gives an error, not a signal).
/// Copyable handle; thread-safe.
class InputFile {
public:
    /// Errors: ST-21 for what is not a plain readable file (folder, pipe, device, missing); never blocks.
    [[nodiscard]] static Result<InputFile> open(const std::string& path);

    [[nodiscard]] const std::string& path() const { return m_state->path; }
    [[nodiscard]] std::uint64_t size() const { return m_state->size; }  ///< when opened

    /// Fills `to` from byte `offset`. Errors: ST-19 the file has become shorter, ST-20 the disk's own error.
    [[nodiscard]] Result<void> readAt(std::uint64_t offset, std::span<std::byte> to) const;
    /// `length` bytes; the range must lie inside size(), so that nothing is allocated for a lie. Errors: as readAt.
    [[nodiscard]] Result<std::vector<std::byte>> bytes(std::uint64_t offset, std::uint64_t length) const;

private:
    struct State {
        State(std::string name, int descriptor) : path(std::move(name)), fd(descriptor) {}
        State(const State&) = delete;
        State& operator=(const State&) = delete;
        ~State();
        std::string path;
        int fd;
        std::uint64_t size = 0;
    };
    explicit InputFile(std::shared_ptr<const State> state) : m_state(std::move(state)) {}

    std::shared_ptr<const State> m_state;
};

}  // namespace ropescope
