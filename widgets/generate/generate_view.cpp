// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/generate/generate_view.h"

#include <QDragEnterEvent>
#include <QHBoxLayout>
#include <QMimeData>
#include <QProgressBar>
#include <QPushButton>
#include <QScrollArea>
#include <QStackedLayout>
#include <QToolButton>
#include <QUrl>
#include <QVBoxLayout>
#include <utility>

#include "widgets/frame/elided_label.h"
#include "widgets/frame/message_bar.h"
#include "widgets/frame/plot_style.h"
#include "widgets/frame/preview_image.h"
#include "widgets/frame/run_text.h"
#include "widgets/frame/status_text.h"
#include "widgets/gallery/gallery.h"
#include "widgets/generate/generate_settings.h"
#include "widgets/state/runs.h"

namespace ropescope {
namespace {

constexpr int kFormWidth = 424;

/// The one PNG file that is dragged; empty otherwise.
QString droppedPicture(const QMimeData* data) {
    const QList<QUrl> urls = data->urls();
    const QString path = urls.size() == 1 && urls.first().isLocalFile() ? urls.first().toLocalFile() : QString();
    return path.endsWith(QStringLiteral(".png"), Qt::CaseInsensitive) ? path : QString();
}

}  // namespace

GenerateView::GenerateView(OpenModels& models, Runs& runs, QWidget* parent)
    : QWidget(parent),
      m_models(models),
      m_runs(runs),
      m_settings(new GenerateSettings(models, this)),
      m_generate(new QPushButton(tr("Generate"), this)),
      m_preview(new PreviewImage(this)),
      m_pictureName(new ElidedLabel(this, Qt::ElideMiddle)),
      m_progress(new QProgressBar(this)),
      m_status(new StatusText(this)),
      m_gallery(new Gallery(this)),
      m_messages(new MessageBar(this)) {
    buildLayout();
    setAcceptDrops(true);
    connectSignals();
    setRunning(false);
    showPicture();
}

void GenerateView::buildLayout() {
    m_generate->setDefault(true);
    m_generate->setMinimumWidth(fontMetrics().horizontalAdvance(tr("Generate")) + 40);
    m_preview->setCaption(tr("The picture appears here while it is made"));
    m_preview->setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Expanding);
    m_progress->setTextVisible(false);
    m_progress->setFixedHeight(4);
    auto* doing = new QHBoxLayout;
    doing->setSpacing(12);
    doing->addWidget(m_generate);
    doing->addWidget(m_status, 1);
    auto* form = new QWidget(this);
    form->setFixedWidth(kFormWidth);
    auto* left = new QVBoxLayout(form);
    left->setContentsMargins(0, 0, 0, 0);
    left->setSpacing(4);
    left->addWidget(m_settings);
    left->addLayout(doing);
    left->addWidget(m_progress);
    left->addStretch();
    QSizePolicy kept = m_progress->sizePolicy();
    kept.setRetainSizeWhenHidden(true);
    m_progress->setSizePolicy(kept);
    auto* more = new QScrollArea(this);
    more->setWidget(m_settings->morePanel());
    more->setWidgetResizable(true);
    more->setFrameShape(QFrame::NoFrame);
    auto* side = new QWidget(this);
    m_right = new QStackedLayout(side);
    m_right->addWidget(m_gallery);
    m_right->addWidget(more);
    m_messages->floatOver(side);
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(8, 4, 8, 4);
    layout->setSpacing(12);
    layout->addWidget(form);
    auto* picture = new QVBoxLayout;
    picture->setSpacing(2);
    picture->addWidget(m_preview, 1);
    picture->addWidget(m_pictureName);
    m_pictureName->setAlignment(Qt::AlignCenter);
    m_pictureName->setForegroundRole(QPalette::PlaceholderText);
    layout->addLayout(picture);
    layout->addWidget(side, 1);
}

void GenerateView::connectSignals() {
    connect(m_generate, &QPushButton::clicked, this, [this] { m_running ? requestCancel() : requestGenerate(); });
    connect(m_settings->moreButton(), &QToolButton::toggled, this,
            [this](bool more) { m_right->setCurrentIndex(more ? 1 : 0); });
    connect(m_settings, &GenerateSettings::entered, this, &GenerateView::requestGenerate);
    connect(m_settings, &GenerateSettings::obstacleChanged, this, &GenerateView::showButton);
    connect(m_gallery, &Gallery::restoreRequested, this,
            [this](int row) { emit settingsWanted(m_gallery->picture(row).request); });
    connect(m_gallery, &Gallery::notice, this, [this](const QString& text) { m_messages->showNote(text); });
    connect(m_gallery, &Gallery::deleted, this, [this](const QString& text) {
        m_messages->showNote(text, withAction(tr("Undo"), [this] { m_gallery->undoDelete(); }));
    });
    connect(&m_runs, &Runs::selected, this, [this] {
        m_gallery->setCurrentRun(m_runs.current() == nullptr ? -1 : m_runs.current()->key);
        if (!m_running) m_status->say({});  // it was about another picture
        showButton();
        showPicture();
    });
    connect(&m_runs, &Runs::changed, this, &GenerateView::showPicture);
    connect(&m_runs, &Runs::stepChanged, this, &GenerateView::showPicture);
    connect(&m_models, &OpenModels::modelsChanged, this, [this] {
        if (m_models.find(model()) != nullptr) return;
        setModel(m_models.all().empty() ? -1 : m_models.all().begin()->first);
    });
}

