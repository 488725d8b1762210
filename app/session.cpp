// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session.h"

#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QSaveFile>
#include <QStandardPaths>

#include "core/data/codec.h"
#include "core/data/enum_names.h"

namespace ropescope {
namespace {

constexpr int kSessionVersion = 1;
constexpr qint64 kLargestSession = 4 << 20;
constexpr int kMostModels = 64;

template <class E>
QString nameOf(E value) {
    const std::string_view name = enumName(value);
    return QString::fromLatin1(name.data(), static_cast<qsizetype>(name.size()));
}

template <class E>
E valueOf(const QJsonValue& name, E fallback) {
    constexpr auto names = enumNames(E{});
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (name.toString() == QLatin1String(names[i].data(), static_cast<qsizetype>(names[i].size())))
            return static_cast<E>(i);
    }
    return fallback;
}

QString text(const QByteArray& bytes) {
    return QString::fromLatin1(bytes.toBase64());
}
QByteArray bytes(const QJsonValue& value) {
    return QByteArray::fromBase64(value.toString().toLatin1());
}

QJsonArray toJson(const std::vector<LoraRef>& loras) {
    QJsonArray all;
    for (const LoraRef& lora : loras)
        all.append(QJsonObject{{"path", QString::fromStdString(lora.path)}, {"strength", lora.strength}});
    return all;
}

QJsonArray texts(const std::vector<std::string>& all) {
    QJsonArray array;
    for (const std::string& one : all) array.append(QString::fromStdString(one));
    return array;
}

/// As a variation file has it.
QString changesText(const ModelRef& ref) {
    if (ref.changes.empty()) return {};
    Variation heads;
    heads.changes = ref.changes, heads.madeFor = ref.madeFor;
    return QString::fromStdString(variationJson(heads));
}

QJsonObject toJson(const ModelRef& ref) {
    return {{"path", QString::fromStdString(ref.path)},
            {"weights", QString::fromStdString(ref.weights)},
            {"convention", nameOf(ref.convention)},
            {"map_tokens", nameOf(ref.mapTokens)},
            {"heads", ref.heads},
            {"rows", ref.grid.rows},
            {"cols", ref.grid.cols},
            {"theta", ref.theta},
            {"config", QString::fromStdString(ref.config)},
            {"adapter", QString::fromStdString(ref.adapter)},
            {"loras", toJson(ref.loras)},
            {"changes", changesText(ref)},
            {"time", QString::fromStdString(ref.time)},
            {"ignore", texts(ref.ignore)}};
}

ModelRef modelRef(const QJsonObject& json) {
    ModelRef ref;
    ref.path = json["path"].toString().toStdString();
    ref.weights = json["weights"].toString("ema").toStdString();
    ref.convention = valueOf(json["convention"], Convention::Unknown);
    ref.mapTokens = valueOf(json["map_tokens"], MapTokens::Unknown);
    ref.heads = json["heads"].toInt();
    ref.grid = {json["rows"].toInt(), json["cols"].toInt()};
    ref.theta = json["theta"].toDouble();
    ref.config = json["config"].toString().toStdString();
    ref.adapter = json["adapter"].toString().toStdString();
    for (const QJsonValue& lora : json["loras"].toArray())
        ref.loras.push_back({lora["path"].toString().toStdString(), lora["strength"].toDouble(1)});
    if (auto kept = variationFromJson(json["changes"].toString().toStdString(), "session"))
        ref.changes = std::move(kept->changes), ref.madeFor = std::move(kept->madeFor);
    ref.time = json["time"].toString().toStdString();
    for (const QJsonValue& pattern : json["ignore"].toArray()) ref.ignore.push_back(pattern.toString().toStdString());
    return ref;
}

QJsonArray toJson(HeadId id) {
    return {id.layer, id.head};
}
HeadId headId(const QJsonValue& json) {
    return {json.toArray()[0].toInt(-1), json.toArray()[1].toInt(-1)};
}

/// As one text: numbers of 64 bits would not survive Qt's JSON.
QString toJson(const GenerateRequest& settings) {
    GenerateRequest own = settings;
    own.model = {};
    own.model.loras = settings.model.loras;
    own.noiseFile.clear(), own.stepNoiseFile.clear();
    return QString::fromStdString(settingsJson(own));
}

GenerateRequest generateRequest(const QJsonValue& json) {
    auto read = settingsFromJson(json.toString().toStdString());
    GenerateRequest g = read ? std::move(*read) : untouchedSettings();
    g.steps = std::clamp(g.steps, kUsualSteps, 1000);
    g.guidance = g.guidance < 0 ? kUsualGuidance : std::min(g.guidance, 100.0);
    g.batch = std::clamp(g.batch, 1, 64);
    if (g.labels.empty() || g.labels.front() < kNoClass) g.labels = {0};
    return g;
}

QJsonObject toJson(const DockLayout& l) {
    return {{"window", text(l.window)}, {"views", text(l.views)}};
}
DockLayout dockLayout(const QJsonValue& json) {
    return {bytes(json.toObject()["window"]), bytes(json.toObject()["views"])};
}

QJsonObject toJson(const Session& s) {
    QJsonArray models, selected, pinned;
    for (const ModelRef& ref : s.models) models.append(toJson(ref));
    for (HeadId id : s.selected) selected.append(toJson(id));
    for (const auto& [model, id] : s.pinned) pinned.append(QJsonArray{model, id.layer, id.head});
    QJsonObject answers, layouts;
    for (auto it = s.answers.begin(); it != s.answers.end(); ++it) answers[it.key()] = toJson(it.value());
    for (auto it = s.userLayouts.begin(); it != s.userLayouts.end(); ++it) layouts[it.key()] = toJson(it.value());
    return {{"version", kSessionVersion},
            {"models", models},
            {"current_model", s.currentModel},
            {"selected", selected},
            {"pinned", pinned},
            {"recent_files", QJsonArray::fromStringList(s.recentFiles)},
            {"answers", answers},
            {"geometry", text(s.geometry)},
            {"layout", toJson(s.layout)},
            {"user_layouts", layouts},
            {"appearance", static_cast<int>(s.appearance)},
            {"device", s.device},
            {"keep_pictures", s.keepPictures},
            {"generate", toJson(s.generate[0])},
            {"generate_flux", toJson(s.generate[1])},
            {"generate_sd3", toJson(s.generate[2])}};
}

Session session(const QJsonObject& json) {
    Session s;
    for (const QJsonValue& model : json["models"].toArray()) {
        if (static_cast<int>(s.models.size()) < kMostModels) s.models.push_back(modelRef(model.toObject()));
    }
    s.currentModel = json["current_model"].toInt(-1);
    for (const QJsonValue& head : json["selected"].toArray()) s.selected.push_back(headId(head));
    for (const QJsonValue& pin : json["pinned"].toArray()) {
        const QJsonArray p = pin.toArray();
        s.pinned.push_back({p[0].toInt(-1), {p[1].toInt(-1), p[2].toInt(-1)}});
    }
    for (const QJsonValue& file : json["recent_files"].toArray()) {
        if (s.recentFiles.size() < kRecentFiles) s.recentFiles.append(file.toString());
    }
    const QJsonObject answers = json["answers"].toObject();
    for (auto it = answers.begin(); it != answers.end(); ++it) s.answers[it.key()] = modelRef(it.value().toObject());
    // Earlier versions kept these two by themselves.
    const QJsonObject conventions = json["conventions"].toObject(), mapTokens = json["map_tokens"].toObject();
    for (auto it = conventions.begin(); it != conventions.end(); ++it)
        s.answers[it.key()].convention = valueOf(it.value(), Convention::Unknown);
    for (auto it = mapTokens.begin(); it != mapTokens.end(); ++it)
        s.answers[it.key()].mapTokens = valueOf(it.value(), MapTokens::Unknown);
    s.geometry = bytes(json["geometry"]);
    s.layout = dockLayout(json["layout"]);
    const QJsonObject layouts = json["user_layouts"].toObject();
    for (auto it = layouts.begin(); it != layouts.end(); ++it) s.userLayouts[it.key()] = dockLayout(it.value());
    s.appearance = static_cast<Appearance>(std::clamp(json["appearance"].toInt(), 0, 2));
    s.device = json["device"].toString("auto");
    s.keepPictures = json["keep_pictures"].toBool(true);
    s.generate = {generateRequest(json["generate"]), generateRequest(json["generate_flux"]),
                  generateRequest(json["generate_sd3"])};
    return s;
}

}  // namespace

