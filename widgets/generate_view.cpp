// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/generate_view.h"

#include <QDragEnterEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QMimeData>
#include <QProgressBar>
#include <QPushButton>
#include <QSlider>
#include <QStackedLayout>
#include <QToolButton>
#include <QUrl>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "widgets/elided_label.h"
#include "widgets/flow_layout.h"
#include "widgets/gallery.h"
#include "widgets/generate_settings.h"
#include "widgets/kept_settings.h"
#include "widgets/message_bar.h"
#include "widgets/plot_style.h"
#include "widgets/preview_image.h"

namespace ropescope {
namespace {

/// The one PNG file that is dragged; empty otherwise.
QString droppedPicture(const QMimeData* data) {
    const QList<QUrl> urls = data->urls();
    const QString path = urls.size() == 1 && urls.first().isLocalFile() ? urls.first().toLocalFile() : QString();
    return path.endsWith(QStringLiteral(".png"), Qt::CaseInsensitive) ? path : QString();
}

}  // namespace

GenerateView::GenerateView(OpenModels& models, QWidget* parent)
    : QWidget(parent),
      m_models(models),
      m_settings(new GenerateSettings(models, this)),
      m_stage(new QWidget(this)),
      m_generate(new QPushButton(tr("Generate"), this)),
      m_cancel(new QPushButton(tr("Cancel"), this)),
      m_preview(new PreviewImage(this)),
      m_progress(new QProgressBar(this)),
      m_status(new ElidedLabel(this)),
      m_timeline(new QSlider(Qt::Horizontal, this)),
      m_timelineText(new QLabel(this)),
      m_decode(new QToolButton(this)),
      m_gallery(new Gallery(this)),
      m_messages(new MessageBar(this)) {
    m_generate->setDefault(true);
    m_settings->row().addWidget(m_generate);
    m_settings->row().addWidget(m_cancel);
    buildStage();
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->setSpacing(8);
    layout->addWidget(m_settings);
    layout->addWidget(m_stage, 1);
    setAcceptDrops(true);
    connectSignals();
    setRunning(false);
}

void GenerateView::buildStage() {
    m_preview->setCaption(tr("The picture appears here while it is made"));
    m_progress->setTextVisible(false);
    m_progress->setFixedHeight(6);
    m_timeline->setToolTip(tr("Sampling steps of the last run: the picture and the measured fields follow"));
    auto* timeline = new QHBoxLayout;
    timeline->setSpacing(8);
    m_timelineText->setMinimumWidth(fontMetrics().horizontalAdvance(tr("after step 888 of 888")));
    timeline->addWidget(m_timeline, 1);
    timeline->addWidget(m_timelineText);
    timeline->addWidget(m_decode);
    m_decode->setText(tr("Decode"));
    m_decode->setToolTip(tr("What this step saw, through the autoencoder; previews are linear"));
    auto* run = new QWidget(m_stage);
    auto* right = new QVBoxLayout(run);
    right->setContentsMargins(0, 0, 0, 0);
    right->setSpacing(4);
    right->addWidget(m_status);
    right->addWidget(m_progress);
    right->addLayout(timeline);
    right->addWidget(m_gallery, 1);
    auto* layout = new QHBoxLayout(m_stage);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(16);
    layout->addWidget(m_preview);
    m_right = new QStackedLayout;
    m_right->addWidget(run);
    m_right->addWidget(m_settings->morePanel());
    auto* side = new QVBoxLayout;  // a message takes its room from the gallery, not from the settings above
    side->setSpacing(4);
    side->addWidget(m_messages);
    side->addLayout(m_right, 1);
    layout->addLayout(side, 1);
    m_gallery->setMinimumHeight(1);
    m_preview->setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Expanding);
    m_timeline->setEnabled(false);
}

