// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/measured_store.h"

#include <QDateTime>
#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <limits>

namespace ropescope {

class MeasuredStoreTest : public QObject {
    Q_OBJECT

    QTemporaryDir m_folder;
    QString kept() const { return m_folder.filePath("state/measured"); }
    MeasuredStore store() const { return MeasuredStore(kept()); }

    void write(const QString& path, const QByteArray& bytes) const {
        QDir().mkpath(QFileInfo(path).path());
        QFile file(path);
        QVERIFY(file.open(QFile::WriteOnly));
        file.write(bytes);
    }
    ModelRef model(const QString& name) const {
        const QString path = m_folder.filePath(name);
        if (!QFileInfo::exists(path)) write(path, "weights");
        ModelRef ref;
        ref.path = path.toStdString();
        return ref;
    }
    static CalibrationReport sample(const std::string& source) {
        CalibrationReport report;
        report.layers = 1, report.heads = 2, report.images = 4;
        report.grid = {2, 2};
        report.source = source;
        const double nan = std::numeric_limits<double>::quiet_NaN();
        report.numbers = {
            {"data_mean_distance", "Mean", "tokens", "d", About::Head, nan, {1.5, nan}, {0.1, nan}, {}, {}}};
        HeadCalibration curves;
        curves.id = {0, 1};
        curves.energy = {0.25, 0.75};
        curves.field = {{0, 1}, {2, 2}, std::vector<float>(9, 0.5F), std::vector<float>(9, 0.25F), 1.25, {}};
        report.curves = {curves};
        return report;
    }

private slots:
    void cleanup() { QDir(kept()).removeRecursively(); }

    void whatIsKeptComesBack() {
        const ModelRef ref = model("a.pt");
        QVERIFY(!store().find(ref));
        QCOMPARE(store().keep(ref, sample("4 images")), QString());
        const auto found = store().find(ref);
        QVERIFY(found);
        QCOMPARE(found->source, std::string("4 images"));
        QCOMPARE(found->numbers[0].mean[0], 1.5);
        QVERIFY(std::isnan(found->numbers[0].mean[1]));
        QCOMPARE(found->curves[0].field.sum, sample("").curves[0].field.sum);
        QVERIFY(!store().find(model("b.pt")));
        store().keep(ref, sample("8 images"));  // measured again: the new one alone
        QCOMPARE(store().find(ref)->source, std::string("8 images"));
        QCOMPARE(QDir(kept()).entryList(QDir::Files).size(), qsizetype(1));
    }
    void itBelongsToTheFileAndHowItIsRead() {
        const ModelRef ref = model("c.pt");
        store().keep(ref, sample("4 images"));
        ModelRef other = ref;
        other.convention = Convention::Inverse;
        QVERIFY(!store().find(other));
        other = ref;
        other.loras = {{model("lora.safetensors").path, 0.5}};
        QVERIFY(!store().find(other));
        other = ref;
        other.changes.emplace_back().on = false;
        other.madeFor.name = "c";
        QVERIFY(store().find(other));  // nothing is changed
        other.changes.front().on = true;
        QVERIFY(!store().find(other));
        other = ref;
        other.path = m_folder.filePath("./c.pt").toStdString();  // the same file by another name
        QVERIFY(store().find(other));
        QFile file(m_folder.filePath("c.pt"));
        QVERIFY(file.open(QFile::ReadWrite));
        QVERIFY(file.setFileTime(QDateTime::currentDateTime().addSecs(-60), QFileDevice::FileModificationTime));
        file.close();
        QVERIFY(!store().find(ref));  // written anew: another model
    }
    void aFolderChangesWithItsFiles() {
        write(m_folder.filePath("pipe/transformer/model.safetensors"), "one");
        ModelRef ref;
        ref.path = m_folder.filePath("pipe").toStdString();
        store().keep(ref, sample("4 images"));
        QVERIFY(store().find(ref));
        write(m_folder.filePath("pipe/transformer/model.safetensors"), "another");
        QVERIFY(!store().find(ref));
    }
    void brokenFilesAreLeftOut() {
        const ModelRef ref = model("d.pt");
        store().keep(ref, sample("4 images"));
        QString note;
        QVERIFY(store().find(ref, &note));
        QVERIFY(note.isEmpty());
        QFile file(store().fileOf(ref));
        QVERIFY(file.open(QFile::ReadOnly));
        const QByteArray whole = file.readAll();
        CalibrationReport odd = sample("4 images");
        odd.numbers[0].error.pop_back();  // a reader would look beyond its end
        store().keep(ref, odd);
        QVERIFY(!store().find(ref, &note));
        QVERIFY(note.contains("measure data again"));
        for (const QByteArray& bytes : {QByteArray(), QByteArray("garbage"), whole.left(whole.size() / 2)}) {
            write(store().fileOf(ref), bytes);
            note.clear();
            QVERIFY(!store().find(ref, &note));
            QVERIFY(note.contains(store().fileOf(ref)));
        }
        write(store().fileOf(ref), whole);
        QVERIFY(store().find(ref));
    }
    void whatIsTooLargeIsNotKept() {
        CalibrationReport large = sample("4 images");
        large.curves[0].field.sum.resize(MeasuredStore::kMostBytes / sizeof(float) + 1);
        QVERIFY(store().keep(model("e.pt"), large).contains("64 MB"));
        QVERIFY(!store().find(model("e.pt")));
    }
    void theNewestAreKept() {
        for (int i = 0; i < MeasuredStore::kMost + 2; ++i) {
            const ModelRef ref = model(QString("m%1.pt").arg(i));
            store().keep(ref, sample("4 images"));
            QFile file(store().fileOf(ref));
            QVERIFY(file.open(QFile::ReadWrite));
            file.setFileTime(QDateTime::currentDateTime().addSecs(i - 1000), QFileDevice::FileModificationTime);
        }
        QCOMPARE(QDir(kept()).entryList(QDir::Files).size(), qsizetype(MeasuredStore::kMost));
        QVERIFY(!store().find(model("m0.pt")));
        QVERIFY(!store().find(model("m1.pt")));
        QVERIFY(store().find(model("m2.pt")));
    }
    void withoutAFolderOrAFileNothingIsKept() {
        QVERIFY(!MeasuredStore({}).keep(model("f.pt"), sample("4 images")).isEmpty());
        QVERIFY(!MeasuredStore({}).find(model("f.pt")));
        ModelRef gone;
        gone.path = m_folder.filePath("gone.pt").toStdString();
        QVERIFY(!store().keep(gone, sample("4 images")).isEmpty());
    }
    void theFolderLiesBesideThePictures() {
        qputenv("XDG_STATE_HOME", "/state");
        QCOMPARE(keptMeasurementsFolder(), QString("/state/ropescope/measured"));
    }
};

}  // namespace ropescope

QTEST_GUILESS_MAIN(ropescope::MeasuredStoreTest)
#include "measured_store_test.moc"
