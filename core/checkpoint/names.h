// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

// What programs put around the names of a model's tensors, and how it comes off (README.md, "Wrappers").

namespace ropescope {

/// The dotted name without the segments of wrapping modules (module, _orig_mod, _fsdp_wrapped_module, ...), which may
/// stand at any place and more than once. Names of models hold none of them.
[[nodiscard]] std::string withoutWrappers(std::string_view name);

/// Where the tensors of one copy of a network begin.
struct NameRoot {
    std::string raw;    ///< "state_dict.module.ema.": as the file has it, with its last dot; may be empty
    std::string clean;  ///< "state_dict.ema.": without wrappers
};
/// What stands before a list of transformer blocks ("blocks.0.", "double_blocks.0.", "transformer_blocks.0." ...) in a
/// name; nothing where there is no list, or a numbered module before it.
[[nodiscard]] std::optional<NameRoot> blockRoot(std::string_view name);

/// Does the segment say that what follows belongs to an optimizer, a schedule or another part of training alone?
[[nodiscard]] bool isTrainingState(std::string_view segment);
/// Does the path ("ema_model.", "teacher.backbone.") name an averaged copy of the weights?
[[nodiscard]] bool isAveraged(std::string_view path);
/// A counter or a setting of the training beside weights: "step", "n_averaged", "ema.decay".
[[nodiscard]] bool isCounter(std::string_view name);
/// Containers and attributes that hold a whole copy ("model", "state_dict", "ema_model", "backbone", ...).
[[nodiscard]] bool isContainer(std::string_view segment);

/// The name of a module in a LoRA or an adapter without what stands before the model's own names, dotted
/// ("base_model.model.", "transformer.", "lora_unet_", any root before a list of blocks).
[[nodiscard]] std::string withoutRoot(std::string_view name);
/// A name as one word for comparison with kohya's: dots, repeated and trailing underscores do not matter, wrappers in
/// the middle come off.
[[nodiscard]] std::string flatName(std::string_view name);

/// `pattern` with * (any text) and ? (any character) covers the whole of `name`.
[[nodiscard]] bool matchesPattern(std::string_view name, std::string_view pattern);

}  // namespace ropescope