void GenerateView::connectSignals() {
    connect(m_generate, &QPushButton::clicked, this, &GenerateView::requestGenerate);
    connect(m_cancel, &QPushButton::clicked, this, &GenerateView::requestCancel);
    connect(m_settings->moreButton(), &QToolButton::toggled, this,
            [this](bool more) { m_right->setCurrentIndex(more ? 1 : 0); });
    connect(m_settings, &GenerateSettings::entered, this, &GenerateView::requestGenerate);
    connect(m_timeline, &QSlider::valueChanged, this, &GenerateView::showStep);
    connect(m_decode, &QToolButton::clicked, this, [this] {
        m_messages->clear();
        m_decode->setEnabled(false);
        m_status->say(tr("Decoding step %1 ...").arg(m_timeline->value() + 1));
        emit decodeRequested(m_timeline->value());
    });
    connect(m_gallery, &Gallery::shown, this, &GenerateView::showEntry);
    connect(m_gallery, &Gallery::restoreRequested, this,
            [this](int row) { emit settingsWanted(m_gallery->request(row)); });
    connect(m_gallery, &Gallery::saveRequested, this, [this](int row) { emit saveRequested(m_gallery->image(row)); });
    connect(&m_models, &OpenModels::modelsChanged, this, [this] {
        if (m_models.find(model()) != nullptr) return;
        setModel(m_models.all().empty() ? -1 : m_models.all().begin()->first);
    });
}

