// SPDX-License-Identifier: GPL-3.0-or-later
// One selected picture, one active view: what is seen, copied and saved belongs together.
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QDockWidget>
#include <QFileDialog>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QSlider>
#include <QTest>

#include "app/command_palette.h"
#include "app/export_format.h"
#include "app/key_sheet.h"
#include "tests/app/window_fixture.h"
#include "widgets/attention/attention_canvas.h"
#include "widgets/attention/attention_view.h"
#include "widgets/classify/classify_view.h"
#include "widgets/fields/fields_view.h"
#include "widgets/frame/message_bar.h"
#include "widgets/gallery/gallery.h"
#include "widgets/generate/generate_settings.h"
#include "widgets/generate/generate_view.h"
#include "widgets/generate/run_bar.h"
#include "widgets/planes/planes_view.h"
#include "widgets/spectrum/spectrum_view.h"

namespace ropescope {

class WindowRunsTest : public QObject, private test::WindowFixture {
    Q_OBJECT

    /// Makes a picture of this class and waits for it.
    static void make(MainWindow& w, int label, std::uint64_t seed) {
        GenerateRequest request = w.panels().generate->request();
        request.labels = {label};
        request.seed = seed;
        request.steps = 5;
        w.panels().generate->restore(request);
        const int before = w.panels().generate->gallery().count();
        w.panels().generate->requestGenerate();
        QTRY_COMPARE(w.panels().generate->gallery().count(), before + 1);
        QTRY_VERIFY(!w.generation().isRunning());
    }

private slots:
    void initTestCase() { setUpCase(); }
    void cleanup() { cleanUp(); }

    /// Fault 3: the preview of one picture beside the step of another and the attention of a third.
    void everyViewShowsTheSelectedPicture() {
        script(R"({"GenerateRequest":"steps:50:10"})");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        make(*w, 0, 1);
        const int shirt = w->runs().current()->key;
        w->goTo(w->docks().of(w->panels().view<AttentionView>()));
        QTRY_VERIFY(!w->panels().view<AttentionView>()->canvas()->figure().image.empty());
        // A second one is cancelled.
        GenerateRequest request = w->panels().generate->request();
        request.labels = {1}, request.seed = 2;
        w->panels().generate->restore(request);
        w->panels().generate->requestGenerate();
        QTRY_VERIFY(w->runs().current()->key != shirt && w->runs().current()->steps() > 0);
        w->panels().generate->requestCancel();
        QTRY_VERIFY(!w->generation().isRunning());
        QVERIFY(w->panels().run->text().contains("class 1, seed 2"));
        QVERIFY(w->runs().current()->state == Run::State::Cancelled);
        QTRY_COMPARE(w->panels().view<AttentionView>()->canvas()->figure().picture,
                     w->runs().current()->pictureAt(w->runs().step()));
        // The first one again, by its thumbnail.
        emit w->panels().generate->gallery().chosen(0);
        QCOMPARE(w->runs().current()->key, shirt);
        QVERIFY(w->panels().run->text().contains("class 0, seed 1"));
        QVERIFY(w->panels().run->text().contains("first"));
        w->panels().run->slider()->setValue(2);
        QVERIFY(w->panels().run->stepText().startsWith("step 3 of 50"));
        const QImage third = w->runs().current()->previews.at(2);
        QCOMPARE(w->panels().generate->shownImage(), third);
        QTRY_VERIFY(w->panels().view<AttentionView>()->canvas()->figure().titles.first().contains("step 3 of 50"));
        QCOMPARE(w->panels().view<AttentionView>()->canvas()->figure().picture, third);
        QCOMPARE(w->panels().view<FieldsView>()->drawnMeasured(w->selection().current()), std::vector<double>(25, 1.0));
    }

    void aBatchIsAsManyPictures() {
        script(R"({"GenerateRequest":"steps:3:5"})");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        make(*w, 1, 9);
        QCOMPARE(w->panels().generate->gallery().currentRow(), 0);
        QVERIFY(w->panels().run->againButton()->isHidden());
    }

