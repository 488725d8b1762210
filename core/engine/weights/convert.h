// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/data/job.h"
#include "core/engine/weights/export_tensors.h"

namespace ropescope {

/// Writes command.out, safetensors, with the tensors under the names of a known scheme:
///   dit        the original DiT's and HARoPE's: blocks.i.attn.qkv, ...
///   diffusers  DiTTransformer2DModel: transformer_blocks.i.attn1.to_q, ...; absolute sin-cos positions only, which
///              diffusers computes itself
///   timm       a ViT; learned frequencies as rope.freqs [2,L,H,P]
///   naver      rope-vit's ViT; learned frequencies as freqs [2,L,H*P] with freqs_t_x, freqs_t_y [N]
/// Values are not changed unless command.dtype says so. Returns lines that say what was done and what the other program
/// computes differently. Errors: Usage for a scheme that the model's kind has not; Refused, with the reason, for what a
/// scheme cannot hold. Checked by tests/core/engine/fold_test.cpp and tests/reference/export_check.py.
[[nodiscard]] Result<std::string> convertModel(const ExportCommand& command);

/// Gives the tensors of a file, which has the program's own names, those of the scheme. Errors as above.
[[nodiscard]] Result<void> renameTensors(ExportFile& file, const ModelCard& card, const std::string& names);

}  // namespace ropescope
