// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/measured_store.h"

#include <QCryptographicHash>
#include <QDateTime>
#include <QDir>
#include <QDirIterator>
#include <QFile>
#include <QFileInfo>
#include <QStringList>
#include <algorithm>
#include <span>

#include "app/picture_store.h"
#include "core/data/atomic_file.h"
#include "core/data/codec.h"
#include "core/data/wire.h"

namespace ropescope {
namespace {

/// Path, size and moment of change of a file, or of everything in a folder.
QByteArray stateOf(const std::string& path) {
    if (path.empty()) return {};
    const QFileInfo info(QString::fromStdString(path));
    QStringList lines{info.canonicalFilePath()};
    const auto add = [&lines](const QFileInfo& file) {
        lines << QString("%1 %2 %3").arg(file.filePath()).arg(file.size()).arg(file.lastModified().toMSecsSinceEpoch());
    };
    if (info.isDir()) {
        QDirIterator files(info.canonicalFilePath(), QDir::Files, QDirIterator::Subdirectories);
        while (files.hasNext()) add(QFileInfo(files.next()));
        std::sort(lines.begin() + 1, lines.end());
    } else {
        add(QFileInfo(info.canonicalFilePath()));
    }
    return lines.join('\n').toUtf8();
}

/// All that decides how the files are read, as text; the path itself stands in stateOf.
QByteArray optionsOf(ModelRef model) {
    model.path.clear();
    model.madeFor = {};
    std::erase_if(model.changes, [](const HeadChange& change) { return !change.on; });
    return QByteArray::fromStdString(pack({MessageKind::Request, 1, {}, AtlasRequest{std::move(model)}}).json);
}

/// What a reader of the report relies on.
bool isSound(const CalibrationReport& report) {
    const auto heads = static_cast<std::size_t>(std::max(0, report.layers)) * std::max(0, report.heads);
    return heads > 0 && std::all_of(report.numbers.begin(), report.numbers.end(), [heads](const MeasuredNumber& n) {
               return n.mean.size() == heads && n.error.size() == heads;
           });
}

std::optional<CalibrationReport> readReport(const QByteArray& bytes) {
    const auto blob = std::as_bytes(std::span(bytes.constData(), static_cast<std::size_t>(bytes.size())));
    const Result<Message> message = decodeBlob(blob);
    if (!message || !std::holds_alternative<CalibrationReport>(message->body)) return std::nullopt;
    const auto& report = std::get<CalibrationReport>(message->body);
    return isSound(report) ? std::optional(report) : std::nullopt;
}

}  // namespace

QString MeasuredStore::fileOf(const ModelRef& model) const {
    if (m_folder.isEmpty() || !QFileInfo::exists(QString::fromStdString(model.path))) return {};
    QCryptographicHash hash(QCryptographicHash::Sha1);
    hash.addData(stateOf(model.path));
    for (const std::string& path : {model.config, model.adapter}) hash.addData(stateOf(path));
    for (const LoraRef& lora : model.loras) hash.addData(stateOf(lora.path));
    for (const HeadChange& change : model.changes) hash.addData(stateOf(change.donor));
    hash.addData(optionsOf(model));
    return QDir(m_folder).filePath(QString::fromLatin1(hash.result().toHex()) + ".bin");
}

QString MeasuredStore::keep(const ModelRef& model, const CalibrationReport& report) const {
    const QString file = fileOf(model);
    if (file.isEmpty()) return "the model's file is not there";
    const Bytes blob = encodeBlob({MessageKind::Result, 1, {}, report});
    if (static_cast<qint64>(blob.size()) > kMostBytes)
        return QString("the measurement takes %1 MB, at most %2 MB are kept")
            .arg(blob.size() >> 20)
            .arg(kMostBytes >> 20);
    QDir().mkpath(m_folder);
    const Result<void> written = writeFileAtomically(file.toStdString(), {blob});
    if (!written) return QString::fromStdString(written.error().message());
    prune();
    return {};
}

std::optional<CalibrationReport> MeasuredStore::find(const ModelRef& model, QString* note) const {
    QFile file(fileOf(model));
    if (file.fileName().isEmpty() || !file.exists()) return std::nullopt;
    std::optional<CalibrationReport> report;
    if (file.size() <= kMostBytes && file.open(QFile::ReadOnly)) report = readReport(file.readAll());
    if (!report && note != nullptr)
        *note = QString("%1 cannot be read: the kept measurement of this model is left out; measure data again")
                    .arg(file.fileName());
    return report;
}

void MeasuredStore::prune() const {
    const QDir folder(m_folder);
    const QStringList names = folder.entryList({"*.bin"}, QDir::Files, QDir::Time | QDir::Reversed);  // oldest first
    for (qsizetype i = 0; i < names.size() - kMost; ++i) QFile::remove(folder.filePath(names[i]));
}

QString keptMeasurementsFolder() {
    return QFileInfo(keptPicturesFolder()).path() + "/measured";
}

}  // namespace ropescope
