// SPDX-License-Identifier: GPL-3.0-or-later
#include <QAbstractButton>
#include <QDir>
#include <QDockWidget>
#include <QImage>
#include <QPainter>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <functional>
#include <map>
#include <ranges>
#include <utility>

#include "app/main_window.h"
#include "tests/app/text_faults.h"
#include "tests/app/view_turns.h"
#include "widgets/classify/classify_view.h"
#include "widgets/frame/message_bar.h"
#include "widgets/generate/generate_view.h"
#include "widgets/measure/measure_bar.h"

namespace ropescope {

/// The whole window over the real engine, in the sizes, with the models and the numbers of heads a user has: no text is
/// cut, elided, covered, over another one or outside. ROPESCOPE_LAYOUT_PICTURES names a folder for pictures of the
/// states with faults. With QT_SCALE_FACTOR above 1 fewer states are looked at.
class LayoutTest : public QObject {
    Q_OBJECT

    static constexpr const char* kEngine = ROPESCOPE_BIN_DIR "/ropescope-engine";
    static constexpr int kPatienceMs = 60'000;
    static constexpr QSize kSizes[] = {{1280, 800}, {1440, 900}, {1920, 1080}, {2560, 1440}};
    static constexpr QSize kFewSizes[] = {{1280, 800}, {1920, 1080}};
    static constexpr int kHeads[] = {1, 2, 3, 6, 12, 24};
    static constexpr int kFewHeads[] = {1, 3, 24};

    /// What is looked at, for messages and file names.
    struct State {
        QString what;  ///< "three models"
        QSize size;
        int heads = 0;
        Layout layout = Layout::Explore;
        QString views;  ///< that were raised

        [[nodiscard]] QString words() const {
            return QString("%1, %2x%3, %4 heads, %5, %6")
                .arg(what)
                .arg(size.width())
                .arg(size.height())
                .arg(heads)
                .arg(layoutName(layout), views);
        }
    };
    struct Found {
        State first;
        QString words;
        int states = 0;
        bool told = false;
    };

    QTemporaryDir m_folder;
    std::unique_ptr<MainWindow> m_window;
    int m_faults = 0;                  ///< since the last report
    std::map<QString, Found> m_found;  ///< by view, kind, text and owner

    static QString shipped(const QString& name) {
        return QString(ROPESCOPE_SOURCE_DIR "/resources/models/%1/model.safetensors").arg(name);
    }
    static QString golden(const QString& name) {
        return QString(ROPESCOPE_SOURCE_DIR "/tests/golden/%1.safetensors").arg(name);
    }
    template <class T, std::size_t n>
    static std::vector<T> few(const T (&some)[n]) {
        return {std::begin(some), std::end(some)};
    }
    static std::vector<QSize> sizes() {
        if (qApp->devicePixelRatio() > 1) return few(kFewSizes);
        return few(kSizes);
    }
    static std::vector<int> headCounts() {
        if (qApp->devicePixelRatio() > 1) return few(kFewHeads);
        return few(kHeads);
    }

    /// The engine has answered everything and what follows from it is laid out.
    void settle() {
        const auto idle = [this] {
            QCoreApplication::sendPostedEvents();
            return m_window->engine().openJobs() == 0;
        };
        for (int round = 0; round < 2; ++round) {
            QTest::qWait(1);
            if (!QTest::qWaitFor(idle, kPatienceMs)) qWarning("The engine does not come to rest.");
        }
    }
    bool open(const QStringList& files) {
        const std::size_t wanted = m_window->models().all().size() + static_cast<std::size_t>(files.size());
        m_window->openFiles(files);
        const bool opened = QTest::qWaitFor([&] { return m_window->models().all().size() == wanted; }, kPatienceMs) &&
                            QTest::qWaitFor(
                                [this] {
                                    return std::ranges::all_of(m_window->models().all(), [](const auto& model) {
                                        return model.second.atlas.has_value();
                                    });
                                },
                                kPatienceMs);
        settle();
        return opened;
    }
    /// Heads of all open models in turn; the current one is of the model that was opened last.
    bool select(int count) {
        std::vector<HeadRef> all;
        for (int i = 0; static_cast<int>(all.size()) < count && i < 64; ++i) {
            for (const auto& [key, model] : std::views::reverse(m_window->models().all())) {
                if (!model.runs() || i >= model.card.layers * model.card.heads) continue;
                if (static_cast<int>(all.size()) < count)
                    all.push_back({key, {i % model.card.layers, i / model.card.layers}});
            }
        }
        std::ranges::reverse(all);
        m_window->selection().selectAll(all);
        return static_cast<int>(all.size()) == count &&
               QTest::qWaitFor([&] { return m_window->models().missing(all).empty(); }, kPatienceMs);
    }

