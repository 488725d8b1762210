// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/gallery/gallery_picture.h"

#include <QFile>
#include <QFileInfo>
#include <QJsonDocument>
#include <QJsonObject>
#include <QtEndian>
#include <cstring>
#include <map>
#include <optional>
#include <vector>

#include "core/data/picture_settings.h"
#include "widgets/frame/plot_style.h"
#include "widgets/state/change_text.h"
#include "widgets/state/image.h"

namespace ropescope {
namespace {

constexpr qsizetype kLongestPrompt = 400;   // characters of a tool tip
constexpr quint32 kLongestText = 16 << 20;  // bytes of a chunk: a recipe has a few thousand

struct PngHeader {
    QSize size;
    QByteArray recipe;  ///< UTF-8; empty: none before the pixels
};

/// "KEY\0TEXT", of iTXt "KEY\0FLAG METHOD LANGUAGE\0TRANSLATED\0TEXT", where it is the recipe and not compressed.
QByteArray recipeIn(const QByteArray& type, const QByteArray& content) {
    if (!content.startsWith(QByteArrayLiteral("ropescope\0"))) return {};
    const qsizetype start = qsizetype(std::strlen("ropescope")) + 1;
    if (type == "tEXt") return QString::fromLatin1(content.mid(start)).toUtf8();
    if (type != "iTXt" || content.size() < start + 2 || content[start] != 0) return {};
    const qsizetype language = content.indexOf('\0', start + 2);
    const qsizetype translated = language < 0 ? -1 : content.indexOf('\0', language + 1);
    return translated < 0 ? QByteArray() : content.mid(translated + 1);
}

std::optional<PngHeader> readHeader(const QString& path) {
    QFile file(path);
    if (!file.open(QIODevice::ReadOnly) || file.read(8) != QByteArrayLiteral("\x89PNG\r\n\x1a\n")) return {};
    PngHeader header;
    while (header.recipe.isEmpty()) {
        const QByteArray head = file.read(8);
        if (head.size() != 8) return {};
        const auto length = qFromBigEndian<quint32>(head.constData());
        const QByteArray type = head.mid(4);
        if (type == "IDAT" || type == "IEND") break;
        const bool wanted = type == "IHDR" || type == "tEXt" || type == "iTXt";
        if (wanted && length <= kLongestText) {
            const QByteArray content = file.read(length);
            if (content.size() != qsizetype(length)) return {};
            if (type == "IHDR" && length >= 8)
                header.size = {qFromBigEndian<qint32>(content.constData()),
                               qFromBigEndian<qint32>(content.constData() + 4)};
            else
                header.recipe = recipeIn(type, content);
            file.skip(4);  // the check sum
        } else if (!file.seek(file.pos() + length + 4)) {
            return {};
        }
    }
    return header;
}

QJsonObject jsonOf(const std::string& recipe) {
    return QJsonDocument::fromJson(QByteArray::fromStdString(recipe)).object();
}

QString samplerText(const GalleryPicture& picture) {
    static constexpr const char* kNames[] = {QT_TR_NOOP("automatic"), "DDPM", "DDIM", "Euler", "Heun",
                                             "DPM-Solver++ (2M)"};
    if (picture.request.sampler != Sampler::Auto)
        return QObject::tr(kNames[static_cast<std::size_t>(picture.request.sampler)]);
    const QString decided = jsonOf(picture.image.recipe)[QLatin1String("sampler")].toString();
    return decided.isEmpty() ? QObject::tr("automatic") : QObject::tr("automatic (%1)").arg(decided);
}

QString sizeText(const GalleryPicture& picture) {
    const auto sides = [](int rows, int cols, const QString& what) {
        const QString text = QObject::tr("%1 \u00d7 %2 %3").arg(rows).arg(cols).arg(what);
        return rows == cols ? text : text + QObject::tr(" (height \u00d7 width)");
    };
    QString text = sides(picture.size.height(), picture.size.width(), QObject::tr("pixels"));
    const Grid patches = picture.patches;
    return patches == Grid{} ? text : text + ", " + sides(patches.rows, patches.cols, QObject::tr("patches"));
}

QString positionsText(const Extrapolate& extrapolate) {
    QString text = extrapolationNames().value(static_cast<int>(extrapolate.method));
    if (extrapolate.method == Extrapolation::None) return text;
    const Grid trained = extrapolate.trained;
    if (trained != Grid{}) text += QObject::tr(" from %1 \u00d7 %2 patches").arg(trained.rows).arg(trained.cols);
    return extrapolate.coupled ? text : text + QObject::tr(", each axis by its own scale");
}

QStringList settingsLines(const GalleryPicture& picture) {
    const GenerateRequest& r = picture.request;
    QStringList lines = {
        QObject::tr("Seed %1").arg(picture.image.seed), sizeText(picture),
        QObject::tr("Positions %1").arg(positionsText(r.extrapolate)),
        QObject::tr("%1 steps, guidance %2, sampler %3").arg(r.steps).arg(r.guidance).arg(samplerText(picture))};
    for (const LoraRef& lora : r.model.loras)
        lines << QObject::tr("LoRA %1, strength %2")
                     .arg(QFileInfo(QString::fromStdString(lora.path)).completeBaseName())
                     .arg(lora.strength);
    if (r.model.changesHeads()) lines << QObject::tr("Heads changed: %1").arg(changesText(r.model.changes));
    return lines;
}

}  // namespace

GalleryPicture keptPicture(const QString& file) {
    GalleryPicture picture;
    picture.file = file;
    // Where a name was taken already, "again-" stands before it.
    const QString moment = QFileInfo(file).fileName().remove(QStringLiteral("again-")).left(19);
    picture.made = QDateTime::fromString(moment, QStringLiteral("yyyyMMdd-HHmmss-zzz"));
    if (!picture.made.isValid()) picture.made = QFileInfo(file).lastModified();
    return picture;
}

void readRecipe(GalleryPicture& picture) {
    picture.known = true;
    const std::optional<PngHeader> header = readHeader(picture.file);
    if (!header) {
        picture.problem = QFileInfo::exists(picture.file) ? QObject::tr("%1 is not a whole PNG file").arg(picture.file)
                                                          : QObject::tr("%1 is gone").arg(picture.file);
        return;
    }
    picture.size = header->size;
    picture.image.recipe = header->recipe.toStdString();
    std::map<std::string, std::string> texts;
    if (!header->recipe.isEmpty()) texts["ropescope"] = picture.image.recipe;
    const Result<PictureSettings> found = settingsOfTexts(picture.file.toStdString(), texts);
    if (!found) {
        picture.problem = QString::fromStdString(found.error().message());
        return;
    }
    picture.request = found->settings;
    picture.image.seed = picture.request.seed;
    // With noise from a file the settings are those of the whole batch.
    const QJsonValue seed = jsonOf(picture.image.recipe)[QLatin1String("seed")];
    if (!picture.request.noiseFile.empty()) picture.image.seed = seed.toVariant().toULongLong();
    if (!picture.request.labels.empty()) picture.image.label = picture.request.labels.front();
    nameFromRecipe(picture);
}

void nameFromRecipe(GalleryPicture& picture) {
    if (picture.size.isEmpty() && picture.image.pixels.shape.size() == 3)
        picture.size = {static_cast<int>(picture.image.pixels.shape[1]),
                        static_cast<int>(picture.image.pixels.shape[0])};
    if (!picture.modelName.isEmpty() && !picture.className.isEmpty()) return;
    const QJsonObject json = jsonOf(picture.image.recipe);
    if (picture.modelName.isEmpty()) picture.modelName = json[QLatin1String("model_name")].toString();
    if (picture.modelName.isEmpty())
        picture.modelName = QFileInfo(QString::fromStdString(picture.request.model.path)).completeBaseName();
    if (picture.className.isEmpty()) picture.className = json[QLatin1String("class_name")].toString();
    if (json.contains(QLatin1String("embeddings")))
        picture.className = QFileInfo(json[QLatin1String("embeddings")].toString()).completeBaseName();
    else if (json[QLatin1String("prompt")].isString() && picture.request.text.prompt.empty())
        picture.className = QObject::tr("empty prompt");
}

QImage imageOf(const GalleryPicture& picture) {
    const QImage image = imageOf(picture.image.pixels);
    if (!image.isNull() || picture.file.isEmpty()) return image;
    return QImage(picture.file, "PNG").convertToFormat(QImage::Format_RGB32);
}

Array pixelsOf(const QImage& image) {
    const QImage source = image.convertToFormat(QImage::Format_RGB888);
    const auto row = static_cast<std::size_t>(source.width()) * 3;
    Array out{DType::U8, {source.height(), source.width(), 3}, std::vector<std::byte>(row * source.height())};
    for (int y = 0; y < source.height(); ++y) std::memcpy(out.bytes.data() + y * row, source.constScanLine(y), row);
    return out;
}

QString subjectOf(const GalleryPicture& picture) {
    const std::string& prompt = picture.request.text.prompt;
    if (!prompt.empty() && picture.request.text.embeddings.empty()) return QString::fromStdString(prompt);
    return picture.className.isEmpty() ? QObject::tr("class %1").arg(picture.image.label) : picture.className;
}

QString tipOf(const GalleryPicture& picture) {
    QStringList lines;
    if (!picture.known) {
        lines << QObject::tr("Its recipe is still being read");
    } else if (!picture.problem.isEmpty()) {
        lines << QObject::tr("No settings to restore: %1").arg(picture.problem);
    } else {
        const QString subject = subjectOf(picture);
        lines << (subject.size() > kLongestPrompt ? subject.left(kLongestPrompt - 1) + QChar(0x2026) : subject);
        lines << QObject::tr("Model %1").arg(picture.modelName) << settingsLines(picture);
    }
    lines << QObject::tr("Made %1").arg(picture.made.toString(QStringLiteral("yyyy-MM-dd HH:mm:ss")));
    if (picture.file.isEmpty())
        lines << QObject::tr("Not kept in a file");
    else
        lines << (QFileInfo::exists(picture.file) ? picture.file : QObject::tr("%1 is gone").arg(picture.file));
    if (picture.problem.isEmpty()) lines << QObject::tr("Double-click restores these settings");
    return lines.join(QLatin1Char('\n'));
}

QString searchTextOf(const GalleryPicture& picture) {
    if (!picture.known || !picture.problem.isEmpty()) return QFileInfo(picture.file).fileName();
    QStringList texts = {subjectOf(picture), picture.modelName, QObject::tr("seed %1").arg(picture.image.seed)};
    if (picture.request.text.prompt.empty()) texts << QObject::tr("class %1").arg(picture.image.label);
    return texts.join(QLatin1Char('\n'));
}

}  // namespace ropescope
