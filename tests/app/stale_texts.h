// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>

namespace ropescope {
class MainWindow;
}

namespace ropescope::test {

/// What a window may still say although it is over.
struct Past {
    QStringList models;  ///< names of all that were ever open, none of them a word that is used otherwise
    QStringList words;   ///< of runs whose model is closed: a prompt, a seed
};

/// What the window says that is not true any more, one line each; empty when all is well. Looks at every view in turn,
/// at what is painted, and at texts, entries and tool tips of all that is visible:
/// no model that is not open is named, message bars name only the current one, nothing is said that holds for another
/// kind of model, nothing of a run whose model is closed, no engine is being started that is there.
/// The gallery keeps pictures of closed models and is left out; so are lines in which the user writes, for the words.
[[nodiscard]] QStringList staleTexts(MainWindow& window, const Past& past);

}  // namespace ropescope::test