void GenerateView::setModel(int model) {
    m_settings->setModel(model);
    m_messages->setCurrentModel(model);
    if (!m_running) m_status->say({});
    showButton();
}

int GenerateView::model() const {
    return m_settings->model();
}

GenerateRequest GenerateView::request() const {
    GenerateRequest request = m_settings->request();
    request.compute.device = m_device;
    return request;
}

void GenerateView::restore(const GenerateRequest& request) {
    m_settings->restore(request);
}

void GenerateView::undoRestore() {
    m_settings->undoRestore();
    m_messages->clearCause(QLatin1String(kRestored));
}

void GenerateView::setDevice(const std::string& device) {
    m_device = device;
}

void GenerateView::requestGenerate() {
    if (m_running || !m_generate->isEnabled()) return;
    m_messages->clear();
    emit generateRequested(request());
}

void GenerateView::requestCancel() {
    if (!m_running || !m_generate->isEnabled()) return;
    m_generate->setEnabled(false);
    m_status->say(tr("Cancelling ..."));
    emit cancelRequested();
}

void GenerateView::rollSeed() {
    m_settings->rollSeed();
}

void GenerateView::start(int steps) {
    m_settings->moreButton()->setChecked(false);  // the run is what matters now
    m_progress->setRange(0, steps);
    m_progress->setValue(0);
    m_status->say(tr("Starting, %1 steps").arg(steps));
    setRunning(true);
}

void GenerateView::showProgress(const GenerateProgress& progress) {
    m_progress->setRange(0, progress.steps);
    m_progress->setValue(progress.step);
    m_status->say(tr("Step %1 of %2  \u00b7  %3 s left  \u00b7  %4 s per step")
                      .arg(progress.step)
                      .arg(progress.steps)
                      .arg(progress.secondsLeft, 0, 'f', 1)
                      .arg(shortNumber(progress.secondsPerStep)));
}

void GenerateView::showWords(const QString& words) {
    if (m_running) m_status->say(words);
}

void GenerateView::finish(const GenerateResult& result) {
    QString text = tr("Done in %1 s").arg(shortNumber(result.seconds));
    for (const std::string& part : {result.device, result.note}) {
        if (!part.empty()) text += QStringLiteral("  \u00b7  ") + QString::fromStdString(part);
    }
    m_status->say(text);
    setRunning(false);
}

void GenerateView::cancelled() {
    m_status->say(tr("Cancelled after step %1 of %2").arg(m_progress->value()).arg(m_progress->maximum()));
    setRunning(false);
}

void GenerateView::fail(const Error& error) {
    m_status->say({});
    setRunning(false);
    m_messages->showError(error, ofModel(model()));
}

QString GenerateView::obstacle() const {
    const OpenModel* open = m_models.find(model());
    if (open == nullptr) return tr("Open a model that makes pictures");
    if (!open->runs()) return tr("%1 cannot be run: %2").arg(open->name(), problemOf(open->card));
    if (open->makesPictures()) return m_settings->obstacle();
    return open->card.objective == "classify"
               ? tr("%1 classifies; open a model that generates").arg(open->name())
               : tr("This %1 makes no pictures by itself").arg(QString::fromStdString(open->card.architecture));
}

void GenerateView::setRunning(bool running) {
    m_running = running;
    m_progress->setVisible(running);
    showButton();
}

void GenerateView::showButton() {
    const QString why = obstacle();
    m_generate->setText(m_running ? tr("Cancel") : tr("Generate"));
    m_generate->setEnabled(m_running || why.isEmpty());
    m_generate->setToolTip(m_running       ? tr("End this run; what was seen of it stays (Esc)")
                           : why.isEmpty() ? tr("Make the picture (G)")
                                           : plainTip(why));
    if (m_running) return;
    if (!std::exchange(m_obstacle, why).isEmpty() && why.isEmpty()) m_status->say({});
    const OpenModel* open = m_models.find(model());
    if (!why.isEmpty())
        m_status->say(open != nullptr && !open->runs() ? tr("Cannot be run; its card says why") : why);
    else if (m_status->said().isEmpty() || !open->makesPictures())
        m_status->say(open->takesText() ? tr("Ready: write a prompt and press Generate")
                                        : tr("Ready: choose a class and press Generate"));
}

void GenerateView::showPicture() {
    const Run* run = m_runs.current();
    m_preview->setImage(run == nullptr ? QImage() : run->pictureAt(m_runs.step()));
    m_pictureName->say(run == nullptr ? QString() : runName(*run));
}

void GenerateView::showSetting(QWidget* control) {
    m_settings->moreButton()->setChecked(m_settings->isFurther(control));
    if (auto* area = qobject_cast<QScrollArea*>(m_right->widget(1)); m_settings->isFurther(control))
        area->ensureWidgetVisible(control);
    control->setFocus(Qt::ShortcutFocusReason);
}

QImage GenerateView::shownImage() const {
    return m_preview->image();
}

QString GenerateView::statusText() const {
    return m_status->said();
}

void GenerateView::dragEnterEvent(QDragEnterEvent* event) {
    if (m_gallery->startedDrag(*event) || !droppedPicture(event->mimeData()).isEmpty()) event->acceptProposedAction();
}

void GenerateView::dropEvent(QDropEvent* event) {
    if (!m_gallery->startedDrag(*event)) return emit pictureDropped(droppedPicture(event->mimeData()));
    if (m_gallery->currentRow() >= 0) emit settingsWanted(m_gallery->picture(m_gallery->currentRow()).request);
}

}  // namespace ropescope
