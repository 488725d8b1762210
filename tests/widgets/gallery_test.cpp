// SPDX-License-Identifier: GPL-3.0-or-later
#include <QApplication>
#include <QElapsedTimer>
#include <QLineEdit>
#include <QMimeData>
#include <QScrollBar>
#include <QSignalSpy>

#include "tests/widgets/kept_pictures.h"

using namespace ropescope;

namespace {

void press(const Gallery& gallery, Qt::Key key) {
    QTest::keyClick(gallery.list(), key);
}

qint64 median(std::vector<qint64> values) {
    std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
    return values[values.size() / 2];
}

}  // namespace

class GalleryTest : public QObject, private KeptPictures {
    Q_OBJECT

private slots:
    void init() { setUpFolder(); }

    void keptPicturesComeBackNewestFirst() {
        keepThree();
        Gallery gallery;
        gallery.setFolder(folder());
        QCOMPARE(gallery.count(), 3);
        QCOMPARE(seeds(gallery), (std::vector<std::uint64_t>{103, 102, 101}));
        const GalleryPicture& newest = gallery.picture(0);
        QCOMPARE(newest.request.text.prompt, std::string("a red  cat, sat"));  // with both spaces
        QCOMPARE(newest.made, QDateTime(QDate(2026, 1, 2), QTime(9, 0, 3)));
        QCOMPARE(newest.modelName, QString("fashion-harope"));
        const GalleryPicture& oldest = gallery.picture(2);
        QCOMPARE(oldest.className, QString("sneaker"));
        QCOMPARE(oldest.request.sampler, Sampler::Heun);
        QCOMPARE(oldest.size, QSize(28, 28));
        QVERIFY(gallery.image(2).pixels == samplePicture(101));
        QCOMPARE(gallery.image(2).recipe, recipeFor(sampleRequest(101), "sneaker"));
    }

    void recipesArriveFromTheBackground() {
        keepThree();
        Gallery gallery;
        gallery.setFolder(folder());
        const auto tipShown = [&gallery] {
            return gallery.list()->model()->index(1, 0).data(Qt::ToolTipRole).toString();
        };
        QVERIFY(tipShown().contains("still being read"));
        QTRY_VERIFY(tipShown().startsWith("bag\nModel fashion-harope\nSeed 102\n"));
    }

    void aBatchIsSoManyPicturesAndItsFirstIsCurrent() {
        Gallery gallery;
        GenerateRequest request = sampleRequest(40);
        request.batch = 3;
        GenerateResult result;
        for (int i = 0; i < 3; ++i) result.images.push_back(madeImage(sampleRequest(40 + i, i)));
        gallery.addResult(5, request, result);
        QCOMPARE(seeds(gallery), (std::vector<std::uint64_t>{42, 41, 40}));
        QCOMPARE(gallery.currentRow(), 2);
        QCOMPARE(gallery.picture(0).request.batch, 1);
        QCOMPARE(gallery.picture(0).request.seed, std::uint64_t{42});
        QCOMPARE(gallery.picture(0).request.labels, std::vector<int>{2});
        gallery.addResult(6, sampleRequest(50), resultOf(madeImage(sampleRequest(50))));
        QCOMPARE(gallery.currentRow(), 0);
        gallery.setCurrentRun(5);
        QCOMPARE(gallery.currentRow(), 3);
        QVERIFY(isFramed(gallery, 3));
        gallery.setCurrentRun(99);
        QCOMPARE(gallery.currentRow(), -1);
        QVERIFY(!isFramed(gallery, 3));
    }

    void theToolTipSaysAll() {
        GenerateRequest request = sampleRequest(77);
        request.extrapolate = {Extrapolation::NtkAware, {7, 7}, true, 1};
        request.model.loras = {{"/l/style.safetensors", 0.5}};
        GalleryPicture made;
        made.request = request;
        made.image = madeImage(request);
        made.patches = {14, 14};
        made.made = QDateTime(QDate(2026, 3, 4), QTime(5, 6, 7));
        Gallery gallery;
        gallery.addPicture(made);
        QCOMPARE(tip(gallery, 0),
                 QString("sneaker\nModel fashion-harope\nSeed 77\n28 \u00d7 28 pixels, 14 \u00d7 14 patches\n"
                         "Positions NTK-aware from 7 \u00d7 7 patches\n9 steps, guidance 3.5, sampler Heun\n"
                         "LoRA style, strength 0.5\nMade 2026-03-04 05:06:07\nNot kept in a file\n"
                         "Double-click restores these settings"));
        const QString file = keep(1, sampleRequest(78), {});
        gallery.setFolder(folder());
        QVERIFY(tip(gallery, 1).startsWith("class 3\n"));
        QVERIFY(tip(gallery, 1).contains("\nPositions as trained\n"));
        QVERIFY(tip(gallery, 1).contains('\n' + file + '\n'));
    }

