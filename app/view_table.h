// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <array>
#include <span>

namespace ropescope {

class OpenModels;
class Runs;
class Selection;
class View;

/// Arrangements that come with the program.
enum class Layout { Explore, Compare, Generate, Publish };
inline constexpr Layout kLayouts[] = {Layout::Explore, Layout::Compare, Layout::Generate, Layout::Publish};
[[nodiscard]] QString layoutName(Layout layout);

enum class ViewNeeds { Model, Picture };       ///< what the button of an empty view brings
enum class ViewWaits { ForHeads, ForItself };  ///< dimmed while reports of heads are on their way, or by itself
enum class ViewLine { Inspect, Own };  ///< equal command line: `inspect` of the current model, or the view's own
enum class ViewSide { Left, Right };

/// One view of the centre. Docks, layouts, palette, kept layouts and what waits for what follow from these rows.
struct ViewRow {
    const char* key;  ///< stable: names its dock in kept layouts
    View* (*make)(OpenModels&, Selection&, Runs&);
    ViewNeeds needs;
    ViewWaits waits;
    ViewLine line;
    struct Place {
        ViewSide side;
        int order;  ///< among the tabs of that side; the first is in front
    };
    std::array<Place, std::size(kLayouts)> places;  ///< by layout
};
/// In the order of the View menu.
[[nodiscard]] std::span<const ViewRow> viewTable();

}  // namespace ropescope
