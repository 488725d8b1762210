// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/main_window.h"

#include <QApplication>
#include <QComboBox>
#include <QDockWidget>
#include <QFileDialog>
#include <QFileInfo>
#include <QLabel>
#include <QScreen>
#include <QStackedWidget>
#include <QStatusBar>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "app/ask_bar.h"
#include "app/command_palette.h"
#include "app/engine_status.h"
#include "app/overlay_stack.h"
#include "app/resources.h"
#include "app/window_actions.h"
#include "widgets/atlas/atlas_view.h"
#include "widgets/attention/attention_view.h"
#include "widgets/classify/classify_view.h"
#include "widgets/compare/compare_view.h"
#include "widgets/fields/fields_view.h"
#include "widgets/frame/message_bar.h"
#include "widgets/gallery/gallery.h"
#include "widgets/generate/changes_line.h"
#include "widgets/generate/generate_settings.h"
#include "widgets/generate/generate_view.h"
#include "widgets/generate/run_bar.h"
#include "widgets/heads/head_panel.h"
#include "widgets/measure/measure_bar.h"
#include "widgets/models/model_tree.h"
#include "widgets/tensors/tensors_view.h"

namespace ropescope {
namespace {

constexpr int kStaleMs = 100;  // an answer that takes longer is seen to be awaited
constexpr int kSessionMs = 1500;
constexpr int kHeadPanelWidth = 264;  // the longest name of a number and its value
constexpr int kTreeWidth = 224;
constexpr QSize kFrame(8, 40);  // what a window manager puts around, before it is known

}  // namespace

MainWindow::MainWindow(const WindowOptions& options)
    : m_sessionFile(options.sessionFile),
      m_engine(std::make_unique<EngineClient>(options.engine)),
      m_models(std::make_unique<OpenModels>()),
      m_selection(std::make_unique<Selection>()),
      m_runs(std::make_unique<Runs>()),
      m_measured(options.keepFolder.isEmpty() ? QString() : keptMeasurementsFolder()) {
    m_engine->start();  // it gets ready while the window is built
    LoadedSession loaded = loadSession(m_sessionFile);
    m_session = std::move(loaded.session);
    setObjectName("mainWindow");
    setAcceptDrops(true);
    resize(QSize(1440, 900).boundedTo(screen()->availableSize() - kFrame));
    m_loader = std::make_unique<ModelLoader>(*m_engine, *m_models, *m_selection);
    buildPanels();
    m_variations = std::make_unique<Variations>(*m_models);
    m_generation =
        std::make_unique<Generation>(*m_engine, *m_models, *m_selection, *m_runs, *m_variations, *m_panels.generate);
    m_pictureStore = std::make_unique<PictureStore>(*m_engine, options.keepFolder);
    m_attention = std::make_unique<AttentionProbe>(*m_engine, *m_generation, *m_panels.view<AttentionView>());
    m_dataJobs = std::make_unique<DataJobs>(*m_engine, *m_models, *m_selection, *m_panels.generate, *m_panels.measure,
                                            *m_panels.view<CompareView>());
    m_classification =
        std::make_unique<Classification>(*m_engine, *m_models, *m_selection, *m_runs, *m_panels.classify);
    buildDocks();
    buildStatusBar();
    new WindowActions(*this);  // a child of the window
    connectLoader();
    connectEngine();
    connectViews();
    connectVariations();
    if (!loaded.note.isEmpty()) m_panels.messages->showNote(loaded.note);
    restore(options.files);
}

MainWindow::~MainWindow() {
    m_engine.reset();
    for (QDockWidget* dock : m_docks.all()) delete dock;  // views before what they show
}

void MainWindow::buildPanels() {
    for (const ViewRow& row : viewTable()) m_panels.views.push_back(row.make(*m_models, *m_selection, *m_runs));
    m_panels.messages = new MessageBar(this);
    m_panels.questions = new AskBar(this);
    m_panels.measure = new MeasureBar(this);
    m_panels.run = new RunBar(*m_runs, this);
    m_panels.changes = new ChangesLine(*m_models, this);
    m_panels.generate = new GenerateView(*m_models, *m_runs);
    m_panels.classify = new ClassifyView(*m_models, *m_selection);
    m_panels.head = new HeadPanel(*m_models, *m_selection);
    m_panels.tree = new ModelTree(*m_models, *m_selection);
    m_panels.status = new EngineStatus(*m_engine, this);
    m_panels.palette = new CommandPalette(this);
    m_panels.head->setMinimumWidth(kHeadPanelWidth);
    m_panels.tree->setMinimumWidth(kTreeWidth);
}

void MainWindow::buildDocks() {
    auto* middle = new QWidget(this);
    auto* column = new QVBoxLayout(middle);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* centre = new QMainWindow(middle);
    centre->setWindowFlags(Qt::Widget);  // its constructor always asks for a window of its own
    column->addWidget(centre, 1);
    auto* below = new QHBoxLayout;
    below->setSpacing(0);
    below->addWidget(m_panels.run, 1);
    below->addWidget(m_panels.changes);
    column->addLayout(below);
    setCentralWidget(middle);
    auto* overlay = new OverlayStack(centre);
    for (QWidget* bar : std::initializer_list<QWidget*>{m_panels.measure, m_panels.questions, m_panels.messages})
        overlay->add(bar);
    for (QMainWindow* window : {static_cast<QMainWindow*>(this), centre}) {
        window->setDockOptions(QMainWindow::AllowNestedDocks | QMainWindow::AllowTabbedDocks);
        window->setTabPosition(Qt::AllDockWidgetAreas, QTabWidget::North);
    }
    m_docks.window = this;
    m_docks.centre = centre;
    m_docks.models = makeDock("modelsDock", "Models", m_panels.tree, this);
    m_docks.head = makeDock("headDock", "Heads", m_panels.head, this);
    m_maker = new QStackedWidget(this);
    m_maker->addWidget(m_panels.generate);
    m_maker->addWidget(m_panels.classify);
    m_docks.generate = makeDock("generateDock", "Generate", m_maker, this);
    for (std::size_t i = 0; i < m_panels.views.size(); ++i) {
        View* view = m_panels.views[i];
        m_docks.views.append(makeDock(QString("%1Dock").arg(viewTable()[i].key), view->title(), view, centre));
    }
    followTabs(m_docks);
    connect(centre, &QMainWindow::tabifiedDockWidgetActivated, this, [this](QDockWidget* dock) {
        if (auto* view = qobject_cast<View*>(dock->widget())) setActiveView(view);
    });
}

void MainWindow::buildStatusBar() {
    m_job = new QLabel(this);
    m_job->setMinimumWidth(fontMetrics().horizontalAdvance("making a picture: step 100 of 100"));
    m_speed = new QLabel(this);
    m_cancelJob = new QToolButton(this);
    m_cancelJob->setText("\u00D7");
    m_cancelJob->setToolTip("Cancel (Esc)");
    m_cancelJob->setAutoRaise(true);
    m_cancelJob->hide();
    statusBar()->addWidget(m_job);
    statusBar()->addWidget(m_cancelJob);
    statusBar()->addPermanentWidget(m_speed);
    connect(m_cancelJob, &QToolButton::clicked, m_generation.get(), &Generation::cancel);
}

void MainWindow::connectLoader() {
    connect(m_loader.get(), &ModelLoader::opened, this, &MainWindow::onOpened);
    connect(m_loader.get(), &ModelLoader::atlasArrived, this, &MainWindow::onAtlas);
    connect(m_loader.get(), &ModelLoader::answerNeeded, this, &MainWindow::askBeforeOpening);
    connect(m_loader.get(), &ModelLoader::closed, m_panels.questions, &AskBar::withdraw);
    connect(m_loader.get(), &ModelLoader::closed, this, [this](int model) {
        m_runs->closeModel(model);
        m_panels.messages->setCurrentModel(currentModel());
        statusBar()->clearMessage();
    });
    connect(m_loader.get(), &ModelLoader::unanswered, this, &MainWindow::openedOrNot);
    connect(m_loader.get(), &ModelLoader::refused, this, [this](const QString& path, const Error& error) {
        openedOrNot(path.toStdString());
        m_panels.messages->showError(error, causedBy(kOpeningCause));
        m_generation->modelRefused(path);
        dropFromSession(path.toStdString());
        updateJobLine();
        // Nothing at all open: the model that comes with the program is better than an empty window.
        const QStringList shipped = shippedModels();
        if (m_models->all().empty() && m_opening.isEmpty() && !shipped.isEmpty()) openFiles({shipped.first()});
    });
    connect(m_loader.get(), &ModelLoader::atlasFailed, this, [this](int model, const Error& error) {
        m_panels.view<AtlasView>()->messages().showError(error, ofModel(model));
        if (const OpenModel* open = m_models->find(model)) dropFromSession(open->ref.path);
    });
    connect(m_loader.get(), &ModelLoader::headsAsked, this, [this](int count) {
        m_headsAsked = count;
        m_stale.start();
    });
    const auto settled = [this] {
        m_headsAsked = 0;
        m_stale.stop();
        setViewsStale(false);
        updateJobLine();
    };
    connect(m_loader.get(), &ModelLoader::headsArrived, this, settled);
    connect(m_loader.get(), &ModelLoader::headsFailed, this, [this, settled](const Error& error) {
        settled();
        m_panels.messages->showError(error, ofModel(currentModel()));
    });
    auto* fields = m_panels.view<FieldsView>();
    connect(fields, &FieldsView::scaledRequested, m_loader.get(), &ModelLoader::askScaled);
    connect(m_loader.get(), &ModelLoader::scaledArrived, fields, &FieldsView::takeScaled);
    connect(m_loader.get(), &ModelLoader::scaledFailed, this,
            [this, fields](const Error& error) { fields->messages().showError(error, ofModel(currentModel())); });
    m_stale.setSingleShot(true);
    m_stale.setInterval(kStaleMs);
    connect(&m_stale, &QTimer::timeout, this, [this] {
        setViewsStale(true);
        updateJobLine();
    });
}

void MainWindow::connectEngine() {
    connect(m_engine.get(), &EngineClient::died, this, [this](const QString& message, bool restarts) {
        m_panels.messages->showError(
            restarts ? message + ". It is being started again; what was open stays open." : message, message,
            causedBy(restarts ? kEngineCause : ""));
        m_obituary = restarts ? message : QString();
    });
    connect(m_engine.get(), &EngineClient::ready, this, [this] {
        m_panels.messages->clearCause(kEngineCause);
        const QString message = std::exchange(m_obituary, {});
        if (!message.isEmpty())
            m_panels.messages->showNote(message + ". It is running again; what was open stays open.");
    });
    connect(m_engine.get(), &EngineClient::hangs, this, [this](const QString& message) {
        if (!m_panels.questions->text().isEmpty()) return;
        m_panels.questions->ask({message + ".", {"Wait", "Restart the engine"}, [this](int answer) {
                                     if (answer == 1) m_engine->restart();
                                 }});
    });
    connect(m_panels.status, &EngineStatus::deviceChanged, m_generation.get(), &Generation::setDevice);
    connect(m_panels.status, &EngineStatus::deviceChanged, m_dataJobs.get(), &DataJobs::setDevice);
    connect(m_panels.status, &EngineStatus::deviceChanged, m_classification.get(), &Classification::setDevice);
    connect(m_panels.status, &EngineStatus::deviceChanged, this, &MainWindow::saveSoon);
    connect(m_generation.get(), &Generation::runningChanged, this, [this](bool running) {
        m_cancelJob->setVisible(running);
        if (!running) showCurrentModel();  // another one may have been selected meanwhile
        updateJobLine();
        saveSoon();
    });
    connect(m_generation.get(), &Generation::finished, m_pictureStore.get(), &PictureStore::keep);
    connect(m_pictureStore.get(), &PictureStore::kept, &m_panels.generate->gallery(), &Gallery::setFile);
    connect(m_pictureStore.get(), &PictureStore::pruned, &m_panels.generate->gallery(), &Gallery::forget);
    connect(m_pictureStore.get(), &PictureStore::failed, this,
            [this](const Error& error) { m_panels.messages->showError(error); });
    connect(m_generation.get(), &Generation::progressed, this, [this](const GenerateProgress& progress) {
        m_speed->setText(QString("step %1 s").arg(progress.secondsPerStep, 0, 'g', 2));
        m_job->setText(QString("making a picture: step %1 of %2").arg(progress.step).arg(progress.steps));
    });
}

void MainWindow::connectViews() {
    const std::span<const ViewRow> table = viewTable();
    for (std::size_t i = 0; i < m_panels.views.size(); ++i) {
        View* view = m_panels.views[i];
        connect(view, &View::exportRequested, this,
                [this, view](FigureFormat preferred) { exportFigure(view, preferred); });
        connect(view, &View::copied, this,
                [view](const QString& what) { view->messages().showNote(QString("Copied %1.").arg(what)); });
        connect(view, &View::hovered, this, [this](const QString& text) { statusBar()->showMessage(text); });
        connect(view, &View::measureRequested, this, &MainWindow::offerMeasurement);
        connect(view, &View::emptyActionRequested, this, [this, row = table[i]] { fillEmptyView(row); });
        connect(m_docks.views[static_cast<qsizetype>(i)], &QDockWidget::visibilityChanged, this,
                &MainWindow::followVisibleView, Qt::QueuedConnection);
    }
    connect(m_panels.measure, &MeasureBar::measureRequested, this, [this] { m_active->setFocus(); });
    connect(m_panels.head, &HeadPanel::measureRequested, this, &MainWindow::offerMeasurement);
    connect(m_panels.run, &RunBar::againRequested, m_generation.get(), &Generation::runAgain);
    connect(m_panels.run, &RunBar::decodeRequested, m_generation.get(), &Generation::decode);
    Gallery* gallery = &m_panels.generate->gallery();
    connect(gallery, &Gallery::saveRequested, this, &MainWindow::savePicture);
    connect(gallery, &Gallery::attentionRequested, this, &MainWindow::showPictureOf);
    connect(&m_panels.generate->settings(), &GenerateSettings::adapterRequested, this, &MainWindow::openWithAdapter);
    connect(m_generation.get(), &Generation::modelWanted, this, [this](const ModelRef& ref) {
        opening(ref.path);
        m_loader->open(ref);
    });
    connect(m_panels.tree, &ModelTree::filesDropped, this, &MainWindow::openFiles);
    connect(m_panels.tree, &ModelTree::openRequested, this, &MainWindow::openWithDialog);
    connect(m_panels.tree, &ModelTree::closeRequested, m_loader.get(), &ModelLoader::close);
    connect(m_panels.tree, &ModelTree::modelActivated, this, &MainWindow::activateModel);
    connect(m_panels.tree, &ModelTree::problemActivated, this, [this](int model) {
        activateModel(model);
        tellState(model);
    });
    connect(m_panels.tree, &ModelTree::weightsRequested, this, &MainWindow::openWithWeights);
    connect(m_panels.tree, &ModelTree::waiveRequested, this, &MainWindow::openWithoutUnused);
    connect(m_panels.tree, &ModelTree::answersForgotten, this, [this](int model) {
        if (const OpenModel* open = m_models->find(model)) opening(open->ref.path);
        m_loader->forgetAnswers(model);
    });
    connect(m_generation.get(), &Generation::timeWanted, this, &MainWindow::tellState);
    auto* tensors = m_panels.view<TensorsView>();
    connect(tensors, &TensorsView::tensorsRequested, this, [this, tensors](const TensorsRequest& request) {
        m_engine->request(request, request.tensor.empty() ? "tensors" : "tensor values",
                          [view = tensors, request](const Result<Reply>& reply) {
                              if (reply) return view->take(request, std::get<TensorsReport>(*reply));
                              if (reply.error().kind != ErrorKind::Cancelled) view->fail(request, reply.error());
                          });
    });
    connect(m_selection.get(), &Selection::changed, this, [this] {
        m_chosenModel = -1;
        showCurrentModel();
    });
    connect(m_models.get(), &OpenModels::modelsChanged, this, &MainWindow::showCurrentModel);
    m_saveSession.setSingleShot(true);
    m_saveSession.setInterval(kSessionMs);
    connect(&m_saveSession, &QTimer::timeout, this, [this] { saveSession(m_sessionFile, currentSession()); });
    connect(m_dataJobs.get(), &DataJobs::measured, this, [this](int model) {
        const OpenModel* open = m_models->find(model);
        const QString problem = open ? m_measured.keep(open->ref, *open->calibration) : QString();
        if (!problem.isEmpty()) m_panels.messages->showNote(QString("The measurement is not kept: %1").arg(problem));
    });
    connect(qApp, &QApplication::focusChanged, this, [this](QWidget*, QWidget* now) {
        for (QWidget* widget = now; widget; widget = widget->parentWidget()) {
            if (auto* view = qobject_cast<View*>(widget)) return setActiveView(view);
        }
    });
    qApp->installEventFilter(this);
    setActiveView(m_panels.view<FieldsView>());
}

/// Any press inside a view makes it the active one.
bool MainWindow::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::MouseButtonPress && watched->isWidgetType()) {
        for (auto* widget = static_cast<QWidget*>(watched); widget; widget = widget->parentWidget()) {
            if (auto* view = qobject_cast<View*>(widget); view && std::ranges::count(m_panels.views, view) > 0) {
                setActiveView(view);
                break;
            }
        }
    }
    return QMainWindow::eventFilter(watched, event);
}