void GenerateView::setModel(int model) {
    m_settings->setModel(model);
    setRunning(m_running);
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

void GenerateView::setDevice(const std::string& device) {
    m_device = device;
}

void GenerateView::requestGenerate() {
    if (!m_generate->isEnabled()) return;
    m_messages->clear();
    emit generateRequested(request());
}

void GenerateView::requestCancel() {
    if (!m_running) return;
    m_cancel->setEnabled(false);
    m_status->say(tr("Cancelling ..."));
    emit cancelRequested();
}

void GenerateView::rollSeed() {
    m_settings->rollSeed();
}

void GenerateView::start(int steps) {
    m_fresh = true;
    m_settings->moreButton()->setChecked(false);  // the run is what matters now
    m_progress->setRange(0, steps);
    m_progress->setValue(0);
    m_status->say(tr("Starting, %1 steps").arg(steps));
    setRunning(true);
}

/// What the run before left stays until this one has something in its place.
void GenerateView::beginSteps() {
    if (!std::exchange(m_fresh, false)) return;
    m_steps.clear(), m_decoded.clear();
    const OpenModel* open = m_models.find(model());
    m_latents = open != nullptr && drawsLatents(*open);
    const QSignalBlocker block(m_timeline);
    m_timeline->setRange(0, 0);
    m_timelineText->clear();
    m_timeline->setEnabled(false);
}

void GenerateView::showProgress(const GenerateProgress& progress) {
    m_progress->setRange(0, progress.steps);
    m_progress->setValue(progress.step);
    m_status->say(tr("Step %1 of %2  \u00b7  %3 s left  \u00b7  %4 s per step")
                      .arg(progress.step)
                      .arg(progress.steps)
                      .arg(progress.secondsLeft, 0, 'f', 1)
                      .arg(shortNumber(progress.secondsPerStep)));
    const QImage preview = imageOf(progress.preview);
    if (preview.isNull() || progress.step < 1) return;
    beginSteps();
    const bool follows = m_timeline->value() == m_timeline->maximum();
    m_steps.resize(std::max<std::size_t>(m_steps.size(), progress.step));
    m_steps[progress.step - 1] = preview;
    const QSignalBlocker block(m_timeline);
    m_timeline->setRange(0, static_cast<int>(m_steps.size()) - 1);
    m_timeline->setEnabled(m_steps.size() > 1);
    if (!follows) return;
    m_timeline->setValue(m_timeline->maximum());
    m_preview->setImage(preview);
    m_timelineText->setText(tr("after step %1 of %2").arg(progress.step).arg(progress.steps));
}

void GenerateView::showWords(const QString& words) {
    if (m_running) m_status->say(words);
}

void GenerateView::finish(const GenerateRequest& request, const GenerateResult& result) {
    setRunning(false);
    m_progress->setValue(m_progress->maximum());
    QString text = tr("Done in %1 s").arg(shortNumber(result.seconds));
    for (const std::string& part : {result.device, result.note}) {
        if (!part.empty()) text += QStringLiteral("  \u00b7  ") + QString::fromStdString(part);
    }
    m_status->say(text);
    m_done = text;
    m_gallery->addResult(request, result);
}

void GenerateView::cancelled() {
    setRunning(false);
    m_status->say(tr("Cancelled after step %1 of %2").arg(m_progress->value()).arg(m_progress->maximum()));
}

void GenerateView::fail(const Error& error) {
    setRunning(false);
    m_status->say({});
    m_messages->showError(error);
}

QString GenerateView::obstacle() const {
    const OpenModel* open = m_models.find(model());
    if (open == nullptr) return tr("Open a model that generates, then choose a class and press Generate");
    if (!open->runs()) return tr("%1 cannot be run: %2").arg(open->name(), problemOf(open->card));
    if (open->makesPictures()) return {};
    return open->card.objective == "classify"
               ? tr("This model classifies; open one that generates")
               : tr("This %1 makes no pictures by itself").arg(QString::fromStdString(open->card.architecture));
}

void GenerateView::setRunning(bool running) {
    m_running = running;
    const OpenModel* open = m_models.find(model());
    const QString why = obstacle();
    m_generate->setEnabled(why.isEmpty() && !running);
    m_cancel->setEnabled(running);
    showDecode();
    m_progress->setVisible(running);
    if (running || !m_gallery->count()) m_status->setVisible(true);
    if (running) return;
    m_generate->setToolTip(why.isEmpty() ? tr("Make the picture (G)") : plainTip(why));
    if (!why.isEmpty())
        m_status->say(why);
    else if (m_steps.empty() && m_gallery->count() == 0)
        m_status->say(open->takesText() ? tr("Ready: write a prompt and press Generate")
                                        : tr("Ready: choose a class and press Generate"));
}

void GenerateView::showStep(int step) {
    if (step >= 0 && step < static_cast<int>(m_steps.size())) {
        m_preview->setImage(m_steps[step]);
        m_timelineText->setText(tr("after step %1 of %2").arg(step + 1).arg(m_steps.size()));
    }
    showDecode();
    if (!m_running && !m_decoded.empty()) m_status->say(m_decoded.contains(step) ? m_decoded[step] : m_done);
    emit stepShown(step);
}

void GenerateView::showDecode() {
    m_decode->setVisible(m_latents && !m_running && !m_steps.empty());
    m_decode->setEnabled(!m_decoded.contains(m_timeline->value()));
}

void GenerateView::showDecoded(int step, const DecodedStep& picture) {
    if (step < 0 || step >= static_cast<int>(m_steps.size())) return;
    m_steps[step] = imageOf(picture.pixels);
    m_decoded[step] = tr("Step %1 through the autoencoder").arg(step + 1);
    if (!picture.note.empty()) m_decoded[step] += QStringLiteral("  \u00b7  ") + QString::fromStdString(picture.note);
    if (m_timeline->value() == step)
        showStep(step);
    else
        m_status->say(m_done);
}

void GenerateView::showEntry(int row) {
    m_preview->setImage(imageOf(m_gallery->image(row).pixels));
}

QImage GenerateView::shownImage() const {
    return m_preview->image();
}

int GenerateView::resultCount() const {
    return m_gallery->count();
}

void GenerateView::dragEnterEvent(QDragEnterEvent* event) {
    if (event->source() == m_gallery || !droppedPicture(event->mimeData()).isEmpty()) event->acceptProposedAction();
}

void GenerateView::dropEvent(QDropEvent* event) {
    if (event->source() != m_gallery) return emit pictureDropped(droppedPicture(event->mimeData()));
    if (m_gallery->currentRow() >= 0) emit settingsWanted(m_gallery->request(m_gallery->currentRow()));
}

}  // namespace ropescope