QString sessionPath() {
    return QStandardPaths::writableLocation(QStandardPaths::AppConfigLocation) + "/session.json";
}

LoadedSession loadSession(const QString& path) {
    QFile file(path);
    LoadedSession loaded;
    loaded.session.generate.fill(untouchedSettings());
    if (!file.exists()) return loaded;
    QJsonParseError parsed{};
    QJsonDocument document;
    const bool readable = file.size() <= kLargestSession && file.open(QFile::ReadOnly);
    if (readable) document = QJsonDocument::fromJson(file.readAll(), &parsed);
    const QJsonObject json = document.object();
    if (readable && parsed.error == QJsonParseError::NoError && json["version"].toInt() == kSessionVersion) {
        loaded.session = session(json);
        return loaded;
    }
    file.close();
    QFile::remove(path + ".bad");
    QFile::rename(path, path + ".bad");
    loaded.note = QString("The session file could not be understood; the window starts afresh. A copy is kept as %1.")
                      .arg(path + ".bad");
    return loaded;
}

bool saveSession(const QString& path, const Session& session) {
    QDir().mkpath(QFileInfo(path).path());
    QSaveFile file(path);
    if (!file.open(QFile::WriteOnly)) return false;
    file.write(QJsonDocument(toJson(session)).toJson());
    return file.commit();
}

void remember(QStringList& recentFiles, const QString& path) {
    recentFiles.removeAll(path);
    recentFiles.prepend(path);
    while (recentFiles.size() > kRecentFiles) recentFiles.removeLast();
}

}  // namespace ropescope
