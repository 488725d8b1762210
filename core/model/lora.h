// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/checkpoint/tensor_table.h"
#include "core/data/lora_match.h"
#include "core/data/model.h"

// Changes of a FLUX or SD3 from files: LoRA W + s B A (arXiv 2106.09685), LoHa W + s (A1 B1)(A2 B2) elementwise
// (2108.06098), LoKr W + s kron(W1, W2) (LyCORIS, 2309.14859), whole differences, and DoRA (2402.09353), which gives
// the rows or columns of the changed weight the length of its magnitudes. Equal to peft and to the formulas written out
// (tests/core/model/lora_test.cpp).

namespace ropescope {

/// One change of some rows of one weight (or bias).
struct WeightChange {
    enum class Kind { LowRank, Hadamard, Kronecker, Difference };
    Kind kind = Kind::LowRank;
    /// LowRank: A [r,in], B [rows,r]. Hadamard: A1 [rows,r], B1 [r,in], A2, B2. Kronecker: W1, W2. Difference: itself.
    /// float32.
    std::vector<at::Tensor> factors;
    double scale = 1;  ///< at strength 1
    int file = 0;      ///< which of the LoRAs it comes from
    std::int64_t firstRow = 0;
    std::int64_t rows = 0;
    bool swappedHalves = false;  ///< of the rows, to put the change in the order of the weight
    at::Tensor magnitude = {};   ///< DoRA: [rows,1] or [1,in]; undefined without
};

struct LoraSet {
    std::map<std::string, std::vector<WeightChange>> changes;  ///< by the weight's original name
    std::vector<std::string> notes;                            ///< per file: how many layers match, in words
    std::vector<double> strengths;                             ///< per file
    /// Whether other strengths make sense: DoRA has the one it was made for.
    [[nodiscard]] bool dials() const;
    [[nodiscard]] std::uint64_t bytes() const;  ///< that the changes take
};

/// Changes under the names of diffusers, PEFT (any one adapter), kohya, LyCORIS, X-Labs and the original modules, with
/// any prefix and wrappers; alpha from ".alpha" tensors, the metadata of diffusers, PEFT's adapter_config.json beside
/// an adapter_model file, else the rank. A folder stands for its adapter_model.safetensors or
/// pytorch_lora_weights.safetensors. Errors: Refused LO-01 when nothing of a file matches, LO-03 for parts that do not
/// fit each other, their layer or the file's other parts, LO-04 for kinds without a formula here, LO-05 for several
/// adapters or changes where one is meant.
[[nodiscard]] Result<LoraSet> readLoras(const TensorTable& model, const std::vector<LoraRef>& loras);

/// The same by names alone; what refuses a file stands in its `problem`. Errors: those of opening the model.
[[nodiscard]] Result<LorasReport> matchLoras(const LorasRequest& request);

/// "FILE: 7 of 9 layers match, not NAME; left out: 12 for text encoders".
[[nodiscard]] std::string describeMatch(const LoraMatch& match);

/// The weight [out, in] (or bias [out]) with the changes made at the strengths of their files, float32.
[[nodiscard]] at::Tensor changed(const at::Tensor& weight, const std::vector<WeightChange>& changes,
                                 const std::vector<double>& strengths);

}  // namespace ropescope