void MainWindow::setActiveView(View* view) {
    m_active = view;
    for (View* other : m_panels.views) other->setActive(other == view);
}

/// The active view can be seen: where it is hidden by another tab, one that can be seen takes its place.
void MainWindow::followVisibleView() {
    saveSoon();
    const auto seen = [](const View* view) { return view->isVisible() && !view->visibleRegion().isEmpty(); };
    if (m_active && seen(m_active)) return;
    for (View* view : m_panels.views)
        if (seen(view)) return setActiveView(view);
}

void MainWindow::goTo(QDockWidget* dock) {
    dock->show();
    dock->raise();
    if (auto* view = qobject_cast<View*>(dock->widget())) setActiveView(view);
    dock->widget()->setFocus(Qt::ShortcutFocusReason);
}

void MainWindow::fillEmptyView(const ViewRow& row) {
    // Of the heads that the view is about; a file without heads may be the current one.
    const int selected = m_selection->current().model, model = m_models->find(selected) ? selected : currentModel();
    const OpenModel* open = m_models->find(model);
    const Run* run = m_runs->current();
    if (row.needs == ViewNeeds::Picture && run && !m_models->find(run->model)) return m_generation->runAgain(run->key);
    if (!open) return openWithDialog();
    if (row.needs == ViewNeeds::Model) return m_loader->selectInteresting(m_models->all().begin()->first);
    if (!open->runs()) return tellState(model);
    showMakerOf(model);
    if (open->card.objective == "classify") return m_panels.classify->openWithDialog();
    if (m_panels.generate->model() != model) m_panels.generate->setModel(model);
    m_panels.generate->requestGenerate();
}

