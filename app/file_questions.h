// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QStringList>
#include <optional>
#include <vector>

#include "core/data/model_card.h"

namespace ropescope {

/// What a file leaves open, with the answers that can be given by a button: each is a reference with which the file is
/// opened once more.
struct FileQuestion {
    QString text;
    QStringList answers;
    std::vector<ModelRef> refs;  ///< by answer
};

/// The first thing that has to be said before all can be done with the file; nothing where all is said or no answer
/// would help. Checked by tests/app/file_questions_test.cpp.
[[nodiscard]] std::optional<FileQuestion> questionAbout(const ModelRef& ref, const ModelCard& card);

/// Questions without whose answer a file is not opened at all: its numbers would be those of another model.
[[nodiscard]] bool mustBeAnswered(const ModelCard& card);

/// Puts into `ref` what `known` says of the things that this file leaves open.
[[nodiscard]] ModelRef withAnswers(ModelRef ref, const ModelCard& card, const ModelRef& known);

/// Grids that a problem names: those after "expected", or the most even ones of the numbers of patches there.
[[nodiscard]] std::vector<Grid> gridCandidates(const QString& problem);
/// Likely numbers of heads, of those that divide the width where that is known (not 0).
[[nodiscard]] std::vector<int> headCandidates(int width);

}  // namespace ropescope
