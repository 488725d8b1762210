// SPDX-License-Identifier: GPL-3.0-or-later
// Whatever is opened, closed and switched: the window says nothing that is over.
#include <QDockWidget>
#include <QMouseEvent>
#include <QSignalSpy>
#include <QStatusBar>
#include <QTest>
#include <algorithm>

#include "app/main_window.h"
#include "tests/app/stale_texts.h"
#include "tests/app/window_fixture.h"
#include "widgets/frame/message_bar.h"
#include "widgets/generate/generate_view.h"

namespace ropescope {

class NothingStaleTest : public QObject, private test::WindowFixture {
    Q_OBJECT

    static constexpr const char* kPrompt = "a zeppelin over a lighthouse";
    static constexpr std::uint64_t kSeed = 471'147;

    const QStringList m_names = {"dit-quartz", "vit-basalt", "flux-garnet", "strange-opal"};
    test::Past m_past{m_names, {}};

    static QString file(const QString& name) { return "/m/" + name + ".safetensors"; }
    static int keyOf(MainWindow& window, const QString& name) {
        for (const auto& [key, model] : window.models().all()) {
            if (QString::fromStdString(model.card.name) == name) return key;
        }
        return -1;
    }
    static bool settle(MainWindow& window) {
        QTest::qWait(1);
        const bool idle = QTest::qWaitFor([&] { return window.engine().openJobs() == 0; });
        QTest::qWait(1);
        return idle;
    }
    static bool open(MainWindow& window, const QString& name) {
        window.openFiles({file(name)});
        return QTest::qWaitFor([&] { return keyOf(window, name) >= 0; }) && settle(window);
    }
    static bool activate(MainWindow& window, const QString& name) {
        window.activateModel(keyOf(window, name));
        return settle(window) && window.currentModel() == keyOf(window, name);
    }
    static bool close(MainWindow& window, const QString& name) {
        if (!activate(window, name)) return false;
        window.closeCurrentModel();
        return settle(window) && keyOf(window, name) < 0;
    }
    /// Nothing stale, at once or very soon.
    bool isFresh(MainWindow& window, const QString& after) const {
        QStringList stale;
        const bool fresh = QTest::qWaitFor([&] { return (stale = test::staleTexts(window, m_past)).isEmpty(); }, 300);
        for (const QString& line : stale) qWarning().noquote() << "after" << after + ':' << line;
        return fresh;
    }
    static bool makePicture(MainWindow& window, const QString& name) {
        if (!activate(window, name)) return false;
        GenerateRequest settings = window.panels().generate->request();
        settings.seed = kSeed;
        settings.text.prompt = kPrompt;
        window.panels().generate->restore(settings);
        window.panels().generate->requestGenerate();
        return window.generation().isRunning() && QTest::qWaitFor([&] { return !window.generation().isRunning(); }) &&
               settle(window);
    }
    static bool says(MainWindow& window, const QString& word) {
        return !test::staleTexts(window, {{}, {word}}).isEmpty();
    }
    /// The mouse over the views until one of them says something of what is below it; the widget it is over.
    static QWidget* hover(MainWindow& window) {
        for (QDockWidget* dock : window.docks().centre->findChildren<QDockWidget*>()) {
            dock->raise();
            QTest::qWait(1);
            for (QWidget* part : dock->findChildren<QWidget*>()) {
                if (!part->isVisible() || !part->hasMouseTracking()) continue;
                for (int y = 8; y < part->height(); y += 16) {
                    for (int x = 8; x < part->width(); x += 16) {
                        const QPointF at(x, y);
                        QMouseEvent move(QEvent::MouseMove, at, part->mapToGlobal(at), Qt::NoButton, Qt::NoButton,
                                         Qt::NoModifier);
                        QCoreApplication::sendEvent(part, &move);
                        if (!window.statusBar()->currentMessage().isEmpty()) return part;
                    }
                }
            }
        }
        return nullptr;
    }

private slots:
    void initTestCase() { setUpCase(); }
    void cleanup() {
        cleanUp();
        m_past.words.clear();
    }

    void modelsComeAndGoInEveryOrder_data() {
        QTest::addColumn<QStringList>("order");
        QStringList names = m_names;
        std::ranges::sort(names);
        QSet<QStringList> seen;
        do {
            const QStringList order = names.mid(0, 3);
            if (!seen.contains(order)) QTest::newRow(qPrintable(order.join(", "))) << order;
            seen.insert(order);
        } while (std::ranges::next_permutation(names).found);
    }
    void modelsComeAndGoInEveryOrder() {
        QFETCH(QStringList, order);
        script("{}");
        const auto w = window({file(order[0])});
        QTRY_VERIFY(keyOf(*w, order[0]) >= 0 && settle(*w));
        bool fresh = isFresh(*w, "opening " + order[0]);
        for (const QString& name : order.mid(1)) {
            QVERIFY(open(*w, name));
            fresh &= isFresh(*w, "opening " + name);
        }
        for (const QString& name : order) {
            QVERIFY(activate(*w, name));
            fresh &= isFresh(*w, "choosing " + name);
        }
        for (const QString& name : {order[1], order[0], order[2]}) {
            QVERIFY(close(*w, name));
            fresh &= isFresh(*w, "closing " + name);
        }
        QVERIFY(fresh);
    }