    void lookAtViews(State state) {
        test::raiseInTurn(*m_window->docks().centre, [&](const QStringList& views) {
            settle();
            state.views = views.join(" and ");
            note(state);
            noteSize(state);
        });
    }
    /// What opens at a button: further settings, controls for which a row has no room.
    void lookBehind(const QWidget& place, State state, const std::function<bool(const QAbstractButton&)>& opens) {
        for (QAbstractButton* button : place.findChildren<QAbstractButton*>()) {
            if (!button->isVisible() || !opens(*button)) continue;
            button->click();
            settle();
            state.views += ", opened: " + button->text();
            note(state);
            if (QWidget* popup = QApplication::activePopupWidget()) popup->close();
            if (button->isChecked()) button->click();
        }
    }
    void lookAtFurtherSettings(const QString& what) {
        lookBehind(*m_window->docks().generate, {what, m_window->size(), 1, Layout::Explore, {}},
                   [](const QAbstractButton& button) { return button.text().startsWith("More"); });
    }
    void clearMessages() {
        for (MessageBar* bar : m_window->findChildren<MessageBar*>()) bar->clear();
    }
    void look(const QString& what, Layout layout, const std::vector<QSize>& sizes, const std::vector<int>& counts) {
        for (const QSize size : sizes) {
            m_window->resize(size);
            m_window->setLayout(layout);
            settle();
            m_window->resize(size);  // what asked for more room before may ask for less now
            for (const int count : counts) {
                QVERIFY(select(count));
                clearMessages();
                lookAtViews({what, size, count, layout, {}});
            }
        }
    }

