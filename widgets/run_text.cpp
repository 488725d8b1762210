// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/run_text.h"

#include "widgets/plot_style.h"
#include "widgets/runs.h"

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
    if (run.isClassified()) return parts.join(QStringLiteral(", "));
    if (run.asked.text.prompt.empty())
        parts << QObject::tr("positions %1")
                     .arg(extrapolationNames().value(static_cast<int>(run.asked.extrapolate.method)));
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
