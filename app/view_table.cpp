// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/view_table.h"

#include "widgets/atlas/atlas_view.h"
#include "widgets/attention/attention_view.h"
#include "widgets/compare/compare_view.h"
#include "widgets/fields/fields_view.h"
#include "widgets/frequencies/frequencies_view.h"
#include "widgets/planes/planes_view.h"
#include "widgets/spectrum/spectrum_view.h"
#include "widgets/steps/steps_view.h"
#include "widgets/tensors/tensors_view.h"

namespace ropescope {
namespace {

template <class V>
View* make(OpenModels& models, Selection& selection, Runs& runs) {
    if constexpr (std::is_constructible_v<V, OpenModels&, Selection&, Runs&>)
        return new V(models, selection, runs);
    else
        return new V(models, selection);
}

constexpr ViewSide L = ViewSide::Left, R = ViewSide::Right;

// Places: Explore, Compare, Generate, Publish. Of equal ones the upper row stands first.
constexpr ViewRow kTable[] = {
    {"atlas",
     make<AtlasView>,
     ViewNeeds::Model,
     ViewWaits::ForItself,
     ViewLine::Inspect,
     {{{L, 0}, {L, 3}, {L, 2}, {L, 0}}}},
    {"spectrum",
     make<SpectrumView>,
     ViewNeeds::Model,
     ViewWaits::ForHeads,
     ViewLine::Inspect,
     {{{L, 1}, {L, 1}, {L, 3}, {L, 1}}}},
    {"planes",
     make<PlanesView>,
     ViewNeeds::Model,
     ViewWaits::ForHeads,
     ViewLine::Inspect,
     {{{R, 2}, {R, 0}, {L, 4}, {L, 2}}}},
    {"frequencies",
     make<FrequenciesView>,
     ViewNeeds::Model,
     ViewWaits::ForHeads,
     ViewLine::Own,
     {{{R, 3}, {L, 2}, {L, 5}, {L, 3}}}},
    {"fields",
     make<FieldsView>,
     ViewNeeds::Picture,
     ViewWaits::ForHeads,
     ViewLine::Own,
     {{{R, 0}, {R, 1}, {L, 1}, {L, 4}}}},
    {"steps",
     make<StepsView>,
     ViewNeeds::Picture,
     ViewWaits::ForItself,
     ViewLine::Own,
     {{{L, 2}, {R, 3}, {L, 6}, {L, 6}}}},
    {"attention",
     make<AttentionView>,
     ViewNeeds::Picture,
     ViewWaits::ForItself,
     ViewLine::Own,
     {{{R, 1}, {R, 2}, {L, 0}, {L, 5}}}},
    {"compare",
     make<CompareView>,
     ViewNeeds::Model,
     ViewWaits::ForItself,
     ViewLine::Own,
     {{{L, 2}, {L, 0}, {L, 6}, {L, 6}}}},
    {"tensors",
     make<TensorsView>,
     ViewNeeds::Model,
     ViewWaits::ForItself,
     ViewLine::Own,
     {{{L, 3}, {R, 3}, {L, 7}, {L, 7}}}},
};

}  // namespace

QString layoutName(Layout layout) {
    switch (layout) {
        case Layout::Explore:
            return "Explore";
        case Layout::Compare:
            return "Compare";
        case Layout::Generate:
            return "Generate";
        case Layout::Publish:
            return "Publish";
    }
    return {};
}

std::span<const ViewRow> viewTable() {
    return kTable;
}

}  // namespace ropescope
