// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

#include "core/checkpoint/tensor_table.h"
#include "core/encoding/matrix.h"
#include "core/model/lora.h"

namespace ropescope {

/// Weights of a network that may be larger than memory, block by block: what fits the budget stays, the rest is read
/// from the file every time it is asked for. One thread. Checked by tests/core/model/flow_test.cpp.
class WeightStore {
public:
    /// `type` and `device` of the handed tensors (parameters of maps stay float32). `budget` bytes for everything that
    /// is kept or on its way.
    /// `changes` are added to the weights as they are handed out; the file's own stay as they are.
    WeightStore(TensorTable table, at::ScalarType type, at::Device device, std::uint64_t budget, LoraSet changes = {});

    /// Tensors whose names begin with `prefix`, named without it. Throws ReadFailure when the file cannot be read.
    [[nodiscard]] WeightTable block(const std::string& prefix);
    [[nodiscard]] bool has(const std::string& name) const { return m_table.find(name) != nullptr; }

    /// Strengths of the changes, one per file; without reading, as the unchanged weights of kept blocks are kept too.
    /// Only where the changes dial (LoraSet::dials()).
    void setStrengths(std::vector<double> strengths);
    [[nodiscard]] const LoraSet& changes() const { return m_changes; }

    /// Gives the kept blocks back; they are read again when they are asked for.
    void release();
    /// Bytes of the blocks that are kept.
    [[nodiscard]] std::uint64_t keptBytes() const { return m_kept; }
    /// Bytes of the changes, which stay in main memory.
    [[nodiscard]] std::uint64_t changeBytes() const { return m_changes.bytes(); }

    /// Bytes in memory of all tensors, and of the largest block (names up to their first number).
    [[nodiscard]] std::uint64_t totalBytes() const { return m_total; }
    [[nodiscard]] std::uint64_t largestBlock() const { return m_largest; }
    /// Whether blocks come from the file again and again.
    [[nodiscard]] bool streams() const { return m_total > m_budget; }
    [[nodiscard]] at::Device device() const { return m_device; }
    [[nodiscard]] at::ScalarType type() const { return m_type; }

private:
    [[nodiscard]] at::Tensor changedOf(const std::string& name, const at::Tensor& stored) const;
    [[nodiscard]] std::uint64_t bytesOf(const TensorEntry& entry) const;

    TensorTable m_table;
    at::ScalarType m_type;
    at::Device m_device;
    std::uint64_t m_budget = 0, m_total = 0, m_largest = 0, m_kept = 0;
    std::map<std::string, WeightTable> m_blocks;
    WeightTable m_unchanged;  ///< of kept blocks, by full name: what changes are made to, in the file's type
    LoraSet m_changes;
};

/// Reading weights failed in the middle of a network. Caught by the engine.
struct ReadFailure {
    Error error;
};

}  // namespace ropescope