    void nothingOfAClosedModelsPictureStays_data() {
        QTest::addColumn<QString>("name");
        QTest::newRow("of a class") << "dit-quartz";
        QTest::newRow("of a prompt") << "flux-garnet";
    }
    void nothingOfAClosedModelsPictureStays() {
        QFETCH(QString, name);
        script(R"({"GenerateRequest":"steps:5:1"})");
        const auto w = window({file(name), file("vit-basalt")});
        QTRY_COMPARE(w->models().all().size(), 2u);
        QVERIFY(settle(*w));
        QVERIFY(makePicture(*w, name));
        QVERIFY2(says(*w, QString::number(kSeed)), "the picture's seed is written nowhere while its model is open");
        QVERIFY(close(*w, name));
        m_past.words = QStringList{QString::number(kSeed), "zeppelin"};
        bool fresh = isFresh(*w, "closing " + name);
        QVERIFY(open(*w, "dit-quartz"));
        fresh &= isFresh(*w, "opening another");
        QVERIFY(fresh);
    }

    void anErrorGoesWithItsModel() {
        script(R"({"GenerateRequest":"refuse"})");
        const auto w = window({file("dit-quartz"), file("flux-garnet")});
        QTRY_COMPARE(w->models().all().size(), 2u);
        QVERIFY(settle(*w));
        QVERIFY(makePicture(*w, "dit-quartz"));
        QVERIFY2(says(*w, "refused"), "the error is not told");
        m_past.words = QStringList{"refused"};
        QVERIFY(activate(*w, "flux-garnet"));
        QVERIFY(isFresh(*w, "choosing another model"));
        QVERIFY(makePicture(*w, "flux-garnet"));
        QVERIFY2(says(*w, "refused"), "the error is not told");
        QVERIFY(close(*w, "flux-garnet"));
        QVERIFY(isFresh(*w, "closing the model"));
    }

    void aNewEngineEndsTheWait() {
        script(R"({"GenerateRequest":"die:9"},{})");
        const auto w = window({file("dit-quartz")});
        QTRY_VERIFY(ready(*w));
        QVERIFY(settle(*w));
        const QSignalSpy again(&w->engine(), &EngineClient::ready);
        bool told = false;
        connect(&w->engine(), &EngineClient::died, w.get(), [&] {
            for (const MessageBar* bar : w->findChildren<MessageBar*>()) told |= bar->text().contains("started again");
        });
        w->panels().generate->requestGenerate();
        QTRY_COMPARE(again.count(), 1);
        QVERIFY2(told, "the death of the engine is not told");
        QVERIFY(settle(*w));
        QVERIFY(isFresh(*w, "the restart"));
    }

    void hoverTextGoesWithTheMouseAndTheModel() {
        script("{}");
        const auto w = window({file("dit-quartz")});
        QTRY_VERIFY(ready(*w));
        QVERIFY(settle(*w));
        QWidget* below = hover(*w);
        QVERIFY2(below, "no view says what is under the mouse");
        QEvent leave(QEvent::Leave);
        QCoreApplication::sendEvent(below, &leave);
        QCOMPARE(w->statusBar()->currentMessage(), QString());
        QVERIFY(hover(*w));
        w->closeCurrentModel();
        QTRY_COMPARE(w->statusBar()->currentMessage(), QString());
        QVERIFY(isFresh(*w, "closing"));
    }

    /// The complaints themselves: each kind is made when there is reason.
    void whatIsStaleIsFound() {
        script("{}");
        const auto w = window({file("dit-quartz")});
        QTRY_VERIFY(ready(*w));
        QVERIFY(settle(*w));
        QVERIFY(isFresh(*w, "opening"));
        const auto found = [&](const QString& text) {
            w->statusBar()->showMessage(text);
            const QStringList stale = test::staleTexts(*w, {m_names, {QString::number(kSeed)}});
            w->statusBar()->clearMessage();
            return stale.filter(text).size() > 0;
        };
        QVERIFY(!found("L0.H1 of dit-quartz"));
        QVERIFY(found("L0.H1 of vit-basalt"));
        QVERIFY(found("this model classifies"));
        QVERIFY(found("write a prompt"));
        QVERIFY(found(QString("seed %1").arg(kSeed)));
        QVERIFY(found("it is being started again"));
        w->closeCurrentModel();
        QVERIFY(settle(*w));
        QVERIFY(found("L0.H1: 0.3"));
    }
};

}  // namespace ropescope

QTEST_MAIN(ropescope::NothingStaleTest)
#include "nothing_stale_test.moc"