    void whatIsGoneIsMadeAgainInItsPlace() {
        script(R"({"GenerateRequest":"steps:5:10"})");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        make(*w, 0, 1);
        const int run = w->runs().current()->key;
        w->closeCurrentModel();
        QTRY_VERIFY(w->models().all().empty());
        QVERIFY(w->runs().current() == nullptr);
        emit w->panels().generate->gallery().chosen(0);
        QCOMPARE(w->runs().current()->key, run);
        QCOMPARE(w->runs().current()->steps(), 0);
        QVERIFY(!w->panels().run->againButton()->isHidden());
        QTest::mouseClick(w->panels().run->againButton(), Qt::LeftButton);  // opens its model first
        QTRY_COMPARE(w->models().all().size(), 1u);
        QTRY_COMPARE(w->runs().find(run)->steps(), 5);
        QTRY_VERIFY(!w->generation().isRunning());
        QCOMPARE(w->panels().generate->gallery().count(), 1);  // the same picture
        QVERIFY(w->panels().run->againButton()->isHidden());
    }

    /// Fault 9: a ViT had no Attention.
    void aClassifiedPictureIsTheSelectedOne() {
        script("{}");
        const auto w = window({"/m/vit.safetensors"});
        QTRY_VERIFY(ready(*w));
        w->goTo(w->docks().of(w->panels().view<AttentionView>()));
        QVERIFY(w->panels().view<AttentionView>()->isShowingEmpty());
        w->panels().classify->setImage("/pictures/cat.png");
        QTRY_VERIFY(w->runs().current() != nullptr);
        QVERIFY(w->panels().run->text().contains("cat.png") && w->panels().run->text().contains("vit"));
        AttentionView& view = *w->panels().view<AttentionView>();
        QTRY_VERIFY(!view.canvas()->figure().image.empty());
        QVERIFY(view.commandLine().contains("--image /pictures/cat.png"));
        QVERIFY(!view.canvas()->figure().picture.isNull());
    }

    /// Fault 2: copy took another view than the one that was clicked.
    void anyClickMakesAViewTheActiveOne() {
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        w->setLayout(Layout::Explore);
        SpectrumView& spectrum = *w->panels().view<SpectrumView>();
        FieldsView& fields = *w->panels().view<FieldsView>();
        w->goTo(w->docks().of(&spectrum));
        QTRY_VERIFY(spectrum.isVisible());
        QVERIFY(w->activeView() == &spectrum && spectrum.isActive());
        QTest::mouseClick(fields.canvas(), Qt::LeftButton, {}, QPoint(30, 30));
        QVERIFY(w->activeView() == &fields && fields.isActive() && !spectrum.isActive());
        action(*w, "Copy numbers")->trigger();
        QCOMPARE(QApplication::clipboard()->text(), fields.numbers('\t'));
        QVERIFY2(fields.messages().text().startsWith("Copied Fields, 1 head, 25 numbers"),
                 qPrintable(fields.messages().text()));
        w->goTo(w->docks().of(w->panels().view<PlanesView>()));  // Fields is behind it now
        QVERIFY(w->activeView() == w->panels().view<PlanesView>());
        w->goTo(w->docks().of(&spectrum));
        action(*w, "Copy equal command line")->trigger();
        QCOMPARE(QApplication::clipboard()->text(), spectrum.commandLine());
    }

    /// Fault 1: SVG whatever the name said.
    void theEndingOfTheNameDecides() {
        QVERIFY(formatOf("/x/a.pdf", filterOf(FigureFormat::Svg)) == FigureFormat::Pdf);
        QVERIFY(formatOf("/x/a.PNG", filterOf(FigureFormat::Csv)) == FigureFormat::Png);
        QVERIFY(formatOf("/x/a.svg", filterOf(FigureFormat::SvgOutlines)) == FigureFormat::SvgOutlines);
        QVERIFY(formatOf("/x/a.svg", filterOf(FigureFormat::Pdf)) == FigureFormat::Svg);
        QVERIFY(formatOf("/x/a", filterOf(FigureFormat::Pdf)) == FigureFormat::Pdf);
        QVERIFY(!formatOf("/x/a.docx", filterOf(FigureFormat::Pdf)));
        QCOMPARE(exportFilters().size(), 5);
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        const auto saved = [&](const QString& name) {
            action(*w, "Export figure...")->trigger();
            auto* dialog = w->findChild<QFileDialog*>();
            if (dialog == nullptr || dialog->nameFilters() != exportFilters()) return QByteArray("no dialog");
            emit dialog->fileSelected(folder().filePath(name));
            dialog->close();
            delete dialog;
            QFile file(folder().filePath(name));
            return file.open(QFile::ReadOnly) ? file.read(5) : QByteArray();
        };
        QCOMPARE(saved("a.pdf"), QByteArray("%PDF-"));
        QCOMPARE(saved("a.png").mid(1, 3), QByteArray("PNG"));
        QCOMPARE(saved("a.svg"), QByteArray("<?xml"));
        QCOMPARE(saved("a.csv"), QByteArray("model"));
        QVERIFY(w->activeView()->messages().text().startsWith("Saved Fields, 1 head, 25 numbers as "));
        QCOMPARE(saved("a.docx"), QByteArray());
        QVERIFY(w->activeView()->messages().showsError());
    }

