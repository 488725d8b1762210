// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/state/command_lines.h"

#include "core/data/command_line.h"
#include "core/data/enum_names.h"
#include "widgets/state/runs.h"

namespace ropescope {

QString inspectLine(const OpenModel& model, Grid grid, Extrapolation method) {
    if (!model.hasHeads()) return {};
    ModelRef ref = model.ref;
    const bool other = grid.tokens() > 0 && !(grid == model.card.grid);
    if (other) ref.grid = grid;
    std::string line = "ropescope inspect " + shellWord(ref.path) + modelOptions(ref);
    if (other && method != Extrapolation::None)
        line += " --extrapolation " + std::string(enumName(method)) + " --trained-grid " + sizeWord(model.card.grid);
    return QString::fromStdString(line + " --out heads.safetensors");
}

QString calibrateLine(const CalibrateRequest& request) {
    std::string line = "ropescope calibrate " + shellWord(request.model.path) + modelOptions(request.model) +
                       " --images " + std::to_string(request.images);
    if (!request.folder.empty()) {
        line += " --folder " + shellWord(request.folder);
    } else {
        line += " --steps " + std::to_string(request.steps) + " --guidance " + numberWord(request.guidance) +
                " --seed " + std::to_string(request.seed);
    }
    return QString::fromStdString(line + " --out measured.safetensors");
}

QString fieldLine(const Run& run) {
    QString line = run.command;
    return line.replace(QStringLiteral(" --out IMAGE.png"),
                        QStringLiteral(" --field field.safetensors --out IMAGE.png"));
}

}  // namespace ropescope
