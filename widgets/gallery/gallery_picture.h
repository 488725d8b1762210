// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDateTime>
#include <QImage>
#include <QSize>
#include <QString>

#include "core/data/generation.h"

namespace ropescope {

/// A finished picture with what makes it again.
struct GalleryPicture {
    int run = -1;             ///< key of a run of this session; -1: made before
    QString file{};           ///< the kept PNG; empty: not kept
    GenerateRequest request;  ///< makes this picture alone
    GeneratedImage image;     ///< without pixels where `file` has them
    QString modelName{};
    QString className{};  ///< empty where a prompt says what is drawn
    QDateTime made{};
    QSize size{};        ///< in pixels
    Grid patches;        ///< 0x0: not known
    bool known = false;  ///< the recipe has been looked for
    QString problem{};   ///< why there are no settings to restore; empty: there are
};

/// The picture of a kept file of which only the name is known; the moment stands in the name that the program gives.
[[nodiscard]] GalleryPicture keptPicture(const QString& file);
/// Reads the recipe from the file's header. The text is taken as it stands: QImageReader joins runs of spaces, which
/// would change prompts.
void readRecipe(GalleryPicture& picture);
/// Fills in the names and the size that nobody has given, out of the recipe and the pixels.
void nameFromRecipe(GalleryPicture& picture);

/// The picture itself, out of memory or its file; null when the file is gone or damaged.
[[nodiscard]] QImage imageOf(const GalleryPicture& picture);
[[nodiscard]] Array pixelsOf(const QImage& image);  ///< U8 [h,w,3]

/// The prompt, the class's name or "class 7".
[[nodiscard]] QString subjectOf(const GalleryPicture& picture);
/// All that is known, a line each.
[[nodiscard]] QString tipOf(const GalleryPicture& picture);
/// What a search looks through: prompt, class, model, seed.
[[nodiscard]] QString searchTextOf(const GalleryPicture& picture);

}  // namespace ropescope