    /// Fault 12.
    void thePaletteFindsViewsAndSettings() {
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        CommandPalette& palette = *w->panels().palette;
        const auto enter = [&](const QString& text) {
            action(*w, "Find a command, head or model...")->trigger();
            palette.field()->setText(text);
            QTest::keyClick(palette.field(), Qt::Key_Return);
        };
        enter("Frequencies");
        QCOMPARE(w->activeView()->title(), QString("Frequencies"));
        enter("Guidance");
        QVERIFY(QApplication::focusWidget() != nullptr);
        QCOMPARE(QApplication::focusWidget()->accessibleName(), QString("Guidance"));
        action(*w, "Find a command, head or model...")->trigger();
        palette.field()->setText("qwertz");
        QCOMPARE(palette.list()->count(), 1);
        QVERIFY(palette.list()->item(0)->text().contains("Nothing found"));
        palette.close();
        w->goTo(w->docks().of(w->panels().view<PlanesView>()));
        action(*w, "Help on the active view")->trigger();
        QVERIFY(w->findChild<KeySheet*>() != nullptr);
        for (QDockWidget* dock : w->docks().views) {  // every row of the table can be found
            action(*w, "Find a command, head or model...")->trigger();
            palette.field()->setText(dock->windowTitle());
            bool found = false;
            for (int i = 0; i < palette.list()->count(); ++i)
                found |= palette.list()->item(i)->text().contains(dock->windowTitle());
            QVERIFY2(found, qPrintable(dock->windowTitle()));
            palette.close();
        }
    }

    /// Fault 13: pictures of earlier sessions, with all that makes them.
    void theGalleryIsFilledAgainAtTheNextStart() {
        const QString kept = folder().filePath("kept");
        QDir().mkpath(kept);
        QImage picture(6, 6, QImage::Format_RGB32);
        picture.fill(Qt::gray);
        picture.setText("ropescope", R"({"seed":"77","model_name":"first","class_name":"sneaker","settings":"{}"})");
        QVERIFY(picture.save(kept + "/20261130-101112-131-00-seed77.png"));
        script("{}");
        const auto w = window({"/m/first.safetensors"});
        QTRY_VERIFY(ready(*w));
        QTRY_COMPARE(w->panels().generate->gallery().count(), 1);
        emit w->panels().generate->gallery().chosen(0);
        QVERIFY(w->runs().current() != nullptr);
        QVERIFY(!w->panels().generate->shownImage().isNull());
        QCOMPARE(w->runs().current()->steps(), 0);
        QVERIFY(!w->panels().run->againButton()->isHidden());
        QFile::remove(kept + "/20261130-101112-131-00-seed77.png");
    }

    void measurementsComeBackAtTheNextStart() {
        QFile model(folder().filePath("first.safetensors"));
        QVERIFY(model.open(QFile::WriteOnly) && model.write("weights") > 0);
        model.close();
        script("{}");
        {
            const auto w = window({model.fileName()});
            QTRY_VERIFY(ready(*w));
            w->offerMeasurement();
            w->dataJobs().measure({});
            QTRY_VERIFY(w->models().calibration(w->selection().current()) != nullptr);
            w->close();
        }
        const auto w = window({model.fileName()});
        QTRY_VERIFY(ready(*w));
        QVERIFY(w->models().calibration(w->selection().current()) != nullptr);
    }
};

}  // namespace ropescope

QTEST_MAIN(ropescope::WindowRunsTest)
#include "window_runs_test.moc"
