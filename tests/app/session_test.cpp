// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session.h"

#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QTest>

#include "widgets/state/kept_settings.h"

namespace ropescope {

class SessionTest : public QObject {
    Q_OBJECT

    QTemporaryDir m_folder;
    QString path() const { return m_folder.filePath("deep/session.json"); }
    void write(const QByteArray& bytes) {
        QFile file(path());
        QVERIFY(file.open(QFile::WriteOnly));
        file.write(bytes);
    }

    static Session sample() {
        Session s;
        ModelRef ref;
        ref.path = "/models/a b\u00e4.pt";
        ref.convention = Convention::Inverse;
        ref.weights = "model";
        ref.heads = 4;
        ref.grid = {7, 9};
        ref.theta = 100;
        ref.time = "flow";
        ref.ignore = {"blocks.*.gate", "loss"};
        ref.changes.resize(2);
        ref.changes[0].layer = 1, ref.changes[0].head = 3, ref.changes[0].amount = 0.1, ref.changes[0].on = false;
        ref.changes[1].kind = ChangeKind::Transplant;
        ref.changes[1].layer = 0, ref.changes[1].from = {1, 1}, ref.changes[1].donor = "/d b\u00e4.pt";
        ref.madeFor = {"a b", 2, 4, 32, "harope", "inverse"};
        s.models = {ref, ModelRef{}};
        s.currentModel = 0;
        s.selected = {{1, 2}, {3, 0}};
        s.pinned = {{1, {0, 3}}};
        s.recentFiles = {"/x", "/y"};
        ModelRef said;
        said.convention = Convention::Same;
        said.grid = {3, 5};
        said.time = "sit";
        s.answers = {{"/x", said}};
        s.geometry = QByteArray("\0\1\2", 3);
        s.layout = {"window", "views"};
        s.userLayouts = {{"mine", {"a", "b"}}};
        s.appearance = Appearance::Dark;
        s.device = "cuda:0";
        s.generate[0].labels = {7};
        s.generate[0].seed = ~0ull;
        s.generate[0].steps = 33;
        s.generate[0].guidance = 3.25;
        s.generate[0].sampler = Sampler::Heun;
        s.generate[0].record = RecordFields::None;
        s.generate[0].noiseFile = "/noise.safetensors";
        s.generate[1].text.prompt = "a cat";
        s.generate[1].model.loras = {{"/l.safetensors", 0.3}};
        s.generate[1].size = {512, 640};
        return s;
    }

private slots:
    void aMissingFileGivesTheDefaults() {
        const LoadedSession loaded = loadSession(m_folder.filePath("none.json"));
        QVERIFY(loaded.note.isEmpty());
        QVERIFY(loaded.session.models.empty());
        QVERIFY(loaded.session.generate[0].record == RecordFields::All);
        QCOMPARE(loaded.session.generate[0].seed, 42u);
    }

    void everythingComesBack() {
        const Session s = sample();
        QVERIFY(saveSession(path(), s));
        const LoadedSession loaded = loadSession(path());
        QVERIFY(loaded.note.isEmpty());
        const Session& t = loaded.session;
        QVERIFY(t.models == s.models);
        QCOMPARE(t.currentModel, s.currentModel);
        QVERIFY(t.selected == s.selected);
        QVERIFY(t.pinned == s.pinned);
        QCOMPARE(t.recentFiles, s.recentFiles);
        QVERIFY(t.answers == s.answers);
        QCOMPARE(t.geometry, s.geometry);
        QCOMPARE(t.layout.window, s.layout.window);
        QCOMPARE(t.layout.views, s.layout.views);
        QCOMPARE(t.userLayouts["mine"].views, QByteArray("b"));
        QVERIFY(t.appearance == s.appearance);
        QCOMPARE(t.device, s.device);
        QVERIFY(t.generate[0].labels == s.generate[0].labels);
        QCOMPARE(t.generate[0].seed, s.generate[0].seed);
        QCOMPARE(t.generate[0].steps, s.generate[0].steps);
        QCOMPARE(t.generate[0].guidance, s.generate[0].guidance);
        QVERIFY(t.generate[0].sampler == s.generate[0].sampler);
        QVERIFY(t.generate[0].record == s.generate[0].record);
        QVERIFY(t.generate[0].noiseFile.empty());  // a seed is shown, and it is what counts
        QCOMPARE(t.generate[1].text.prompt, s.generate[1].text.prompt);
        QVERIFY(t.generate[1].model.loras == s.generate[1].model.loras);
        QVERIFY(t.generate[1].size == s.generate[1].size);
    }

    void brokenFilesAreKeptAsideAndTold() {  // GU-08
        QVERIFY(saveSession(path(), sample()));
        QFile good(path());
        QVERIFY(good.open(QFile::ReadOnly));
        const QByteArray whole = good.readAll();
        for (const QByteArray& bad :
             {QByteArray(), QByteArray("garbage"), QByteArray("[]"), whole.left(whole.size() / 2),
              QByteArray("{\"version\": 99}"), QByteArray(5 << 20, '{')}) {
            write(bad);
            const LoadedSession loaded = loadSession(path());
            QVERIFY(!loaded.note.isEmpty());
            QVERIFY(loaded.session.models.empty());
            QVERIFY(QFile::exists(path() + ".bad"));
            QVERIFY(!QFile::exists(path()));
            QVERIFY(loadSession(path()).note.isEmpty());  // told once
        }
    }

    void wrongTypesInsideGiveDefaults() {
        write(
            R"({"version":1,"models":[7,{"path":3}],"selected":"x","generate":{"steps":3},
                 "appearance":77,"recent_files":{"a":1}})");
        const Session s = loadSession(path()).session;
        QCOMPARE(s.models.size(), 2u);
        QVERIFY(s.models[0].path.empty());
        QCOMPARE(s.generate[0].steps, kUsualSteps);
        QVERIFY(s.appearance == Appearance::Dark);
        QVERIFY(s.recentFiles.isEmpty());
    }

    void answersOfEarlierVersionsAreKept() {
        write(R"({"version":1,"conventions":{"/x":"inverse"},"map_tokens":{"/x":"patches","/y":"all"}})");
        const Session s = loadSession(path()).session;
        QVERIFY(s.answers["/x"].convention == Convention::Inverse);
        QVERIFY(s.answers["/x"].mapTokens == MapTokens::PatchesOnly);
        QVERIFY(s.answers["/y"].mapTokens == MapTokens::All);
    }

    void settingsOutOfRangeAreBroughtIntoIt() {
        QFile file(path());
        QVERIFY(file.open(QFile::WriteOnly | QFile::Truncate));
        const QString settings = R"({"steps":-4,"guidance":1e99,"seed":3,"later":[1]})";
        file.write(QJsonDocument(QJsonObject{{"version", 1}, {"generate", settings}}).toJson());
        file.close();
        const Session s = loadSession(path()).session;
        QCOMPARE(s.generate[0].steps, kUsualSteps);
        QCOMPARE(s.generate[0].guidance, 100.0);
        QCOMPARE(s.generate[0].seed, 3u);
    }

    void recentFilesAreUniqueNewestFirst() {
        QStringList files;
        for (int i = 0; i < 30; ++i) remember(files, QString::number(i % 20));
        QCOMPARE(files.size(), kRecentFiles);
        QCOMPARE(files.first(), "9");
        QCOMPARE(files.count("9"), 1);
    }

    void anUnwritablePlaceIsNoDisaster() { QVERIFY(!saveSession("/proc/no/session.json", sample())); }
};

}  // namespace ropescope

QTEST_GUILESS_MAIN(ropescope::SessionTest)
#include "session_test.moc"