    /// True the first time.
    bool add(const State& state, const QString& key, const QString& words) {
        ++m_faults;
        Found& found = m_found[key];
        if (++found.states == 1) found.first = state, found.words = words;
        return found.states == 1;
    }
    void noteSize(const State& state) {
        if (m_window->size() == state.size) return;
        const QString words = QString("The window takes %1x%2; least sizes: %3");
        add(state, QString("size %1").arg(state.size.width()),
            words.arg(m_window->width()).arg(m_window->height()).arg(leastSizes()));
        m_window->resize(state.size);
    }
    /// What each dock asks for, to find the one that keeps the window wide.
    [[nodiscard]] QString leastSizes() const {
        QStringList sizes;
        const auto add = [&](const QString& name, const QWidget& part) {
            const QSize least = part.minimumSizeHint().expandedTo(part.minimumSize());
            if (part.isVisible()) sizes << QString("%1 %2x%3").arg(name).arg(least.width()).arg(least.height());
        };
        for (const QDockWidget* dock : m_window->findChildren<QDockWidget*>()) add(nameOf(*dock), *dock);
        for (const QWidget* part : m_window->centralWidget()->findChildren<QWidget*>(Qt::FindDirectChildrenOnly))
            add(part->metaObject()->className(), *part);
        return sizes.join(", ");
    }
    void note(const State& state) {
        std::vector<test::FaultyText> unseen, faults = test::faultyTexts(*m_window);
        if (QWidget* popup = QApplication::activePopupWidget())
            for (const test::FaultyText& fault : test::faultyTexts(*popup)) faults.push_back(fault);
        for (const test::FaultyText& fault : faults) {
            // Of all that overlaps one text, once.
            const QString text = fault.kind == test::TextFault::Overlapping ? fault.other : fault.text;
            const QString kind = QString::number(static_cast<int>(fault.kind));
            const QString key = QStringList{viewOf(*fault.owner), kind, text, test::nameOf(*fault.owner)}.join('|');
            if (add(state, key, viewOf(*fault.owner) + ": " + test::describe(fault))) unseen.push_back(fault);
        }
        if (!unseen.empty()) picture(state, unseen);
    }
    static QString nameOf(const QDockWidget& dock) { return dock.objectName().remove("Dock"); }
    static QString viewOf(const QWidget& widget) {
        for (const QWidget* part = &widget; part; part = part->parentWidget()) {
            if (const auto* dock = qobject_cast<const QDockWidget*>(part)) return nameOf(*dock);
        }
        return "window";
    }
    /// The window with the new faults outlined.
    void picture(const State& state, const std::vector<test::FaultyText>& faults) {
        const QString folder = qEnvironmentVariable("ROPESCOPE_LAYOUT_PICTURES");
        if (folder.isEmpty()) return;
        QDir().mkpath(folder);
        QPixmap image = m_window->grab();
        QPainter painter(&image);
        painter.setPen(Qt::red);
        for (const test::FaultyText& fault : faults) painter.drawRect(fault.ink.adjusted(-2, -2, 2, 2));
        image.save(QDir(folder).filePath(state.words().replace(", ", "_").replace(' ', '-') + ".png"));
    }
    /// Prints what was not found before; true when there was nothing since the last report.
    bool report() {
        for (auto& [key, found] : m_found) {
            const QString where = QString("[%1; in %2 states]").arg(found.first.words()).arg(found.states);
            if (!found.told) qWarning().noquote() << found.words << where;
            found.told = true;
        }
        return std::exchange(m_faults, 0) == 0;
    }

private slots:
    void initTestCase() {
        QStandardPaths::setTestModeEnabled(true);
        m_window = std::make_unique<MainWindow>(WindowOptions{{kEngine, "serve"},
                                                              {shipped("fashion-harope")},
                                                              m_folder.filePath("session.json"),
                                                              m_folder.filePath("kept")});
        m_window->setAppearance(Appearance::Light);
        m_window->show();
        QTRY_VERIFY_WITH_TIMEOUT(m_window->selection().current().model >= 0, kPatienceMs);
        settle();
    }
    void cleanupTestCase() { m_window.reset(); }

