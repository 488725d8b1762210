// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/data/generation.h"
#include "widgets/state/open_models.h"

namespace ropescope {

/// What a LoRA, an autoencoder or a size fits: settings are kept for each.
enum class PictureKind { ByClass, Flux, Sd3 };
inline constexpr int kPictureKinds = 3;
[[nodiscard]] PictureKind kindOf(const OpenModel& model);

// Settings as the window keeps them: a GenerateRequest in which these values, and a size of 0x0, stand for what the
// model at hand usually takes.
inline constexpr int kUsualSteps = 0;
inline constexpr double kUsualGuidance = -1;
inline constexpr int kNoClass = -1;  ///< as a label: what a model draws without one, whatever its number of classes

inline constexpr double kGigabyte = 1e9;  ///< memory is shown in these

/// Those of a first start: everything as usual.
[[nodiscard]] GenerateRequest untouchedSettings();

/// Steps, guidance and size that a model's kind starts with; the size of a model that draws by class is 0x0, as
/// trained.
[[nodiscard]] GenerateRequest usualSettings(const OpenModel& model);

/// The request that kept settings mean for a model: usual values filled in, sizes in its multiples, and without what it
/// does not look at.
[[nodiscard]] GenerateRequest settled(GenerateRequest kept, const OpenModel& model);

/// Sizes are multiples of this: pixels of a token's side for text-to-image models, else those of a patch; 0: no choice.
[[nodiscard]] int sizeStep(const ModelCard& card);

/// Whether its pictures are decoded from latents by an autoencoder.
[[nodiscard]] bool drawsLatents(const OpenModel& model);

}  // namespace ropescope