void MainWindow::showPictureOf(int row) {
    m_generation->showPicture(row);
    goTo(m_docks.of(m_panels.view<AttentionView>()));
}

int MainWindow::currentModel() const {
    for (const int model : {m_chosenModel, m_selection->current().model})
        if (m_models->find(model)) return model;
    return m_models->all().empty() ? -1 : m_models->all().begin()->first;
}

void MainWindow::offerMeasurement() {
    m_dataJobs->offerMeasurement(currentModel());
}

void MainWindow::showMakerOf(int model) {
    const OpenModel* open = m_models->find(model);
    const bool classifies = open && open->card.objective == "classify";
    m_maker->setCurrentWidget(classifies ? static_cast<QWidget*>(m_panels.classify) : m_panels.generate);
    const QString doing = classifies ? "Classify" : "Generate";
    m_docks.generate->setWindowTitle(open ? QString("%1 with %2").arg(doing, open->name()) : doing);
    if (classifies) m_panels.classify->setModel(model);
}

void MainWindow::showCurrentModel() {
    const int model = currentModel();
    const OpenModel* open = m_models->find(model);
    setWindowTitle(open ? QString("%1 \u2014 ropescope").arg(QString::fromStdString(open->card.name)) : "ropescope");
    if (!m_generation->isRunning() && m_panels.generate->model() != model) m_panels.generate->setModel(model);
    if (!open) m_speed->clear();
    showMakerOf(model);
    m_panels.view<TensorsView>()->setModel(model);
    m_panels.changes->setModel(model);
    m_panels.messages->setCurrentModel(model);
    for (View* view : m_panels.views) view->messages().setCurrentModel(model);
    updateCommandLines();
    saveSoon();
}

}  // namespace ropescope
