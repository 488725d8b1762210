// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/state/open_models.h"

#include <QFontMetricsF>
#include <algorithm>
#include <cmath>

namespace ropescope {
namespace {

/// Measured again it takes its old place.
void join(AtlasReport& atlas, HeadNumber number) {
    const auto old = std::find_if(atlas.numbers.begin(), atlas.numbers.end(),
                                  [&](const HeadNumber& n) { return n.key == number.key; });
    if (old != atlas.numbers.end()) {
        *old = std::move(number);
    } else {
        atlas.numbers.push_back(std::move(number));
    }
}

/// Measured numbers stand beside those of the weights.
void join(AtlasReport& atlas, const CalibrationReport& calibration) {
    for (const MeasuredNumber& number : calibration.numbers) {
        if (number.mean.size() != static_cast<std::size_t>(atlas.layers) * atlas.heads) continue;
        join(atlas, {number.key, number.title, number.unit, number.definition, number.about, true, number.neutral,
                     number.mean});
    }
}

}  // namespace

ModelRef withoutAnswers(const ModelRef& ref) {
    ModelRef plain;
    plain.path = ref.path, plain.config = ref.config;
    plain.variation() = ref.variation();
    return plain;
}

QString problemOf(const ModelCard& card) {
    QString text = QString::fromStdString(card.problem);
    const QString code = QStringLiteral("[%1] ").arg(QString::fromStdString(card.problemCode));
    if (text.startsWith(code)) text.remove(0, code.size());
    const QString path = QString::fromStdString(card.path);
    if (!path.isEmpty() && text.startsWith(path + QStringLiteral(": "))) text.remove(0, path.size() + 2);
    if (!path.isEmpty() && text.startsWith(path + QStringLiteral(" > "))) text.remove(0, path.size() + 3);
    return text;
}

int OpenModels::add(const ModelRef& ref, const ModelCard& card) {
    const int key = m_nextKey++;
    m_models[key] = OpenModel{.ref = ref, .card = card};
    emit modelsChanged();
    return key;
}

void OpenModels::remove(int model) {
    if (m_models.erase(model) > 0) emit modelsChanged();
}

void OpenModels::setChanges(int model, std::vector<HeadChange> changes, VariationModel madeFor) {
    const auto found = m_models.find(model);
    if (found == m_models.end() || found->second.ref.changes == changes) return;
    OpenModel& own = found->second;
    own.ref.changes = std::move(changes);
    own.ref.madeFor = own.ref.changes.empty() ? VariationModel{} : std::move(madeFor);
    own.atlas.reset(), own.heads.clear(), own.shares.clear();
    own.calibration.reset(), own.calibrationLine.clear();
    emit changesChanged(model);
    emit modelsChanged();
}

void OpenModels::setAtlas(int model, AtlasReport atlas) {
    const auto found = m_models.find(model);
    if (found == m_models.end()) return;
    found->second.atlas = std::move(atlas);
    if (found->second.calibration) join(*found->second.atlas, *found->second.calibration);
    for (const HeadNumber& share : found->second.shares) join(*found->second.atlas, share);
    emit atlasChanged(model);
}

void OpenModels::putHead(int model, HeadReport report) {
    const auto found = m_models.find(model);
    if (found == m_models.end()) return;
    const HeadRef ref{model, report.id};
    found->second.heads[report.id] = std::move(report);
    emit headChanged(ref);
}

void OpenModels::joinShares(int model, const std::vector<StepFields>& fields) {
    const auto found = m_models.find(model);
    if (found == m_models.end()) return;
    OpenModel& own = found->second;
    const int heads = own.card.heads;
    const auto count = static_cast<std::size_t>(own.card.layers) * heads;
    std::vector<double> toText(count, 0), toImage(count, 0), steps(count, 0);
    for (const StepFields& step : fields)
        for (const HeadField& field : step.heads) {
            const auto at = static_cast<std::size_t>(field.id.layer * heads + field.id.head);
            if (at >= count || field.shares.text == 0) continue;
            toText[at] += field.shares.imageToText, toImage[at] += field.shares.textToImage, steps[at] += 1;
        }
    if (std::all_of(steps.begin(), steps.end(), [](double n) { return n == 0; })) return;
    for (std::size_t i = 0; i < count; ++i)  // 0/0 of heads that were not recorded is NaN: not known
        toText[i] /= steps[i], toImage[i] /= steps[i];
    own.shares = {{"image_to_text", "Picture's attention on text", "share",
                   "Share of the picture tokens' attention that goes to text tokens, mean over the steps of the "
                   "selected picture; "
                   "the rest stays in the picture.",
                   About::Head, true, std::nan(""), toText},
                  {"text_to_image", "Text's attention on the picture", "share",
                   "Share of the text tokens' attention that goes to picture tokens, mean over the steps of the "
                   "selected picture; "
                   "the rest stays in the text.",
                   About::Head, true, std::nan(""), toImage}};
    if (!own.atlas) return;
    for (const HeadNumber& share : own.shares) join(*own.atlas, share);
    emit atlasChanged(model);
}

void OpenModels::setCalibration(int model, CalibrationReport report, const QString& line) {
    const auto found = m_models.find(model);
    if (found == m_models.end()) return;
    found->second.calibration = std::move(report);
    found->second.calibrationLine = line;
    if (found->second.atlas) {
        join(*found->second.atlas, *found->second.calibration);
        emit atlasChanged(model);
    }
    emit calibrationChanged(model);
}

void OpenModels::setCheck(int model, SelfCheckReport report) {
    const auto found = m_models.find(model);
    if (found == m_models.end()) return;
    found->second.check = std::move(report);
    emit checkChanged(model);
}

const HeadCalibration* OpenModels::calibration(HeadRef head) const {
    const OpenModel* model = find(head.model);
    if (model == nullptr || !model->calibration) return nullptr;
    for (const HeadCalibration& curves : model->calibration->curves) {
        if (curves.id == head.id) return &curves;
    }
    return nullptr;
}

const OpenModel* OpenModels::find(int model) const {
    const auto found = m_models.find(model);
    return found == m_models.end() ? nullptr : &found->second;
}

const HeadReport* OpenModels::head(HeadRef head) const {
    const OpenModel* model = find(head.model);
    if (model == nullptr) return nullptr;
    const auto found = model->heads.find(head.id);
    return found == model->heads.end() ? nullptr : &found->second;
}

QString OpenModels::headName(HeadRef head) const {
    const QString name = QString::fromStdString(head.id.name());
    const OpenModel* model = find(head.model);
    return model == nullptr || m_models.size() < 2 ? name : tr("%1 of %2").arg(name, model->name());
}

QString OpenModels::shortHeadName(HeadRef head) const {
    const QString name = QString::fromStdString(head.id.name());
    return m_models.size() < 2 || find(head.model) == nullptr ? name
                                                              : name + QLatin1Char(' ') + modelLetter(head.model);
}

QString OpenModels::headCaption(HeadRef head, const QFont& font, double width) const {
    const QFontMetricsF metrics(font);
    for (const QString& name : {headName(head), shortHeadName(head)})
        if (metrics.horizontalAdvance(name) <= width) return name;
    return QString::fromStdString(head.id.name());
}

QChar OpenModels::modelLetter(int model) const {
    const auto place = std::distance(m_models.begin(), m_models.lower_bound(model));
    return QChar(static_cast<char16_t>(u'A' + place % 26));
}

QString OpenModels::modelLetters(const std::vector<HeadRef>& heads) const {
    if (m_models.size() < 2) return {};
    QStringList names;
    for (const auto& [key, model] : m_models) {
        const bool drawn = std::any_of(heads.begin(), heads.end(), [key = key](HeadRef h) { return h.model == key; });
        if (drawn) names << modelLetter(key) + QLatin1Char(' ') + model.name();
    }
    return names.join(QStringLiteral("    "));
}

void OpenModels::setOpening(const QStringList& names) {
    if (m_opening == names) return;
    m_opening = names;
    emit openingChanged();
}

std::vector<HeadRef> OpenModels::missing(const std::vector<HeadRef>& heads) const {
    std::vector<HeadRef> missing;
    for (HeadRef ref : heads) {
        if (find(ref.model) != nullptr && head(ref) == nullptr) missing.push_back(ref);
    }
    return missing;
}

}  // namespace ropescope
