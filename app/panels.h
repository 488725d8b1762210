// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QList>

namespace ropescope {

class AskBar;
class AtlasView;
class AttentionView;
class ClassifyView;
class CommandPalette;
class CompareView;
class EngineStatus;
class FieldsView;
class FrequenciesView;
class GenerateView;
class HeadPanel;
class MeasureBar;
class MessageBar;
class ModelTree;
class PlanesView;
class SpectrumView;
class TensorsView;
class View;

/// What the window is made of. Owned by the window as Qt children.
struct Panels {
    AtlasView* atlas = nullptr;
    SpectrumView* spectrum = nullptr;
    PlanesView* planes = nullptr;
    FrequenciesView* frequencies = nullptr;
    FieldsView* fields = nullptr;
    AttentionView* attention = nullptr;
    CompareView* compare = nullptr;
    TensorsView* tensors = nullptr;
    GenerateView* generate = nullptr;
    ClassifyView* classify = nullptr;
    HeadPanel* head = nullptr;
    ModelTree* tree = nullptr;
    MessageBar* messages = nullptr;  ///< what concerns no single view
    AskBar* questions = nullptr;
    MeasureBar* measure = nullptr;
    CommandPalette* palette = nullptr;
    EngineStatus* status = nullptr;

    [[nodiscard]] QList<View*> views() const;
};

}  // namespace ropescope