    void searchShowsWhatHoldsEveryWord() {
        keepThree();
        Gallery gallery;
        gallery.setFolder(folder());
        QCOMPARE(gallery.countText(), QString("3 pictures"));
        QTRY_VERIFY(!gallery.list()->model()->index(2, 0).data(Qt::ToolTipRole).toString().contains("being read"));
        gallery.resize(500, 170);
        gallery.show();
        click(gallery, 1);
        QSignalSpy chosen(&gallery, &Gallery::chosen);
        const auto found = [&gallery](const QString& text) {
            gallery.search()->setText(text);
            return shownRows(gallery);
        };
        QCOMPARE(found("SNEAK"), 1);
        QCOMPARE(gallery.countText(), QString("1 of 3"));
        QVERIFY(!isFramed(gallery, 0));     // the current one is hidden
        QCOMPARE(gallery.currentRow(), 1);  // and stays what it is
        QCOMPARE(found("cat red"), 1);      // of the prompt, in any order
        QCOMPARE(found("fashion 10"), 3);   // model and seed
        QCOMPARE(found("class 8"), 1);
        QCOMPARE(found("sneaker bag"), 0);
        QCOMPARE(gallery.countText(), QString("0 of 3"));
        QCOMPARE(gallery.emptyText(), QString("Nothing found for \"sneaker bag\""));
        QCOMPARE(found(""), 3);
        QVERIFY(isFramed(gallery, 1));
        QCOMPARE(chosen.count(), 0);
    }

    void noKeyTakesTheFrameFromTheCurrentOne() {
        keepThree();
        Gallery gallery;
        gallery.resize(500, 170);
        gallery.show();
        gallery.setFolder(folder());
        click(gallery, 1);
        QVERIFY(isFramed(gallery, 1));
        const QPoint at = gallery.list()->visualRect(gallery.list()->model()->index(1, 0)).center();
        for (const Qt::KeyboardModifier key : {Qt::ControlModifier, Qt::ShiftModifier}) {
            QTest::mouseClick(gallery.list()->viewport(), Qt::LeftButton, key, at);
            QVERIFY(isFramed(gallery, 1));
        }
        QTest::keyClick(gallery.list(), Qt::Key_Space, Qt::ControlModifier);
        QVERIFY(isFramed(gallery, 1));
        QCOMPARE(gallery.currentRow(), 1);
    }

    void rowsCountAllWhateverTheSearchShows() {
        keepThree();
        Gallery gallery;
        gallery.resize(500, 170);
        gallery.show();
        gallery.setFolder(folder());
        QTRY_VERIFY(!gallery.list()->model()->index(2, 0).data(Qt::ToolTipRole).toString().contains("being read"));
        gallery.search()->setText("sneaker");
        QSignalSpy chosen(&gallery, &Gallery::chosen);
        click(gallery, 0);
        QCOMPARE(chosen.count(), 1);
        QCOMPARE(chosen.first().first().toInt(), 2);
    }

    void keysMoveChooseAndDelete() {
        keepThree();
        Gallery gallery;
        gallery.resize(500, 170);
        gallery.show();
        gallery.setFolder(folder());
        QSignalSpy chosen(&gallery, &Gallery::chosen);
        click(gallery, 0);
        press(gallery, Qt::Key_Right);
        QCOMPARE(gallery.currentRow(), 1);
        QVERIFY(isFramed(gallery, 1));
        press(gallery, Qt::Key_Return);
        QCOMPARE(chosen.count(), 3);
        QCOMPARE(chosen.last().first().toInt(), 1);
        press(gallery, Qt::Key_Delete);
        QCOMPARE(seeds(gallery), (std::vector<std::uint64_t>{103, 101}));
        QCOMPARE(chosen.count(), 4);  // the neighbour
        QCOMPARE(gallery.currentRow(), 1);
        QVERIFY(isFramed(gallery, 1));
    }

