// SPDX-License-Identifier: GPL-3.0-or-later
#include <QFile>
#include <QImage>
#include <QProcess>
#include <QPushButton>
#include <QSignalSpy>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <csignal>

#include "app/main_window.h"
#include "core/data/safetensors.h"
#include "widgets/atlas/atlas_view.h"
#include "widgets/fields/fields_view.h"
#include "widgets/frame/message_bar.h"
#include "widgets/frequencies/frequencies_view.h"
#include "widgets/gallery/gallery.h"
#include "widgets/generate/generate_view.h"
#include "widgets/heads/head_panel.h"
#include "widgets/planes/planes_view.h"
#include "widgets/spectrum/spectrum_view.h"
#include "widgets/steps/steps_view.h"

namespace ropescope {

/// The window over the real engine: what its plots and pixels hold against what the command line says about the same
/// file. The command line writes float32, so values agree to 1e-6 of their size.
class WindowContentTest : public QObject {
    Q_OBJECT

    static constexpr const char* kModel = ROPESCOPE_SOURCE_DIR "/tests/golden/harope_dit_tiny.pt";
    static constexpr const char* kEngine = ROPESCOPE_BIN_DIR "/ropescope-engine";
    QTemporaryDir m_folder;
    std::unique_ptr<MainWindow> m_window;
    SafetensorsContent m_inspect;
    int m_model = -1;

