// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window_actions.h"

#include <QActionGroup>
#include <QApplication>
#include <QDesktopServices>
#include <QDir>
#include <QDockWidget>
#include <QFileInfo>
#include <QInputDialog>
#include <QMenu>
#include <QMenuBar>
#include <QMessageBox>

#include "app/command_palette.h"
#include "app/engine_status.h"
#include "app/key_sheet.h"
#include "app/main_window.h"
#include "app/resources.h"
#include "widgets/classify/classify_view.h"
#include "widgets/frame/message_bar.h"
#include "widgets/frame/view.h"
#include "widgets/generate/generate_settings.h"
#include "widgets/generate/generate_view.h"
#include "widgets/generate/run_bar.h"

namespace ropescope {

WindowActions::WindowActions(MainWindow& window) : QObject(&window), m_window(window) {
    buildFile();
    buildEdit();
    buildView();
    buildHeads();
    buildGenerate();
    buildTools();
    m_window.menuBar()->setCornerWidget(m_window.panels().status);
}

QAction* WindowActions::add(QMenu* menu, const QString& text, const QKeySequence& keys, std::function<void()> run) {
    QAction* action = menu->addAction(text);
    action->setShortcut(keys);
    connect(action, &QAction::triggered, this, [run = std::move(run)] { run(); });
    m_actions.append(action);
    return action;
}

void WindowActions::buildFile() {
    QMenu* menu = m_window.menuBar()->addMenu("&File");
    add(menu, "&Open...", QKeySequence("Ctrl+O"), [this] { m_window.openWithDialog(); });
    add(menu, "Open a &folder...", QKeySequence("Ctrl+Shift+O"), [this] { m_window.openFolderWithDialog(); });
    add(menu, "Open &variation...", QKeySequence("Ctrl+Shift+V"), [this] { m_window.openVariationWithDialog(); });
    add(menu, "Save varia&tion...", {}, [this] { m_window.saveVariationWithDialog(); });
    QMenu* shipped = menu->addMenu("Open a model that comes with ropescope");
    for (const QString& file : shippedModels()) {
        const QString name = QFileInfo(file).dir().dirName();
        add(shipped, name, {}, [this, file] { m_window.openFiles({file}); });
    }
    shipped->setEnabled(!shipped->isEmpty());
    QMenu* recent = menu->addMenu("Open &recent");
    connect(menu, &QMenu::aboutToShow, this, [this, recent] { fillRecent(recent); });
    fillRecent(recent);
    add(menu, "Folder of &finished pictures", {}, [this] {
        const QString folder = m_window.pictureStore().folder();
        QDir().mkpath(folder);
        if (folder.isEmpty() || !QDesktopServices::openUrl(QUrl::fromLocalFile(folder)))
            m_window.panels().messages->showNote(QString("Finished pictures are in %1.").arg(folder));
    });
    add(menu, "&Close model", QKeySequence("Ctrl+W"), [this] { m_window.closeCurrentModel(); });
    menu->addSeparator();
    add(menu, "&Export figure...", QKeySequence("Ctrl+E"),
        [this] { m_window.activeView()->requestExport(FigureFormat::Svg); });
    add(menu, "Export &numbers...", QKeySequence("Ctrl+Shift+E"),
        [this] { m_window.activeView()->requestExport(FigureFormat::Csv); });
    menu->addSeparator();
    add(menu, "&Quit", QKeySequence("Ctrl+Q"), [this] { m_window.close(); });
}

void WindowActions::fillRecent(QMenu* menu) {
    menu->clear();
    for (const QString& file : m_window.rememberedSession().recentFiles) {
        QAction* action = menu->addAction(QFontMetrics(menu->font()).elidedText(file, Qt::ElideMiddle, 480));
        connect(action, &QAction::triggered, this, [this, file] { m_window.openFiles({file}); });
    }
    menu->menuAction()->setEnabled(!menu->isEmpty());
}

void WindowActions::buildEdit() {
    QMenu* menu = m_window.menuBar()->addMenu("&Edit");
    add(menu, "&Copy figure", QKeySequence("Ctrl+C"), [this] { m_window.activeView()->copyFigure(); });
    add(menu, "Copy &numbers", QKeySequence("Ctrl+Shift+C"), [this] { m_window.activeView()->copyNumbers(); });
    QAction* undo = add(menu, "&Undo restored settings", QKeySequence("Ctrl+Z"), [this] { m_window.undoRestore(); });
    connect(menu, &QMenu::aboutToShow, undo, [this, undo] {
        undo->setEnabled(m_window.variations().canUndo() || m_window.panels().generate->settings().canUndo());
    });
    connect(menu, &QMenu::aboutToHide, undo, [undo] { undo->setEnabled(true); });  // the key looks by itself
    add(menu, "Copy equal command &line", {}, [this] { m_window.activeView()->copyCommandLine(); });
}

void WindowActions::buildView() {
    QMenu* menu = m_window.menuBar()->addMenu("&View");
    for (QDockWidget* dock : m_window.docks().all()) menu->addAction(dock->toggleViewAction());
    menu->addSeparator();
    buildLayouts(menu->addMenu("&Layout"));
    QMenu* appearance = menu->addMenu("&Appearance");
    auto* group = new QActionGroup(this);
    const std::pair<const char*, Appearance> choices[] = {
        {"As the desktop", Appearance::Desktop}, {"Light", Appearance::Light}, {"Dark", Appearance::Dark}};
    for (const auto& [text, value] : choices) {
        QAction* action = add(appearance, text, {}, [this, value] { m_window.setAppearance(value); });
        action->setCheckable(true);
        action->setChecked(m_window.rememberedSession().appearance == value);
        group->addAction(action);
    }
    add(menu, "&Full screen", QKeySequence("F11"),
        [this] { m_window.setWindowState(m_window.windowState() ^ Qt::WindowFullScreen); });
}

void WindowActions::buildLayouts(QMenu* menu) {
    for (Layout layout : kLayouts) {
        add(menu, layoutName(layout), {}, [this, layout] { m_window.setLayout(layout); });
    }
    menu->addSeparator();
    m_userLayouts = menu->addMenu("My layouts");
    fillLayouts();
    add(menu, "Save layout as...", {}, [this] { saveLayoutAs(); });
    add(menu, "Reset layout", {}, [this] { m_window.setLayout(Layout::Explore); });
}

void WindowActions::fillLayouts() {
    m_userLayouts->clear();
    const auto& layouts = m_window.rememberedSession().userLayouts;
    for (auto it = layouts.begin(); it != layouts.end(); ++it) {
        QAction* action = m_userLayouts->addAction(it.key());
        connect(action, &QAction::triggered, this,
                [this, layout = it.value()] { restoreDocks(m_window.docks(), layout); });
    }
    m_userLayouts->menuAction()->setEnabled(!layouts.isEmpty());
}

void WindowActions::saveLayoutAs() {
    auto* dialog = new QInputDialog(&m_window);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setWindowTitle("Save layout");
    dialog->setLabelText("Name of the layout:");
    connect(dialog, &QInputDialog::textValueSelected, this, [this](const QString& name) {
        if (name.trimmed().isEmpty()) return;
        m_window.rememberedSession().userLayouts[name.trimmed().left(60)] = saveDocks(m_window.docks());
        fillLayouts();
        m_window.saveSoon();
    });
    dialog->open();
}

void WindowActions::buildHeads() {
    QMenu* menu = m_window.menuBar()->addMenu("&Heads");
    add(menu, "&Pin or unpin the head", QKeySequence("P"), [this] {
        const HeadRef current = m_window.selection().current();
        if (current.model >= 0) m_window.selection().togglePin(current);
    });
    add(menu, "Unpin all", {}, [this] {
        for (HeadRef head : std::vector<HeadRef>(m_window.selection().pinned())) m_window.selection().togglePin(head);
    });
    menu->addSeparator();
    add(menu, "&Next head", QKeySequence("Ctrl+Right"), [this] { stepHead(1); });
    add(menu, "Pre&vious head", QKeySequence("Ctrl+Left"), [this] { stepHead(-1); });
    add(menu, "&Most interesting head", QKeySequence("Ctrl+M"), [this] {
        const HeadRef current = m_window.selection().current();
        const auto& all = m_window.models().all();
        if (!all.empty()) m_window.loader().selectInteresting(current.model >= 0 ? current.model : all.begin()->first);
    });
    add(menu, "Measure &data content...", QKeySequence("Ctrl+D"), [this] { m_window.offerMeasurement(); });
    add(menu, "Select the whole &layer", QKeySequence("Ctrl+L"), [this] { selectLayer(); });
    menu->addSeparator();
    QMenu* pinned = menu->addMenu("Go to pinned head");
    for (int i = 1; i <= 9; ++i) {
        add(pinned, QString("Pinned head %1").arg(i), QKeySequence(QString::number(i)),
            [this, i] { selectPinned(i - 1); });
    }
}

void WindowActions::stepHead(int by) {
    const HeadRef current = m_window.selection().current();
    const OpenModel* model = m_window.models().find(current.model);
    if (!model) return;
    const int count = model->card.layers * model->card.heads;
    if (count < 1) return;
    const int index = (current.id.layer * model->card.heads + current.id.head + by + count) % count;
    m_window.selection().select({current.model, {index / model->card.heads, index % model->card.heads}});
}

void WindowActions::selectLayer() {
    const HeadRef current = m_window.selection().current();
    const OpenModel* model = m_window.models().find(current.model);
    if (!model) return;
    std::vector<HeadRef> heads;
    for (int h = 0; h < model->card.heads; ++h) {
        if (h != current.id.head) heads.push_back({current.model, {current.id.layer, h}});
    }
    heads.push_back(current);
    m_window.selection().selectAll(heads);
}

void WindowActions::selectPinned(int index) {
    const auto& pinned = m_window.selection().pinned();
    if (index < static_cast<int>(pinned.size())) m_window.selection().select(pinned[static_cast<std::size_t>(index)]);
}

void WindowActions::buildGenerate() {
    QMenu* menu = m_window.menuBar()->addMenu("&Generate");
    GenerateView* view = m_window.panels().generate;
    add(menu, "&Generate", QKeySequence("G"), [view] { view->requestGenerate(); });
    add(menu, "&Cancel", QKeySequence("Esc"), [this] { escape(); });
    add(menu, "New &seed", QKeySequence("R"), [view] { view->rollSeed(); });
    menu->addSeparator();
    RunBar* run = m_window.panels().run;
    add(menu, "&Play or stop the steps", QKeySequence("Space"), [run] { run->togglePlay(); });
    add(menu, "Next s&tep", QKeySequence("."), [run] { run->stepBy(1); });
    add(menu, "Pre&vious step", QKeySequence(","), [run] { run->stepBy(-1); });
    menu->addSeparator();
    QAction* keep = add(menu, "&Keep finished pictures", {}, [] {});
    keep->setCheckable(true);
    keep->setToolTip(QString("The newest %1, with their recipes, in a folder (File menu)").arg(PictureStore::kMost));
    keep->setChecked(m_window.rememberedSession().keepPictures);
    connect(keep, &QAction::toggled, this, [this](bool keeps) {
        m_window.pictureStore().setKeeping(keeps);
        m_window.saveSoon();
    });
}

void WindowActions::escape() {
    if (m_window.generation().isRunning()) return m_window.panels().generate->requestCancel();
    if (m_window.panels().classify->isRunning()) return emit m_window.panels().classify->cancelRequested();
    m_window.panels().messages->clear();
    m_window.activeView()->messages().clear();
}

void WindowActions::buildTools() {
    QMenu* tools = m_window.menuBar()->addMenu("&Tools");
    add(tools, "&Find a command, head or model...", QKeySequence("Ctrl+K"), [this] { openPalette(); });
    add(tools, "&Restart engine", {}, [this] { m_window.engine().restart(); });
    QMenu* help = m_window.menuBar()->addMenu("Hel&p");
    add(help, "&Help on the active view", QKeySequence("F1"), [this] {
        const View* view = m_window.activeView();
        (new KeySheet(m_actions, &m_window, {view->title(), view->helpText()}))->show();
    });
    add(help, "&Keys", QKeySequence("?"), [this] { (new KeySheet(m_actions, &m_window))->show(); });
    add(help, "&About ropescope", {}, [this] {
        auto* about = new QMessageBox(&m_window);
        about->setAttribute(Qt::WA_DeleteOnClose);
        about->setModal(false);
        about->setWindowTitle("About ropescope");
        about->setText(
            QString("ropescope %1\n\nShows what the rotary encodings of an image transformer have learned, and "
                    "generates with it.\n\nThe window: GPL-3.0-or-later. The engine: Apache-2.0.")
                .arg(QApplication::applicationVersion()));
        about->show();
    });
}

void WindowActions::openPalette() {
    std::vector<PaletteEntry> entries;
    for (QAction* action : m_actions) {
        if (!action->isEnabled()) continue;
        entries.push_back({action->text().remove('&'), "command", action->shortcut().toString(QKeySequence::NativeText),
                           [action] { action->trigger(); }});
    }
    for (QDockWidget* dock : m_window.docks().all())
        entries.push_back({dock->windowTitle(), "view", {}, [this, dock] { m_window.goTo(dock); }});
    if (GenerateView* generate = m_window.panels().generate; generate->isVisible()) {
        for (const auto& [name, control] : generate->settings().named())
            entries.push_back({name, "setting", {}, [generate, control] { generate->showSetting(control); }});
    }
    for (const auto& [key, model] : m_window.models().all()) {
        entries.push_back(
            {QString::fromStdString(model.card.name), "model", {}, [this, key = key] { m_window.activateModel(key); }});
        for (int i = 0; i < model.card.layers * model.card.heads; ++i) {
            const HeadRef head{key, {i / model.card.heads, i % model.card.heads}};
            entries.push_back(
                {m_window.models().headName(head), "head", {}, [this, head] { m_window.selection().select(head); }});
        }
    }
    m_window.panels().palette->open(std::move(entries));
}

}  // namespace ropescope
