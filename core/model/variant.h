// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "core/data/network_variant.h"
#include "core/encoding/matrix.h"

// What relatives of the DiT and the ViT have in the place of the first ones' parts (NetworkVariant), as differentiable
// functions over a weight table.

namespace ropescope {

/// x over its last dimension, with the parameters NAME.weight and NAME.bias that the norm has. Norm::None is a
/// LayerNorm without parameters. Mean squares are summed in float32.
[[nodiscard]] at::Tensor normed(const WeightTable& w, const std::string& name, Norm norm, double eps,
                                const at::Tensor& x);
/// The norm of queries or keys [.., D]; x itself for Norm::None.
[[nodiscard]] at::Tensor headNormed(const WeightTable& w, const std::string& name, const NetworkVariant& variant,
                                    const at::Tensor& x);
[[nodiscard]] at::Tensor activated(const at::Tensor& x, Activation activation);
/// fc2(act(fc1 x)), or w3(act(a) b) with the halves (a, b) of w12 x. `prefix` ends with a dot.
[[nodiscard]] at::Tensor mlpOf(const WeightTable& w, const std::string& prefix, bool gated, Activation activation,
                               const at::Tensor& x);
/// The heads' outputs [B,H,N,D] times `factor` [H], where it is defined.
[[nodiscard]] at::Tensor switched(const at::Tensor& heads, const at::Tensor& factor);
/// x W^T + b; without a bias where there is none.
[[nodiscard]] at::Tensor linearOf(const WeightTable& w, const std::string& name, const at::Tensor& x);

}  // namespace ropescope