    void theWindowFitsASmallScreen() {
        const QSize least = m_window->minimumSizeHint().expandedTo(m_window->minimumSize());
        QVERIFY2(least.width() <= kSizes[0].width() && least.height() <= kSizes[0].height(),
                 qPrintable(QString("needs %1x%2").arg(least.width()).arg(least.height())));
    }
    void oneModel() {
        look("one model", Layout::Explore, sizes(), headCounts());
        look("one model", Layout::Publish, few(kFewSizes), few(kFewHeads));
        QVERIFY(report());
    }
    /// Places of the docks of the views that are in front.
    [[nodiscard]] QList<QRect> places() const {
        QList<QRect> all;
        for (const QDockWidget* dock : m_window->docks().views)
            if (!dock->visibleRegion().isEmpty()) all << QRect(dock->mapTo(m_window.get(), QPoint()), dock->size());
        return all;
    }
    void selectingHeadsMovesNothing() {
        for (const QSize size : {kSizes[0], kSizes[2]}) {
            m_window->resize(size);
            m_window->setLayout(Layout::Explore);
            QVERIFY(select(1));
            test::raiseInTurn(*m_window->docks().centre, [&](const QStringList& views) {
                settle();
                const QList<QRect> before = places();
                for (const int count : {6, 24, 1}) {
                    QVERIFY(select(count));
                    settle();
                    QVERIFY2(places() == before,
                             qPrintable(QString("%1 heads, %2").arg(count).arg(views.join(" and "))));
                }
            });
        }
    }
    void aPictureIsMade() {
        m_window->setLayout(Layout::Explore);
        m_window->panels().generate->requestGenerate();
        QVERIFY(m_window->generation().isRunning());
        QTRY_VERIFY_WITH_TIMEOUT(!m_window->generation().isRunning(), kPatienceMs);
        look("one model with a picture", Layout::Explore, sizes(), few(kFewHeads));
        look("one model with a picture", Layout::Generate, few(kFewSizes), {3});
        QVERIFY(report());
    }
    void theDataAreMeasured() {
        m_window->setLayout(Layout::Explore);
        m_window->offerMeasurement();
        settle();
        note({"asked about a measurement", m_window->size(), 1, Layout::Explore, {}});
        CalibrateRequest settings = m_window->panels().measure->settings();
        settings.images = 8;
        settings.steps = 10;
        m_window->dataJobs().measure(settings);
        const HeadRef current = m_window->selection().current();
        QTRY_VERIFY_WITH_TIMEOUT(m_window->models().calibration(current) != nullptr, kPatienceMs);
        look("one model, measured", Layout::Explore, few(kFewSizes), {1, 3});
        QVERIFY(report());
    }
    void furtherControls() {
        m_window->resize(kSizes[0]);
        m_window->setLayout(Layout::Explore);
        QVERIFY(select(3));
        lookAtFurtherSettings("one model");
        test::raiseInTurn(*m_window->docks().centre, [&](const QStringList& views) {
            settle();
            lookBehind(*m_window->docks().centre, {"one model", kSizes[0], 3, Layout::Explore, views.join(" and ")},
                       [](const QAbstractButton& button) { return button.accessibleName() == "More controls"; });
        });
        QVERIFY(report());
    }
    void threeModels() {
        QVERIFY(open({shipped("fashion-rope"), shipped("fashion-harope-inverse")}));
        look("three models", Layout::Explore, sizes(), headCounts());
        look("three models", Layout::Compare, few(kFewSizes), few(kFewHeads));
        QVERIFY(report());
    }
    void darkColours() {
        m_window->setAppearance(Appearance::Dark);
        look("three models, dark", Layout::Explore, {kSizes[1]}, {3});
        m_window->setAppearance(Appearance::Light);
        QVERIFY(report());
    }
    void aClassifierAndATextModel() {
        QVERIFY(open({golden("flux_tiny_harope_same")}));
        look("with a text model", Layout::Explore, few(kFewSizes), {1, 6});
        m_window->resize(kSizes[0]);
        lookAtFurtherSettings("with a text model");
        QVERIFY(open({golden("vit_harope_svd_same_patches")}));
        look("with a classifier", Layout::Explore, few(kFewSizes), {1, 6});
        QImage picture(64, 64, QImage::Format_RGB32);
        picture.fill(Qt::darkCyan);
        QVERIFY(picture.save(m_folder.filePath("kitten.png")));
        m_window->panels().classify->setImage(m_folder.filePath("kitten.png"));
        QTRY_VERIFY_WITH_TIMEOUT(m_window->panels().classify->result().has_value(), kPatienceMs);
        look("with a classified picture", Layout::Explore, few(kFewSizes), {1, 3});
        QVERIFY(report());
    }
    void nothingIsOpen() {
        while (!m_window->models().all().empty()) m_window->closeCurrentModel();
        for (const QSize size : sizes()) {
            m_window->resize(size);
            lookAtViews({"nothing open", size, 0, Layout::Explore, {}});
        }
        QVERIFY(report());
    }
};

}  // namespace ropescope

QTEST_MAIN(ropescope::LayoutTest)
#include "layout_test.moc"
