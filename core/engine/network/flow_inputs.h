// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "core/model/weight_store.h"

namespace ropescope {

/// Named inputs of a pass in a safetensors file.
class NamedInputs {
public:
    /// `expects`: what every message advises.
    [[nodiscard]] static Result<NamedInputs> open(const std::string& path, std::string expects);
    [[nodiscard]] bool has(const std::string& name) const { return m_table.find(name) != nullptr; }
    /// float32; sides of -1 may be anything. Errors: Refused naming the input, found and expected.
    [[nodiscard]] Result<at::Tensor> read(const std::string& name, std::vector<std::int64_t> shape) const;
    [[nodiscard]] Error error(const std::string& name, const std::string& reason, const std::string& found,
                              const std::string& expected) const;

private:
    NamedInputs(TensorTable table, std::string expects) : m_table(std::move(table)), m_expects(std::move(expects)) {}
    TensorTable m_table;
    std::string m_expects;
};

/// Second side of a weight of the file; -1 where it has none.
[[nodiscard]] std::int64_t inputsOf(const TensorTable& table, const std::string& name);

/// Weights under a limit of `memory` bytes for the whole process (0: what is free). Errors: Device when the limit does
/// not hold two blocks.
[[nodiscard]] Result<WeightStore> storeUnder(std::uint64_t memory, const TensorTable& table, at::ScalarType type,
                                             at::Device device, LoraSet changes = {});

/// Room for something of `wanted` bytes beside `kept`, whose blocks are given back where it needs their place. Returns
/// the limit that is left for it, in the meaning of `memory` (0: what is free).
[[nodiscard]] std::uint64_t makeRoom(WeightStore& kept, std::uint64_t wanted, std::uint64_t memory);

/// Of a limit for the whole process what is left beside LibTorch and a usual pass; 0 stays 0 (what is free).
[[nodiscard]] std::uint64_t beside(std::uint64_t memory);

/// The weights of a FLUX or MMDiT with the model's LoRAs, under a limit of `memory` bytes for the whole process (0:
/// what is free). `note` hears what matches and what the memory is used for. Errors: those of readLoras(); Device when
/// the limit does not hold two blocks.
[[nodiscard]] Result<WeightStore> storeFor(const TensorTable& table, const ModelRef& model, const Compute& compute,
                                           std::uint64_t memory, at::Device device,
                                           const std::function<void(const std::string&)>& note);

/// What `work` (a function to a Result) gives, or why weights could not be read in the middle of it.
template <class Work>
auto whileReading(const Work& work) -> decltype(work()) {
    try {
        return work();
    } catch (const ReadFailure& lost) {
        return failure(lost.error);
    }
}

}  // namespace ropescope