    SafetensorsContent command(const QStringList& arguments, const QString& out) {
        QProcess engine;
        engine.start(kEngine, arguments);
        if (!engine.waitForFinished(120'000) || engine.exitCode() != 0) {
            qWarning("%s", engine.readAllStandardError().constData());
            return {};
        }
        QFile file(out);
        if (!file.open(QFile::ReadOnly)) return {};
        const QByteArray bytes = file.readAll();
        auto content =
            decodeSafetensors(std::as_bytes(std::span(bytes.constData(), static_cast<std::size_t>(bytes.size()))));
        return content ? *content : SafetensorsContent{};
    }
    /// Row `head` of a tensor [H, ...] of a layer.
    std::vector<double> expected(const SafetensorsContent& content, const std::string& name, int head, int rows) const {
        const auto found = content.arrays.find(name);
        if (found == content.arrays.end()) return {};
        const auto all = found->second.as<float>();
        const std::size_t n = all.size() / static_cast<std::size_t>(rows);
        return {all.begin() + static_cast<std::ptrdiff_t>(n) * head,
                all.begin() + static_cast<std::ptrdiff_t>(n) * (head + 1)};
    }
    std::vector<double> inspected(HeadId id, const char* what) const {
        return expected(m_inspect, "layer." + std::to_string(id.layer) + "." + what, id.head, heads());
    }
    int heads() const { return m_window->models().find(m_model)->card.heads; }
    int layers() const { return m_window->models().find(m_model)->card.layers; }

    static bool near(const std::vector<double>& a, const std::vector<double>& b, double tolerance = 1e-6) {
        double size = 1e-12, worst = 0;
        for (double value : b) size = std::max(size, std::abs(value));
        for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
        const bool same = !a.empty() && a.size() == b.size() && worst <= tolerance * size;
        if (!same) qWarning("%zu values against %zu, worst difference %g of %g", a.size(), b.size(), worst, size);
        return same;
    }
    /// Selects the head and waits until its report is drawn.
    bool show(HeadId id) {
        m_window->selection().select({m_model, id});
        return QTest::qWaitFor(
            [&] {
                return !m_window->panels().view<SpectrumView>()->drawnValues({m_model, id}).empty();
            },
            30'000);
    }

private slots:
    void initTestCase() {
        QStandardPaths::setTestModeEnabled(true);
        const QString out = m_folder.filePath("heads.safetensors");
        m_inspect = command({"inspect", kModel, "--out", out}, out);
        QVERIFY(!m_inspect.arrays.empty());
        m_window = std::make_unique<MainWindow>(
            WindowOptions{{kEngine, "serve"}, {kModel}, m_folder.filePath("session.json")});
        m_window->show();
        QTRY_VERIFY_WITH_TIMEOUT(m_window->selection().current().model >= 0, 60'000);
        m_model = m_window->selection().current().model;
        QVERIFY(show(m_window->selection().current().id));
    }
    void cleanupTestCase() { m_window.reset(); }

    void theFirstHeadIsTheMostMixedOne() {
        double best = -1;
        HeadId head;
        for (int layer = 0; layer < layers(); ++layer) {
            for (int h = 0; h < heads(); ++h) {
                const std::vector<double> x = inspected({layer, h}, "cross_axis_mixing_q");
                QCOMPARE(x.size(), 4u);
                const double mixing = 1 - (x[0] + x[3]) / 2;
                QVERIFY(std::abs(m_window->panels().view<AtlasView>()->drawnValue({layer, h}) - mixing) < 1e-6);
                if (mixing > best) best = mixing, head = {layer, h};
            }
        }
        QCOMPARE(m_window->selection().current().id.name(), head.name());
        QVERIFY(m_window->panels().head->title().contains(QString::fromStdString(head.name())));
    }

    void theAtlasPaintsTheColoursItSays() {
        AtlasView& atlas = *m_window->panels().view<AtlasView>();
        const QImage image = atlas.grid()->grab().toImage();
        for (int h = 0; h < heads(); ++h) {
            const QRect cell = atlas.cellRect({1, h});
            const QPoint inside = cell.topLeft() + QPoint(6, 6);  // away from the number written in the middle
            QCOMPARE(image.pixelColor(inside * image.devicePixelRatio()).rgb(), atlas.drawnColour({1, h}).rgb());
        }
        QVERIFY(atlas.drawnColour({0, 0}) != atlas.drawnColour({0, 1}) ||
                atlas.drawnColour({0, 1}) != atlas.drawnColour({0, 2}));
    }

    void spectraPlanesAndFrequenciesAreThoseOfInspect() {
        const Panels& panels = m_window->panels();
        for (HeadId id : {HeadId{0, 0}, HeadId{1, 2}}) {
            QVERIFY(show(id));
            const HeadRef head{m_model, id};
            panels.view<SpectrumView>()->setValues(SpectrumView::Values::GaugeFixed);
            QVERIFY(near(panels.view<SpectrumView>()->drawnValues(head), inspected(id, "gauge_fixed_singular_values")));
            panels.view<SpectrumView>()->setValues(SpectrumView::Values::Stored);
            QVERIFY(near(panels.view<SpectrumView>()->drawnValues(head), inspected(id, "singular_values")));
            panels.view<SpectrumView>()->setValues(SpectrumView::Values::GaugeFixed);
            for (auto side : {PlanesView::Side::Query, PlanesView::Side::Key}) {
                panels.view<PlanesView>()->setSide(side);
                const std::vector<int> order = panels.view<PlanesView>()->drawnOrder(head);
                const std::vector<double> overlap =
                    inspected(id, side == PlanesView::Side::Query ? "overlap_q" : "overlap_k");
                std::vector<double> ordered;
                for (int row : order) {
                    for (int column : order) {
                        ordered.push_back(overlap.at(static_cast<std::size_t>(row) * order.size() +
                                                     static_cast<std::size_t>(column)));
                    }
                }
                QVERIFY(near(panels.view<PlanesView>()->drawnOverlap(head), ordered));
            }
            double drawn = 0;
            for (int axis : {0, 1}) {
                for (const QPointF& point : panels.view<FrequenciesView>()->drawnEnergy(head, axis)) drawn += point.y();
            }
            double energy = 0;
            for (double share : inspected(id, "energy_weights")) energy += share;
            QVERIFY(std::abs(drawn - energy) < 1e-5);
        }
    }

    void everyEnergyIsDrawnAtItsWavelength() {
        const HeadId id{1, 1};
        QVERIFY(show(id));
        const std::vector<double> energy = inspected(id, "energy_weights");
        const Array& frequency = m_inspect.arrays.at("layer.1.frequency");
        std::vector<std::pair<double, double>> rows;
        const auto omega = frequency.as<float>();
        const std::size_t offset = frequency.shape.size() == 3 ? energy.size() * 2 : 0;  // per head: the second head's
        for (std::size_t p = 0; p < energy.size(); ++p) {
            if (omega[offset + 2 * p] != 0) rows.push_back({2 * M_PI / std::abs(omega[offset + 2 * p]), energy[p]});
        }
        std::ranges::sort(rows);
        const std::vector<QPointF> drawn = m_window->panels().view<FrequenciesView>()->drawnEnergy({m_model, id}, 0);
        QCOMPARE(drawn.size(), rows.size());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            QVERIFY(std::abs(drawn[i].x() / rows[i].first - 1) < 1e-5);
            QVERIFY(std::abs(drawn[i].y() - rows[i].second) < 1e-6);
        }
    }

    void kernelsAndSensitivitiesAreThoseOfInspect() {
        FieldsView& fields = *m_window->panels().view<FieldsView>();
        const HeadId id{0, 2};
        QVERIFY(show(id));
        fields.setGrid(m_window->models().find(m_model)->card.grid);
        const struct {
            FieldsView::Analytic analytic;
            FieldsView::Content content;
            const char* name;
        } cases[] = {{FieldsView::Analytic::Kernel, FieldsView::Content::Weights, "kernel_weights"},
                     {FieldsView::Analytic::Kernel, FieldsView::Content::White, "kernel_white"},
                     {FieldsView::Analytic::Sensitivity, FieldsView::Content::Weights, "sensitivity_weights"},
                     {FieldsView::Analytic::Sensitivity, FieldsView::Content::White, "sensitivity_white"}};
        for (const auto& c : cases) {
            fields.setAnalytic(c.analytic);
            fields.setContentKind(c.content);
            QVERIFY2(near(fields.drawnAnalytic({m_model, id}), inspected(id, c.name)), c.name);
        }
    }

    void aGenerationIsThatOfTheCommandLine() {
        GenerateView& view = *m_window->panels().generate;
        GenerateRequest request = view.request();
        request.labels = {1};
        request.seed = 7;
        request.steps = 10;
        request.guidance = 1.5;
        view.restore(request);
        QTest::mouseClick(view.generateButton(), Qt::LeftButton);
        QTRY_COMPARE_WITH_TIMEOUT(view.gallery().count(), 1, 120'000);

        const QString field = m_folder.filePath("field.safetensors"), picture = m_folder.filePath("picture.png");
        const SafetensorsContent content = command({"generate", kModel, "--class", "1", "--seed", "7", "--steps", "10",
                                                    "--guidance", "1.5", "--field", field, "--out", picture},
                                                   field);
        const HeadId id{1, 0};
        QVERIFY(show(id));
        FieldsView& fields = *m_window->panels().view<FieldsView>();
        for (int step : {0, 4, 9}) {
            m_window->runs().setStep(step);
            const std::vector<double> all = expected(content, "field_mean.1", step, 10);
            const std::size_t n = all.size() / static_cast<std::size_t>(heads());
            QVERIFY(near(fields.drawnMeasured({m_model, id}),
                         {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n)}, 1e-4));
        }
        StepsView& steps = *m_window->panels().view<StepsView>();
        m_window->goTo(m_window->docks().of(&steps));
        const std::vector<StepPoint> series = steps.drawnSeries({m_model, id});
        QCOMPARE(series.size(), std::size_t(10));
        for (const StepPoint& point : series)
            QVERIFY(near({point.entropy}, {expected(content, "entropy.1", point.step, 10).at(0)}, 1e-4));
        const QImage written = QImage(picture).convertToFormat(QImage::Format_RGB888);
        const QImage shown = view.shownImage().convertToFormat(QImage::Format_RGB888);
        QVERIFY(!written.isNull());
        QCOMPARE(shown.size(), written.size());
        int different = 0;
        for (int y = 0; y < shown.height(); ++y) {
            for (int x = 0; x < shown.width(); ++x) {
                const QColor a = shown.pixelColor(x, y), b = written.pixelColor(x, y);
                different += std::max({std::abs(a.red() - b.red()), std::abs(a.green() - b.green()),
                                       std::abs(a.blue() - b.blue())}) > 1;
            }
        }
        QCOMPARE(different, 0);
    }

    void aSavedPictureIsTheOneShownAndCarriesItsRecipe() {
        const QImage shown = m_window->panels().generate->shownImage().convertToFormat(QImage::Format_RGB888);
        GeneratedImage image;
        std::vector<std::uint8_t> pixels;
        for (int y = 0; y < shown.height(); ++y) {
            pixels.insert(pixels.end(), shown.constScanLine(y), shown.constScanLine(y) + 3 * shown.width());
        }
        image.pixels = makeArray(std::span<const std::uint8_t>(pixels), {shown.height(), shown.width(), 3});
        image.recipe = R"({"seed": 7})";
        const QString path = m_folder.filePath("saved.png");
        m_window->generation().save(image, path);
        QTRY_VERIFY_WITH_TIMEOUT(m_window->panels().generate->messages().text().contains("saved.png"), 30'000);
        QVERIFY(!m_window->panels().generate->messages().showsError());
        QCOMPARE(QImage(path).convertToFormat(QImage::Format_RGB888), shown);
        QFile file(path);
        QVERIFY(file.open(QFile::ReadOnly));
        QVERIFY(file.readAll().contains(R"({"seed": 7})"));
        m_window->generation().save(image, "/no/such/folder/saved.png");
        QTRY_VERIFY_WITH_TIMEOUT(m_window->panels().generate->messages().showsError(), 30'000);
    }

    void cancelEndsARunWithinAStep() {  // GP-08
        GenerateView& view = *m_window->panels().generate;
        GenerateRequest request = view.request();
        request.steps = 500;
        view.restore(request);
        const int results = view.gallery().count();
        int steps = 0;
        QObject listener;
        connect(&m_window->generation(), &Generation::progressed, &listener, [&](const GenerateProgress& progress) {
            steps = progress.step;
            if (steps >= 3) m_window->generation().cancel();
        });
        view.requestGenerate();
        QVERIFY(m_window->generation().isRunning());
        QTRY_VERIFY_WITH_TIMEOUT(!m_window->generation().isRunning(), 60'000);
        QVERIFY2(steps < 100, "the run went on");
        QCOMPARE(view.gallery().count(), results);
        QVERIFY(!view.messages().showsError());
    }

    void aKilledEngineIsReplacedAndNothingIsLost() {  // GP-06
        const auto killed = static_cast<pid_t>(m_window->engine().processId());
        const double before = m_window->panels().view<AtlasView>()->drawnValue({0, 0});
        QCOMPARE(::kill(killed, SIGKILL), 0);
        QSignalSpy died(&m_window->engine(), &EngineClient::died);
        QTRY_COMPARE_WITH_TIMEOUT(died.count(), 1, 10'000);
        QVERIFY(died.first().first().toString().contains("signal 9"));
        QTRY_VERIFY_WITH_TIMEOUT(m_window->engine().state() == EngineClient::State::Ready, 10'000);
        QVERIFY(m_window->engine().processId() != killed);
        QVERIFY(show({0, 1}));
        QVERIFY(near(m_window->panels().view<SpectrumView>()->drawnValues({m_model, {0, 1}}),
                     inspected({0, 1}, "gauge_fixed_singular_values")));
        QCOMPARE(m_window->panels().view<AtlasView>()->drawnValue({0, 0}), before);
        QVERIFY(!m_window->panels().messages->showsError());  // it is back
    }

    void aRefusedFileSaysWhyAndWhatWasOpenStays() {
        const QString path = m_folder.filePath("broken.safetensors");
        QFile file(path);
        QVERIFY(file.open(QFile::WriteOnly));
        file.write("this is no model");
        file.close();
        m_window->openFiles({path});
        QTRY_VERIFY_WITH_TIMEOUT(m_window->panels().messages->showsError(), 30'000);
        QVERIFY(m_window->panels().messages->text().contains("broken.safetensors"));
        QCOMPARE(m_window->models().all().size(), 1u);
    }
};

}  // namespace ropescope

QTEST_MAIN(ropescope::WindowContentTest)
#include "window_content_test.moc"