    void onlyTheLeftButtonOnAPictureChooses() {
        keepThree();
        Gallery gallery;
        gallery.resize(500, 170);
        gallery.show();
        gallery.setFolder(folder());
        click(gallery, 0);
        QWidget* viewport = gallery.list()->viewport();
        const QRect second = gallery.list()->visualRect(gallery.list()->model()->index(1, 0));
        QSignalSpy chosen(&gallery, &Gallery::chosen);
        QTest::mouseClick(viewport, Qt::RightButton, {}, second.center());
        QTest::mouseClick(viewport, Qt::LeftButton, {}, viewport->rect().bottomRight() - QPoint(4, 4));
        QCOMPARE(chosen.count(), 0);
        QVERIFY(isFramed(gallery, 0));
        QSignalSpy restored(&gallery, &Gallery::restoreRequested);
        click(gallery, 1);
        QTest::mouseDClick(viewport, Qt::LeftButton, {}, second.center());
        QCOMPARE(restored.count(), 1);
        QCOMPARE(restored.first().first().toInt(), 1);
    }

    void aDragCarriesPixelsAndRecipe() {
        keepThree();
        Gallery gallery;
        gallery.setFolder(folder());
        static_cast<void>(gallery.picture(1));
        const QAbstractItemModel* model = gallery.list()->model();
        const std::unique_ptr<QMimeData> data(model->mimeData({model->index(1, 0)}));
        QCOMPARE(qvariant_cast<QImage>(data->imageData()), imageOf(samplePicture(102)));
        QCOMPARE(data->text().toStdString(), recipeFor(sampleRequest(102, 8), "bag"));
    }

    void thumbnailsArriveAfterThePlaceholder() {
        keep(1, sampleRequest(101));
        Gallery gallery;
        gallery.resize(500, 170);
        gallery.show();
        gallery.setFolder(folder());
        const QImage enlargedPicture = enlarged(imageOf(samplePicture(101)), 64);
        const auto shows = [&] {
            const QPoint middle =
                gallery.list()->visualRect(gallery.list()->model()->index(0, 0)).topLeft() + QPoint(35, 35);
            const QImage grabbed = gallery.list()->viewport()->grab().toImage();
            return grabbed.pixelColor(middle) ==
                   enlargedPicture.pixelColor(enlargedPicture.width() / 2, enlargedPicture.height() / 2);
        };
        QVERIFY(!shows());
        QTRY_VERIFY(shows());
    }

    void twoThousandOpenAndScrollAtOnce() {
        for (int i = 0; i < 2000; ++i) keep(i, sampleRequest(1000 + i, i % 10), "class of ten");
        std::vector<qint64> openings;
        for (int i = 0; i < 5; ++i) {
            Gallery gallery;
            gallery.resize(500, 170);
            gallery.show();
            QApplication::processEvents();
            QElapsedTimer clock;
            clock.start();
            gallery.setFolder(folder());
            gallery.list()->viewport()->repaint();
            openings.push_back(clock.elapsed());
            QCOMPARE(gallery.count(), 2000);
        }
        Gallery gallery;
        gallery.resize(500, 170);
        gallery.show();
        gallery.setFolder(folder());
        std::vector<qint64> paints;
        QScrollBar* bar = gallery.list()->verticalScrollBar();
        QElapsedTimer clock;
        for (int at = 0; at <= bar->maximum(); at += 60) {
            bar->setValue(at);
            clock.start();
            gallery.list()->viewport()->repaint();
            paints.push_back(clock.nsecsElapsed() / 1000);
            QApplication::processEvents();
        }
        clock.start();
        QTRY_VERIFY(
            gallery.list()->model()->index(1999, 0).data(Qt::ToolTipRole).toString().startsWith("class of ten"));
        clock.start();
        gallery.search()->setText("seed 2");
        gallery.search()->setText("1999");
        const qint64 search = clock.elapsed();
        QCOMPARE(shownRows(gallery), 1);
        qInfo(
            "2000 pictures: opened in %lld ms (median of 5), painted in %lld us (median of %zu, most %lld), two "
            "searches in %lld ms",
            median(openings), median(paints), paints.size(), *std::ranges::max_element(paints), search);
        QVERIFY2(median(openings) <= 1500, "from setFolder to the first painted view");
        QVERIFY2(median(paints) <= 16000, "one paint while scrolling");
        QVERIFY2(search <= 1500, "two searches");
    }
};

QTEST_MAIN(GalleryTest)
#include "gallery_test.moc"
