// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/state/change_text.h"

#include <algorithm>

#include "core/data/enum_names.h"
#include "widgets/state/open_models.h"

namespace ropescope {
namespace {

int changedHeads(const OpenModel& model) {
    int count = 0;
    for (int layer = 0; layer < model.card.layers; ++layer)
        for (int head = 0; head < model.card.heads; ++head)
            count += std::ranges::any_of(model.ref.changes, [&](const HeadChange& c) {
                return c.touches(HeadId{layer, head});
            });
    return count;
}

}  // namespace

QString changesText(const std::vector<HeadChange>& changes, int most) {
    QStringList parts;
    int more = 0;
    for (const HeadChange& change : changes) {
        if (!change.on) continue;
        if (parts.size() == most) {
            ++more;
            continue;
        }
        parts << QObject::tr("%1 on %2")
                     .arg(QString::fromStdString(changeText(change)), QString::fromStdString(headsText(change)));
    }
    if (more > 0) parts << QObject::tr("%1 more").arg(more);
    return parts.join(QStringLiteral(", "));
}

QString changedHeadsText(const OpenModel& model) {
    if (!model.ref.changesHeads()) return {};
    const int count = changedHeads(model);
    const QString heads = count == 1 ? QObject::tr("1 head changed") : QObject::tr("%1 heads changed").arg(count);
    return QStringLiteral("%1 (%2)").arg(heads, changesText(model.ref.changes));
}

QString otherHeadsText(const OpenModel& model, const std::vector<HeadChange>& made) {
    if (model.ref.changes == made) return {};
    const QString changes = changesText(made);
    return changes.isEmpty() ? QObject::tr("made with the heads as stored") : QObject::tr("made with %1").arg(changes);
}

VariationModel madeFor(const ModelCard& card) {
    VariationModel made{card.name, card.layers, card.heads, card.headDim, card.encoding, {}};
    if (card.convention != Convention::Unknown) made.convention = enumName(card.convention);
    return made;
}

}  // namespace ropescope
