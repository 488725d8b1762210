// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "widgets/frame/view.h"

namespace ropescope {

class AskBar;
class ChangesLine;
class ClassifyView;
class CommandPalette;
class EngineStatus;
class GenerateView;
class HeadPanel;
class MeasureBar;
class MessageBar;
class ModelTree;
class RunBar;

/// What the window is made of. Owned by the window as Qt children.
struct Panels {
    std::vector<View*> views;  ///< row by row of viewTable()
    GenerateView* generate = nullptr;
    ClassifyView* classify = nullptr;
    HeadPanel* head = nullptr;
    ModelTree* tree = nullptr;
    RunBar* run = nullptr;
    ChangesLine* changes = nullptr;
    MessageBar* messages = nullptr;  ///< what concerns no single view
    AskBar* questions = nullptr;
    MeasureBar* measure = nullptr;
    CommandPalette* palette = nullptr;
    EngineStatus* status = nullptr;

    /// The view of this kind.
    template <class V>
    [[nodiscard]] V* view() const {
        for (View* view : views)
            if (auto* found = qobject_cast<V*>(view)) return found;
        return nullptr;
    }
};

}  // namespace ropescope
