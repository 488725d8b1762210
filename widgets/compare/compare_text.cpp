// SPDX-License-Identifier: GPL-3.0-or-later
// What Compare says in words and tables.
#include <QPainter>
#include <cmath>
#include <set>

#include "core/data/command_line.h"
#include "core/data/enum_names.h"
#include "widgets/compare/compare_view.h"
#include "widgets/compare/head_map.h"
#include "widgets/frame/key_line.h"
#include "widgets/frame/number_table.h"
#include "widgets/frame/plot_style.h"
#include "widgets/state/command_lines.h"

namespace ropescope {
namespace {

std::string metricWord(CompareMetric metric) {
    switch (metric) {
        case CompareMetric::FieldCorrelation:
            return "field";
        case CompareMetric::FrequencyWasserstein:
            return "frequency";
        case CompareMetric::PlaneOverlap:
            return "plane";
        case CompareMetric::KernelCorrelation:
            break;
    }
    return "kernel";
}

/// What decides the images that are measured, each with a space before it.
std::string measureOptions(const CalibrateRequest& r) {
    std::string text = " --images " + std::to_string(r.images);
    if (!r.folder.empty()) text += " --folder " + shellWord(r.folder);
    for (std::size_t i = 0; i < r.labels.size(); ++i)
        text += (i == 0 ? " --class " : ",") + std::to_string(r.labels[i]);
    text += " --seed " + std::to_string(r.seed) + " --steps " + std::to_string(r.steps);
    text += " --guidance " + numberWord(r.guidance);
    if (r.sampler != Sampler::Auto) text += " --sampler " + std::string(enumName(r.sampler));
    if (r.compute.device != "auto") text += " --device " + shellWord(r.compute.device);
    return text + measuredTexts(r);
}

}  // namespace

bool CompareView::lacksSecondState() const {
    const CompareRequest wanted = request();
    return wanted.metric == CompareMetric::PlaneOverlap && !wanted.models.empty() && wanted.models.size() != 2;
}

QString CompareView::emptyReason(const QString& otherwise) const {
    if (lacksSecondState()) return tr("Plane overlap needs two checkpoints of one training. Open both.");
    return View::emptyReason(otherwise);
}

/// The models of the report by letter, with the shape of their points where there is a map.
void CompareView::showKey() {
    std::vector<KeyEntry> entries;
    std::set<int> done;
    const bool several = !m_heads.empty() && m_heads.front().model != m_heads.back().model;
    for (std::size_t i = 0; several && i < m_heads.size(); ++i) {
        if (!done.insert(m_heads[i].model).second) continue;
        const auto shape = [shape = m_report->models[i]](QPainter& painter, const QRectF& place, const Looks& looks) {
            QColor fill = looks.muted;
            fill.setAlpha(90);
            drawModelShape(painter, place.center(), shape, fill, looks.muted);
        };
        const QString words =
            m_models.modelLetter(m_heads[i].model) + QLatin1Char(' ') + m_models.find(m_heads[i].model)->name();
        entries.push_back({isOverlap() ? decltype(KeyEntry::sample)() : shape, words});
    }
    m_key->setEntries(std::move(entries));
}

/// The command compares all heads of one model or of two that are read alike: of other choices there is no equal one.
void CompareView::showCommand(bool current) {
    if (!current || !m_drawn->heads.empty() || m_drawn->models.size() > 2) return setCommandLine({});
    const std::vector<ModelRef>& models = m_drawn->models;
    if (modelOptions(models.front()) != modelOptions(models.back())) return setCommandLine({});
    std::string line = "ropescope compare " + shellWord(models[0].path);
    if (models.size() == 2) line += ' ' + shellWord(models[1].path);
    line += modelOptions(models[0]) + " --metric " + metricWord(m_drawn->metric);
    if (m_drawn->metric == CompareMetric::KernelCorrelation || m_drawn->metric == CompareMetric::FrequencyWasserstein)
        line += m_drawn->needsData() ? " --content data" : " --content weights";
    if (m_drawn->needsData()) line += measureOptions(m_drawn->measure);
    setCommandLine(QString::fromStdString(line + " --json"));
}

QString CompareView::pairText(int row, int column) const {
    if (isOverlap()) {
        const std::size_t heads = m_heads.size() / 2, planes = m_report->perPlane.size() / heads;
        return tr("%1  plane %2: overlap %3; mean over turning planes %4")
            .arg(QString::fromStdString(m_heads[row].id.name()))
            .arg(column)
            .arg(shortNumber(m_report->perPlane[row * planes + column]),
                 shortNumber(m_report->matrix[row * 2 * heads + row + heads]));
    }
    const QString pair = tr("%1 with %2").arg(m_models.headName(m_heads[row]), m_models.headName(m_heads[column]));
    const double value = m_report->matrix[row * m_heads.size() + column];
    if (std::isnan(value)) return pair + tr("  cannot be compared: one is marked or has no such curve");
    return QStringLiteral("%1  %2 %3")
        .arg(pair, QString::fromStdString(m_report->title), numberText(value, m_report->unit));
}

void CompareView::writeNumbers(NumberTable& table) const {
    if (!m_report) return;
    isOverlap() ? writeOverlaps(table) : writeMatrix(table);
}

void CompareView::writeOverlaps(NumberTable& table) const {
    const std::size_t heads = m_heads.size() / 2, planes = m_report->perPlane.size() / heads;
    table.label(QStringLiteral("head"));
    for (std::size_t p = 0; p < planes; ++p) table.label(QStringLiteral("plane%1").arg(p));
    for (std::size_t i = 0; i < m_report->perPlane.size(); ++i) {
        if (i % planes == 0) {
            table.endRow();
            table.label(QString::fromStdString(m_heads[i / planes].id.name()));
        }
        table.number(m_report->perPlane[i]);
    }
    table.endRow();
}

void CompareView::writeMatrix(NumberTable& table) const {
    const bool placed = m_report->embedding.size() == 2 * m_heads.size();
    table.label(QStringLiteral("head"));
    for (HeadRef head : m_heads) table.label(m_models.headName(head));
    if (placed) table.label(QStringLiteral("coordinate1")).label(QStringLiteral("coordinate2"));
    table.endRow();
    for (std::size_t row = 0; row < m_heads.size(); ++row) {
        table.label(m_models.headName(m_heads[row]));
        for (std::size_t column = 0; column < m_heads.size(); ++column)
            table.number(m_report->matrix[row * m_heads.size() + column]);
        for (std::size_t k = 0; placed && k < 2; ++k) table.number(m_report->embedding[2 * row + k]);
        table.endRow();
    }
}

QString CompareView::subject() const {
    if (!m_report) return {};
    const auto heads = static_cast<int>(isOverlap() ? m_heads.size() / 2 : m_heads.size());
    return heads == 1 ? tr("1 head") : tr("%1 heads").arg(heads);
}

}  // namespace ropescope
