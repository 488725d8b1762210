// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/generate_view.h"

#include <QPushButton>
#include <QSignalSpy>
#include <QSlider>
#include <QTest>

#include "tests/widgets/opened_sample.h"
#include "widgets/message_bar.h"
#include "widgets/preview_image.h"

using namespace ropescope;

namespace {

GenerateRequest madeRequest() {
    GenerateRequest request;
    request.labels = {3};
    request.seed = 12345678901ULL;
    request.steps = 9;
    request.guidance = 3.5;
    request.sampler = Sampler::Heun;
    request.batch = 2;
    request.compute.precision = Precision::Bf16;
    return request;
}

}  // namespace

class GenerateViewTest : public QObject {
    Q_OBJECT
private slots:
    void needsAModelThatGenerates() {
        OpenModels models;
        GenerateView view(models);
        QVERIFY(!view.generateButton()->isEnabled());
        ModelCard card = sampleCard("classifier");
        card.objective = "classify", card.architecture = "vit";
        view.setModel(models.add({}, card));
        QVERIFY(!view.generateButton()->isEnabled());
        view.setModel(models.add({}, sampleCard("generator")));
        QVERIFY(view.generateButton()->isEnabled());
    }
    void anAutoencoderIsOfferedWhereLatentsAreDrawn() {
        OpenModels models;
        GenerateView view(models);
        GenerateRequest asked;
        asked.vae = "/vae.safetensors";
        ModelCard card = sampleCard("pixels");
        card.inChannels = 1;
        view.setModel(models.add({}, card));
        view.restore(asked);
        QCOMPARE(view.request().vae, std::string());  // nothing to decode
        card.inChannels = 4;
        view.setModel(models.add({}, card));
        view.restore(asked);
        QCOMPARE(view.request().vae, asked.vae);
    }
    void sizeIsInPatchesAndTheRequestInPixels() {
        OpenModels models;
        GenerateView view(models);
        ModelCard card = sampleCard("generator");
        card.patch = 4;
        view.setModel(models.add({}, card));
        QCOMPARE(view.patches(), (Grid{7, 7}));
        QCOMPARE(view.request().size, Grid{});  // as trained
        view.setSize({8, 11});
        QCOMPARE(view.request().size, (Grid{32, 44}));
        const GenerateRequest larger = view.request();
        view.setSize({});
        QCOMPARE(view.request().size, Grid{});
        view.restore(larger);
        QCOMPARE(view.patches(), (Grid{8, 11}));
        QVERIFY(view.request().extrapolate.method == Extrapolation::None);
        GenerateRequest stretched = larger;
        stretched.extrapolate.method = Extrapolation::NtkAware;
        view.restore(stretched);
        QVERIFY(view.request().extrapolate.method == Extrapolation::NtkAware);
        view.setSize({});
        QVERIFY(view.request().extrapolate.method == Extrapolation::None);  // nothing to stretch
        card.encoding = "absolute";
        view.setModel(models.add({}, card));
        view.setSize({9, 9});  // a table of positions can only be resized
        QVERIFY(view.request().extrapolate.method == Extrapolation::Interpolation);
    }
    void emitsItsSettings() {
        OpenedSample sample;
        GenerateView view(sample.models);
        view.setModel(sample.model);
        view.restore(madeRequest());
        GenerateRequest got;
        connect(&view, &GenerateView::generateRequested, this, [&](const GenerateRequest& request) { got = request; });
        QTest::mouseClick(view.generateButton(), Qt::LeftButton);
        QCOMPARE(got.labels, madeRequest().labels);
        QCOMPARE(got.seed, madeRequest().seed);
        QCOMPARE(got.steps, 9);
        QCOMPARE(got.guidance, 3.5);
        QVERIFY(got.sampler == Sampler::Heun);
        QVERIFY(got.compute.precision == Precision::Bf16);
        QCOMPARE(got.batch, 2);
    }
    void previewsThenResult() {
        OpenedSample sample;
        GenerateView view(sample.models);
        view.setModel(sample.model);
        QSignalSpy cancel(&view, &GenerateView::cancelRequested);
        view.start(4);
        QVERIFY(view.isRunning());
        QVERIFY(!view.generateButton()->isEnabled());
        for (int step = 1; step <= 3; ++step) view.showProgress({step, 4, 0.1, 0.1, samplePicture(step), {}});
        QCOMPARE(view.shownImage(), imageOf(samplePicture(3)));
        QTest::mouseClick(view.cancelButton(), Qt::LeftButton);
        QCOMPARE(cancel.count(), 1);
        view.cancelled();
        QVERIFY(!view.isRunning());
        QSignalSpy stepped(&view, &GenerateView::stepShown);
        view.timeline()->setValue(0);  // what was recorded stays
        QCOMPARE(view.shownImage(), imageOf(samplePicture(1)));
        QCOMPARE(stepped.last().first().toInt(), 0);

        GenerateResult result;
        result.images = {{7, 1, samplePicture(7), "{}"}, {8, 1, samplePicture(8), "{}"}};
        view.start(1);
        view.finish(madeRequest(), result);
        QCOMPARE(view.resultCount(), 2);
        QCOMPARE(view.shownImage(), imageOf(samplePicture(8)));
        view.resize(900, 260);
        QVERIFY(coloursShown(view) > 50);
    }
    void failureIsSaidInTheView() {
        OpenedSample sample;
        GenerateView view(sample.models);
        view.setModel(sample.model);
        view.start(4);
        view.fail({ErrorKind::Device, "out-of-memory", "cpu", "no memory left", "", "", "Use a smaller batch"});
        QVERIFY(!view.isRunning());
        QVERIFY(view.messages().showsError());
        QVERIFY(view.messages().text().contains("smaller batch"));
        QVERIFY(view.generateButton()->isEnabled());
    }
    void enlargesByWholeFactors() {
        const QImage small = imageOf(samplePicture(3));
        const QImage large = enlarged(small, 100);
        QCOMPARE(large.size(), QSize(84, 84));
        QCOMPARE(large.pixel(3 * 14 + 2, 3 * 14 + 1), small.pixel(14, 14));
        QVERIFY(imageOf(Array{}).isNull());
    }
};

QTEST_MAIN(GenerateViewTest)
#include "generate_view_test.moc"
