// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QBuffer>
#include <QCoreApplication>
#include <QDir>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QListView>
#include <QTemporaryDir>
#include <QTest>
#include <QtEndian>
#include <algorithm>
#include <memory>
#include <vector>

#include "core/data/codec.h"
#include "tests/widgets/sample_reports.h"
#include "widgets/gallery/gallery.h"
#include "widgets/gallery/gallery_list.h"
#include "widgets/state/image.h"

namespace ropescope {

inline QByteArray bigEndian(quint32 value) {
    QByteArray out(4, 0);
    qToBigEndian(value, out.data());
    return out;
}

inline quint32 checkSum(const QByteArray& bytes) {
    quint32 sum = 0xffffffffu;
    for (const char byte : bytes) {
        sum ^= static_cast<quint8>(byte);
        for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ ((sum & 1) != 0 ? 0xedb88320u : 0u);
    }
    return ~sum;
}

inline QByteArray chunk(const QByteArray& type, const QByteArray& content) {
    return bigEndian(content.size()) + type + content + bigEndian(checkSum(type + content));
}

/// As the engine writes it: the text before the pixels, tEXt when ASCII, else iTXt that is not compressed.
inline QByteArray pngWith(const QImage& image, const QByteArray& recipe) {
    QByteArray bytes;
    QBuffer buffer(&bytes);
    image.save(&buffer, "PNG");
    const bool ascii = std::ranges::all_of(recipe, [](char c) { return static_cast<quint8>(c) < 128; });
    const QByteArray key = QByteArrayLiteral("ropescope\0");
    constexpr int kAfterSize = 8 + 25;  // signature and IHDR
    return bytes.insert(
        kAfterSize, ascii ? chunk("tEXt", key + recipe) : chunk("iTXt", key + QByteArrayLiteral("\0\0\0\0") + recipe));
}

inline GenerateRequest sampleRequest(std::uint64_t seed, int label = 3) {
    GenerateRequest request;
    request.model.path = "/m/fashion.safetensors";
    request.seed = seed, request.labels = {label}, request.steps = 9, request.guidance = 3.5;
    request.sampler = Sampler::Heun;
    return request;
}

inline std::string recipeFor(const GenerateRequest& request, const QString& className) {
    QJsonObject json{{"program", "ropescope"}, {"model_name", "fashion-harope"}, {"sampler", "heun"}};
    if (!className.isEmpty()) json["class_name"] = className;
    if (!request.text.prompt.empty()) json["prompt"] = QString::fromStdString(request.text.prompt);
    std::string text = QJsonDocument(json).toJson(QJsonDocument::Compact).toStdString();
    text.pop_back();
    return text + ",\"settings\":" + settingsJson(request) + "}";
}

inline GeneratedImage madeImage(const GenerateRequest& request, const QString& className = "sneaker") {
    return {request.seed, request.labels.front(), samplePicture(request.seed), recipeFor(request, className)};
}

inline GenerateResult resultOf(const GeneratedImage& image) {
    GenerateResult result;
    result.images = {image};
    return result;
}

/// A folder of kept pictures with their recipes, its own trash, and what tests ask of a gallery.
class KeptPictures {
protected:
    void setUpFolder() {
        // Beside the program: the trash of the test then lies on the same volume.
        m_place = std::make_unique<QTemporaryDir>(QCoreApplication::applicationDirPath() + "/gallery-XXXXXX");
        qputenv("XDG_DATA_HOME", m_place->path().toUtf8());
        QVERIFY(QDir::setCurrent(m_place->path()));
    }
    [[nodiscard]] QString folder() const { return m_place->filePath("pictures"); }
    /// One more of the folder, `second` seconds after nine.
    QString keep(int second, const GenerateRequest& request, const QString& className = "sneaker") const {
        const QString name = QString("20260102-09%1%2-000-00-seed%3.png")
                                 .arg(second / 60, 2, 10, QChar('0'))
                                 .arg(second % 60, 2, 10, QChar('0'))
                                 .arg(request.seed);
        return write(name, pngWith(imageOf(samplePicture(request.seed)),
                                   QByteArray::fromStdString(recipeFor(request, className))));
    }
    QString write(const QString& name, const QByteArray& bytes) const {
        QDir().mkpath(folder());
        QFile file(QDir(folder()).filePath(name));
        if (!file.open(QIODevice::WriteOnly) || file.write(bytes) != bytes.size()) qFatal("cannot write a picture");
        return file.fileName();
    }
    void keepThree() const {
        keep(1, sampleRequest(101), "sneaker");
        keep(2, sampleRequest(102, 8), "bag");
        GenerateRequest written = sampleRequest(103, 0);
        written.text.prompt = "a red  cat, sat";
        keep(3, written, {});
    }
    static std::vector<std::uint64_t> seeds(Gallery& gallery) {
        std::vector<std::uint64_t> out;
        for (int row = 0; row < gallery.count(); ++row) out.push_back(gallery.picture(row).image.seed);
        return out;
    }
    static QString tip(Gallery& gallery, int row) { return tipOf(gallery.picture(row)); }
    static int shownRows(const Gallery& gallery) { return gallery.list()->model()->rowCount(); }
    static void click(Gallery& gallery, int shown) {
        QListView* list = gallery.list();
        const QPoint at = list->visualRect(list->model()->index(shown, 0)).center();
        QTest::mouseClick(list->viewport(), Qt::LeftButton, {}, at);
    }
    static bool isFramed(const Gallery& gallery, int shown) {
        const QListView* list = gallery.list();
        return list->selectionModel()->isSelected(list->model()->index(shown, 0));
    }

    std::unique_ptr<QTemporaryDir> m_place;
};

}  // namespace ropescope
