// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/run_text.h"

#include "widgets/frame/plot_style.h"
#include "widgets/state/change_text.h"
#include "widgets/state/runs.h"

namespace ropescope {

QString runName(const Run& run) {
    if (run.isClassified()) return run.subject;
    return QObject::tr("%1, seed %2").arg(run.subject).arg(run.asked.seed);
}

QString runDetails(const Run& run) {
    QStringList parts;
    const QSize pixels = run.pictureAt(1 << 20).size();
    if (!pixels.isEmpty()) parts << QObject::tr("%1 \u00d7 %2 px").arg(pixels.height()).arg(pixels.width());
    if (run.patches.tokens() > 0)
        parts << QObject::tr("%1 \u00d7 %2 patches").arg(run.patches.rows).arg(run.patches.cols);
    const bool other = run.trained.tokens() > 0 && run.patches != run.trained;
    if (other) parts.back() += QObject::tr(" (trained on %1 \u00d7 %2)").arg(run.trained.rows).arg(run.trained.cols);
    if (run.asked.model.changesHeads()) parts << QObject::tr("with %1").arg(changesText(run.asked.model.changes));
    if (run.isClassified()) return parts.join(QStringLiteral(", "));
    if (run.asked.text.prompt.empty()) {
        const bool continued = other && run.asked.extrapolate.method == Extrapolation::None;
        parts << QObject::tr("positions %1")
                     .arg(continued ? QObject::tr("continued")
                                    : extrapolationNames().value(static_cast<int>(run.asked.extrapolate.method)));
    }
    if (run.pictures > 1) parts << QObject::tr("first of %1 made at once").arg(run.pictures);
    return parts.join(QStringLiteral(", "));
}

QString stepText(const Run& run, int step) {
    const StepFields* fields = run.at(step);
    const int of = fields != nullptr ? fields->steps : std::max(run.asked.steps, run.steps());
    QString text = QObject::tr("step %1 of %2").arg(step + 1).arg(of);
    if (fields != nullptr) text += QObject::tr(", t = %1").arg(shortNumber(fields->time));
    return text;
}

}  // namespace ropescope
