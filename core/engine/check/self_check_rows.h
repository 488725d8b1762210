// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "core/checkpoint/tensor_table.h"
#include "core/data/self_check.h"
#include "core/encoding/encoding.h"
#include "core/engine/check/parity.h"

namespace ropescope {

/// The largest figure of all sound heads and where it was. NaN counts as larger than everything.
struct Worst {
    std::optional<double> value;  ///< empty: nothing was measured
    HeadId at;
    /// `each` [H], or [1] where the heads share what was measured.
    void take(int layer, const std::vector<bool>& sound, const at::Tensor& each);
};

// The rows of a report, with their words; see self_check.h for the bounds.
[[nodiscard]] SelfCheckRow finiteRow(const std::vector<std::string>& problems);
[[nodiscard]] SelfCheckRow relativeRow(const Worst& worst);
[[nodiscard]] SelfCheckRow relativeRow(const std::string& whyNot);
[[nodiscard]] SelfCheckRow orthogonalRow(const Worst& worst, const EncodingSpec& spec);
[[nodiscard]] SelfCheckRow inverseRow(const Worst& worst, const EncodingSpec& spec);
[[nodiscard]] SelfCheckRow parityRow(const Result<Parity>& parity, const TensorTable& table);

}  // namespace ropescope
