// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/state/command_lines.h"

#include "core/data/command_line.h"
#include "core/data/enum_names.h"
#include "core/data/usual_run.h"
#include "widgets/state/runs.h"

namespace ropescope {

QString inspectLine(const OpenModel& model, Grid grid, Extrapolation method) {
    if (!model.hasHeads()) return {};
    ModelRef ref = model.ref;
    const bool other = grid.tokens() > 0 && !(grid == model.card.grid);
    if (other) ref.grid = grid;
    std::string line = "ropescope inspect " + shellWord(ref.path) + modelOptions(ref);
    if (other && method != Extrapolation::None)
        line += " --extrapolation " + std::string(enumName(method)) + " --trained-grid " + sizeWord(trainedGrid(model.card));
    return QString::fromStdString(line + " --out heads.safetensors");
}

std::string measuredTexts(const CalibrateRequest& request) {
    const TextSettings& t = request.text;
    std::string line;
    for (const std::string& prompt : request.prompts) line += " --prompt " + shellWord(prompt);
    if (!t.embeddings.empty()) line += " --embeddings " + shellWord(t.embeddings);
    if (!t.negative.empty()) line += " --negative " + shellWord(t.negative);
    if (t.trueGuidance != 1) line += " --true-guidance " + numberWord(t.trueGuidance);
    if (t.shift > 0) line += " --shift " + numberWord(t.shift);
    if (!t.encoders.empty()) line += " --encoders " + shellWord(t.encoders);
    if (request.size != Grid{}) line += " --size " + sizeWord(request.size);
    if (request.compute.precision != Precision::Fp32)
        line += " --precision " + std::string(enumName(request.compute.precision));
    for (std::size_t i = 0; i < request.heads.size(); ++i)
        line += (i == 0 ? " --only " : ",") + request.heads[i].name();
    return line;
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
    return QString::fromStdString(line + measuredTexts(request) + " --out measured.safetensors");
}

QString fieldLine(const Run& run) {
    QString line = run.command;
    return line.replace(QStringLiteral(" --out IMAGE.png"),
                        QStringLiteral(" --field field.safetensors --out IMAGE.png"));
}

}  // namespace ropescope
