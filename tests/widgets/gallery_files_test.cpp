// SPDX-License-Identifier: GPL-3.0-or-later
#include <QSignalSpy>

#include "tests/widgets/kept_pictures.h"

using namespace ropescope;

class GalleryFilesTest : public QObject, private KeptPictures {
    Q_OBJECT

private slots:
    void init() { setUpFolder(); }

    void everySeedAndLetterSurvives() {
        GenerateRequest request = sampleRequest(18446744073709551615ULL, 0);
        request.text.prompt = "caf\u00e9 \u732b\nsecond line";
        keep(1, request, {});
        Gallery gallery;
        gallery.setFolder(folder());
        QCOMPARE(gallery.picture(0).image.seed, request.seed);
        QCOMPARE(gallery.picture(0).request.text.prompt, request.text.prompt);
    }

    void aPictureAndItsFileAreOneEntry() {
        keepThree();
        Gallery gallery;
        gallery.setFolder(folder());
        const GenerateRequest request = sampleRequest(7);
        gallery.addResult(0, request, resultOf(madeImage(request)));
        gallery.addResult(1, request, resultOf(madeImage(request)));
        const QString first = keep(10, request), second = keep(11, request);
        gallery.setFile(madeImage(request), first);
        QCOMPARE(gallery.picture(1).file, first);
        QVERIFY(gallery.picture(0).file.isEmpty());
        gallery.setFolder(folder());  // lists the second file as a picture of its own, then it is claimed
        QCOMPARE(gallery.count(), 6);
        gallery.setFile(madeImage(request), second);
        QCOMPARE(gallery.count(), 5);
        QCOMPARE(gallery.picture(0).file, second);
        QVERIFY(gallery.picture(0).image.pixels.shape.empty());  // the file has them
        QVERIFY(gallery.image(0).pixels == samplePicture(7));
        gallery.setFolder(folder());
        QCOMPARE(gallery.count(), 5);
    }

    void whatWasDeletedComesBack() {
        keepThree();
        Gallery gallery;
        gallery.setFolder(folder());
        const QString file = gallery.picture(1).file;
        QSignalSpy deleted(&gallery, &Gallery::deleted);
        gallery.remove(1);
        QCOMPARE(deleted.count(), 1);
        QCOMPARE(deleted.first().first().toString(), QString("Deleted bag, seed 102"));
        QVERIFY(!QFileInfo::exists(file));
        const QDir trash(m_place->filePath("Trash"));
        QCOMPARE(trash.entryList({"files"}, QDir::Dirs).size(), 1);
        QCOMPARE(QDir(trash.filePath("files")).entryList(QDir::Files).size(), 1);
        gallery.remove(0);
        gallery.undoDelete();
        gallery.undoDelete();
        QVERIFY(!gallery.canUndoDelete());
        QCOMPARE(seeds(gallery), (std::vector<std::uint64_t>{103, 102, 101}));
        QCOMPARE(gallery.currentRow(), 1);
        QVERIFY(gallery.image(1).pixels == samplePicture(102));
        QCOMPARE(QDir(trash.filePath("info")).entryList(QDir::Files).size(), 0);
    }

    void withoutATrashItComesBackFromMemory() {
        keepThree();
        const QString blocked = write("not-a-folder", "x");
        qputenv("XDG_DATA_HOME", blocked.toUtf8());
        Gallery gallery;
        gallery.setFolder(folder());
        const QString file = gallery.picture(1).file;
        QSignalSpy deleted(&gallery, &Gallery::deleted);
        gallery.remove(1);
        QVERIFY(deleted.first().first().toString().contains("there is no trash here"));
        QVERIFY(!QFileInfo::exists(file));
        QCOMPARE(QDir::current().entryList(QDir::Dirs | QDir::NoDotAndDotDot), QStringList{"pictures"});
        gallery.undoDelete();
        QVERIFY(gallery.image(1).pixels == samplePicture(102));
        QCOMPARE(gallery.picture(1).file, file);
    }

    void deletedBeforeItsFileWasWritten() {
        Gallery gallery;
        const GenerateRequest request = sampleRequest(9);
        gallery.addResult(0, request, resultOf(madeImage(request)));
        gallery.remove(0);
        const QString file = keep(1, request);
        gallery.setFile(madeImage(request), file);
        QVERIFY(!QFileInfo::exists(file));
        gallery.undoDelete();
        QVERIFY(QFileInfo::exists(file));
        QCOMPARE(gallery.picture(0).file, file);
    }

    void whatCannotBeReadIsSaidAndNotRestored() {
        write("20260102-090001-000-00-seed1.png", "no picture");
        QByteArray bare;
        QBuffer buffer(&bare);
        imageOf(samplePicture(1)).save(&buffer, "PNG");
        write("20260102-090002-000-00-seed2.png", bare);
        Gallery gallery;
        gallery.resize(500, 170);
        gallery.show();
        gallery.setFolder(folder());
        QVERIFY(tip(gallery, 0).contains("carries no settings"));
        QVERIFY(tip(gallery, 1).contains("not a whole PNG file"));
        QSignalSpy restored(&gallery, &Gallery::restoreRequested);
        QSignalSpy noted(&gallery, &Gallery::notice);
        const QRect first = gallery.list()->visualRect(gallery.list()->model()->index(0, 0));
        click(gallery, 0);
        QTest::mouseDClick(gallery.list()->viewport(), Qt::LeftButton, {}, first.center());
        QCOMPARE(restored.count(), 0);
        QCOMPARE(noted.count(), 1);
        QVERIFY(gallery.image(1).pixels.shape.empty());
        QCOMPARE(noted.count(), 2);
    }

    void filesThatAreGoneAreForgotten() {
        keepThree();
        Gallery gallery;
        gallery.setFolder(folder());
        const QString file = gallery.picture(2).file;
        QVERIFY(QFile::remove(file));
        QVERIFY(tip(gallery, 2).contains(file + " is gone"));
        gallery.forget({file});
        QCOMPARE(seeds(gallery), (std::vector<std::uint64_t>{103, 102}));
    }
};

QTEST_MAIN(GalleryFilesTest)
#include "gallery_files_test.moc"
