// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/variations.h"

#include <QFile>
#include <QFileInfo>
#include <QSaveFile>
#include <utility>

#include "widgets/state/change_text.h"

namespace ropescope {
namespace {

constexpr qint64 kLargestFile = 4 << 20;

}  // namespace

Variations::Variations(OpenModels& models, QObject* parent) : QObject(parent), m_models(models) {
    connect(&m_models, &OpenModels::modelsChanged, this, [this] {
        if (m_before && m_models.find(m_before->model) == nullptr) m_before.reset();
    });
}

Result<bool> Variations::take(int model, const Variation& wanted, const QString& from, With with) {
    const OpenModel* open = m_models.find(model);
    if (open == nullptr) return false;
    Variation heads;
    heads.changes = wanted.changes, heads.madeFor = wanted.madeFor;
    if (auto fits = checkVariation(heads, open->card, from.toStdString()); !fits) return failure(fits.error());
    if (with == With::Settings) forget();
    if (open->ref.changes == heads.changes) return false;
    m_before = Before{model, open->ref.variation(), with};
    m_models.setChanges(model, heads.changes, heads.madeFor);
    return true;
}

void Variations::asStored(int model) {
    const OpenModel* open = m_models.find(model);
    if (open == nullptr || open->ref.changes.empty()) return;
    const QString name = open->name();
    if (take(model, {}, name, With::Nothing)) emit told(model, tr("The heads of %1 are as stored.").arg(name), true);
}

void Variations::undo() {
    if (!m_before) return;
    const Before before = *std::exchange(m_before, std::nullopt);
    m_models.setChanges(before.model, before.heads.changes, before.heads.madeFor);
}

bool Variations::isVariation(const QString& path) {
    QFile file(path);
    return path.endsWith(".json", Qt::CaseInsensitive) && file.size() <= kLargestFile && file.open(QFile::ReadOnly) &&
           file.readAll().contains("\"ropescope_variation\"");
}

void Variations::open(const QString& path, int model) {
    const OpenModel* open = m_models.find(model);
    if (open == nullptr)
        return emit told(-1, tr("%1 changes heads of a model: open the model first, then this file.").arg(path), false);
    const Result<Variation> read = readVariation(path.toStdString());
    if (!read) return emit failed(model, read.error());
    if (!read->adapter.empty() && read->adapter != open->ref.adapter) return openWithAdapter(*open, *read, path);
    const With with = read->loras.empty() ? With::Nothing : With::Settings;
    const auto done = take(model, *read, path, with);
    if (!done) return emit failed(model, done.error());
    if (!read->loras.empty()) emit lorasRead(model, read->loras);
    const QString heads = changedHeadsText(*open);
    emit told(model, tr("%1: %2, from %3.").arg(open->name(), heads.isEmpty() ? tr("heads as stored") : heads, path),
              *done || !read->loras.empty());
}

/// Its maps are another model's; that one may be open.
void Variations::openWithAdapter(const OpenModel& model, const Variation& wanted, const QString& from) {
    ModelRef ref = withoutChanges(model.ref);
    ref.adapter = wanted.adapter;
    ref.convention = Convention::Unknown;  // the adapter's own word
    for (const auto& [key, other] : m_models.all()) {
        if (other.ref.adapter != ref.adapter || other.ref.path != ref.path) continue;
        if (const auto done = take(key, wanted, from, With::Nothing); !done) return emit failed(key, done.error());
    }
    ref.changes = wanted.changes, ref.madeFor = wanted.madeFor;
    emit modelWanted(ref);
}

void Variations::save(const QString& path, int model) {
    const OpenModel* open = m_models.find(model);
    if (open == nullptr) return;
    Variation kept;
    kept.adapter = open->ref.adapter, kept.changes = open->ref.changes;
    kept.madeFor = madeFor(open->card);
    const QString name = QFileInfo(path).suffix().isEmpty() ? path + ".json" : path;
    const QByteArray text = QByteArray::fromStdString(variationJson(kept));
    QSaveFile file(name);
    if (file.open(QFile::WriteOnly) && file.write(text) == text.size() && file.commit())
        return emit told(model, tr("Saved the changes of %1 as %2.").arg(open->name(), name), false);
    emit failed(model, {ErrorKind::Usage, "variation", name.toStdString(), "the file cannot be written",
                        file.errorString().toStdString(), "a place that can be written", "Choose another place"});
}

}  // namespace ropescope
