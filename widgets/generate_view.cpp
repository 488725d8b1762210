// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/generate_view.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QDragEnterEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QProgressBar>
#include <QPushButton>
#include <QRandomGenerator>
#include <QRegularExpressionValidator>
#include <QSlider>
#include <QSpinBox>
#include <QVBoxLayout>
#include <algorithm>

#include "widgets/flow_layout.h"
#include "widgets/gallery.h"
#include "widgets/message_bar.h"
#include "widgets/path_choice.h"
#include "widgets/plot_style.h"
#include "widgets/preview_image.h"

namespace ropescope {

GenerateView::GenerateView(OpenModels& models, QWidget* parent)
    : QWidget(parent),
      m_models(models),
      m_settings(new QWidget(this)),
      m_stage(new QWidget(this)),
      m_class(new QComboBox(this)),
      m_seed(new QLineEdit(QStringLiteral("42"), this)),
      m_dice(new QPushButton(tr("Dice"), this)),
      m_stepCount(new QSpinBox(this)),
      m_guidance(new QDoubleSpinBox(this)),
      m_sampler(new QComboBox(this)),
      m_rows(new QSpinBox(this)),
      m_cols(new QSpinBox(this)),
      m_pixels(new QLabel(this)),
      m_method(new QComboBox(this)),
      m_batch(new QSpinBox(this)),
      m_precision(new QComboBox(this)),
      m_vaePair(nullptr),
      m_vae(new PathChoice(PathChoice::Kind::File, tr("Autoencoder"),
                           tr("Weights (*.safetensors *.pt *.pth *.bin *.json)"), this)),
      m_record(new QCheckBox(tr("measure fields"), this)),
      m_generate(new QPushButton(tr("Generate"), this)),
      m_cancel(new QPushButton(tr("Cancel"), this)),
      m_preview(new PreviewImage(this)),
      m_progress(new QProgressBar(this)),
      m_status(new QLabel(this)),
      m_timeline(new QSlider(Qt::Horizontal, this)),
      m_timelineText(new QLabel(this)),
      m_gallery(new Gallery(this)),
      m_messages(new MessageBar(this)) {
    buildSettings();
    buildStage();
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->setSpacing(8);
    layout->addWidget(m_settings);
    layout->addWidget(m_messages);
    layout->addWidget(m_stage, 1);
    setAcceptDrops(true);
    connectSignals();
    setRunning(false);
}

void GenerateView::buildSettings() {
    m_class->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    m_class->setMinimumContentsLength(8);
    m_seed->setValidator(new QRegularExpressionValidator(QRegularExpression(QStringLiteral("[0-9]{1,19}")), m_seed));
    m_seed->setFixedWidth(fontMetrics().horizontalAdvance(QStringLiteral("8888888888")) + 16);
    m_seed->setToolTip(tr("Same seed, same settings, same picture"));
    m_dice->setToolTip(tr("Another seed"));
    m_stepCount->setRange(1, 1000);
    m_stepCount->setValue(20);
    m_guidance->setRange(0, 30);
    m_guidance->setSingleStep(0.5);
    m_guidance->setDecimals(1);
    m_guidance->setValue(2);
    m_guidance->setToolTip(tr("unconditional + w (conditional - unconditional); 1 is the conditional model alone"));
    m_sampler->addItems({tr("automatic"), tr("DDPM"), tr("DDIM"), tr("Euler"), tr("Heun")});
    m_sampler->setToolTip(tr("Automatic: DDIM for noise-predicting models, Euler for flow matching"));
    m_batch->setRange(1, 64);
    m_batch->setToolTip(tr("Pictures at once; picture i uses seed + i"));
    m_precision->addItems({tr("fp32"), tr("bf16"), tr("fp16")});
    m_record->setChecked(true);
    m_record->setToolTip(tr("Measure the receptive field of every head at every step while the picture is made"));
    m_generate->setDefault(true);
    auto* flow = new FlowLayout(m_settings);
    flow->addPair(tr("Class"), m_class);
    flow->addPair(tr("Seed"), m_seed);
    flow->addWidget(m_dice);
    flow->addPair(tr("Steps"), m_stepCount);
    flow->addPair(tr("Guidance"), m_guidance);
    flow->addPair(tr("Sampler"), m_sampler);
    flow->addPair(tr("Size"), buildSize());
    m_method->addItems(extrapolationNames());
    m_method->setToolTip(extrapolationTip());
    flow->addPair(tr("Positions"), m_method);
    flow->addPair(tr("Pictures"), m_batch);
    flow->addPair(tr("Precision"), m_precision);
    m_vaePair = flow->addPair(tr("VAE"), m_vae);
    m_vaePair->hide();
    m_vae->setHint(tr("none: a linear preview"),
                   tr("Autoencoder that makes pictures of this model's latents, a file or a folder. Without one the "
                      "picture is a linear preview; a diffusers folder brings its own."));
    flow->addWidget(m_record);
    flow->addWidget(m_generate);
    flow->addWidget(m_cancel);
}

/// Height x width in patches, and what that is in pixels.
QWidget* GenerateView::buildSize() {
    auto* size = new QWidget(m_settings);
    auto* row = new QHBoxLayout(size);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(4);
    for (QSpinBox* side : {m_rows, m_cols}) {
        side->setRange(1, 256);
        side->setToolTip(
            tr("Height and width of the picture in patches (tokens); pixels are those of the model's own "
               "input. Learned absolute positions exist only for the trained size."));
        connect(side, &QSpinBox::valueChanged, this, &GenerateView::showSize);
    }
    row->addWidget(m_rows);
    row->addWidget(new QLabel(QStringLiteral("\u00d7"), size));
    row->addWidget(m_cols);
    row->addWidget(m_pixels);
    m_pixels->setForegroundRole(QPalette::PlaceholderText);
    return size;
}

Grid GenerateView::trainedPatches() const {
    const OpenModel* open = m_models.find(m_model);
    return open == nullptr ? Grid{} : open->card.grid;
}

Grid GenerateView::patches() const {
    return {m_rows->value(), m_cols->value()};
}

void GenerateView::setSize(Grid patches) {
    if (patches == Grid{}) patches = trainedPatches();
    m_rows->setValue(std::max(1, patches.rows));
    m_cols->setValue(std::max(1, patches.cols));
}

void GenerateView::showSize() {
    const OpenModel* open = m_models.find(m_model);
    const int patch = open == nullptr ? 0 : open->card.patch;
    const bool trained = patches() == trainedPatches();
    // A table of absolute positions can only be resized.
    const bool table = open != nullptr && open->card.encoding == "absolute";
    if (table) m_method->setCurrentIndex(static_cast<int>(Extrapolation::Interpolation));
    m_method->setEnabled(!trained && !table);
    m_pixels->setText(patch == 0 ? QString()
                                 : tr("patches, %1 \u00d7 %2 px%3")
                                       .arg(m_rows->value() * patch)
                                       .arg(m_cols->value() * patch)
                                       .arg(trained ? tr(" as trained") : QString()));
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
    auto* right = new QVBoxLayout;
    right->setSpacing(4);
    right->addWidget(m_status);
    right->addWidget(m_progress);
    right->addLayout(timeline);
    right->addWidget(m_gallery, 1);
    auto* layout = new QHBoxLayout(m_stage);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(16);
    layout->addWidget(m_preview);
    layout->addLayout(right, 1);
    m_preview->setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Expanding);
    m_timeline->setEnabled(false);
}

void GenerateView::connectSignals() {
    connect(m_generate, &QPushButton::clicked, this, &GenerateView::requestGenerate);
    connect(m_cancel, &QPushButton::clicked, this, &GenerateView::requestCancel);
    connect(m_dice, &QPushButton::clicked, this, &GenerateView::rollSeed);
    connect(m_seed, &QLineEdit::returnPressed, this, &GenerateView::requestGenerate);
    connect(m_timeline, &QSlider::valueChanged, this, &GenerateView::showStep);
    connect(m_gallery, &Gallery::shown, this, &GenerateView::showEntry);
    connect(m_gallery, &Gallery::restoreRequested, this, [this](int row) { restore(m_gallery->request(row)); });
    connect(m_gallery, &Gallery::saveRequested, this, [this](int row) { emit saveRequested(m_gallery->image(row)); });
    connect(&m_models, &OpenModels::modelsChanged, this, [this] {
        if (m_models.find(m_model) != nullptr) return;
        setModel(m_models.all().empty() ? -1 : m_models.all().begin()->first);
    });
}

void GenerateView::setModel(int model) {
    const bool asTrained = patches() == trainedPatches() || trainedPatches() == Grid{};
    m_model = model;
    const int kept = m_class->currentIndex();
    m_class->clear();
    const OpenModel* open = m_models.find(model);
    const bool able = open != nullptr && open->drawsImages();
    if (able) {
        for (int i = 0; i < open->card.classes; ++i) {
            const bool named = i < static_cast<int>(open->card.classNames.size());
            m_class->addItem(named ? QString::fromStdString(open->card.classNames[i]) : tr("class %1").arg(i));
        }
        m_class->setCurrentIndex(std::clamp(kept, 0, std::max(0, m_class->count() - 1)));
        const bool fixed = open->card.patch == 0;
        if (asTrained || fixed) setSize({});
        m_rows->setEnabled(!fixed);
        m_cols->setEnabled(!fixed);
    }
    m_vaePair->setVisible(able && open->card.inChannels != 1 && open->card.inChannels != 3);
    showSize();
    setRunning(m_running);
}

GenerateRequest GenerateView::request() const {
    GenerateRequest request;
    if (const OpenModel* open = m_models.find(m_model)) request.model = open->ref;
    request.compute.device = m_device;
    request.compute.precision = static_cast<Precision>(m_precision->currentIndex());
    request.labels = {std::max(0, m_class->currentIndex())};
    request.seed = m_seed->text().toULongLong();
    request.steps = m_stepCount->value();
    request.guidance = m_guidance->value();
    request.sampler = static_cast<Sampler>(m_sampler->currentIndex());
    if (const OpenModel* open = m_models.find(m_model); open != nullptr && patches() != trainedPatches()) {
        request.size = {m_rows->value() * open->card.patch, m_cols->value() * open->card.patch};
        request.extrapolate.method = static_cast<Extrapolation>(m_method->currentIndex());
    }
    request.batch = m_batch->value();
    if (m_vaePair->isVisibleTo(this)) request.vae = m_vae->path().toStdString();
    request.record = m_record->isChecked() ? RecordFields::All : RecordFields::None;
    return request;
}

void GenerateView::restore(const GenerateRequest& request) {
    if (!request.labels.empty()) m_class->setCurrentIndex(request.labels.front());
    m_seed->setText(QString::number(request.seed));
    m_stepCount->setValue(request.steps);
    m_guidance->setValue(request.guidance);
    m_sampler->setCurrentIndex(static_cast<int>(request.sampler));
    const OpenModel* open = m_models.find(m_model);
    if (open != nullptr && open->card.patch > 0)
        setSize({request.size.rows / open->card.patch, request.size.cols / open->card.patch});
    m_method->setCurrentIndex(static_cast<int>(request.extrapolate.method));
    m_batch->setValue(request.batch);
    m_vae->setPath(QString::fromStdString(request.vae));
    m_precision->setCurrentIndex(static_cast<int>(request.compute.precision));
    m_record->setChecked(request.record != RecordFields::None);
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
    m_status->setText(tr("Cancelling ..."));
    emit cancelRequested();
}

void GenerateView::rollSeed() {
    m_seed->setText(QString::number(QRandomGenerator::global()->bounded(1000000)));
}

void GenerateView::start(int steps) {
    m_steps.clear();
    m_progress->setRange(0, steps);
    m_progress->setValue(0);
    m_status->setText(tr("Starting, %1 steps").arg(steps));
    const QSignalBlocker block(m_timeline);
    m_timeline->setRange(0, 0);
    m_timelineText->clear();
    m_timeline->setEnabled(false);
    setRunning(true);
}

void GenerateView::showProgress(const GenerateProgress& progress) {
    m_progress->setRange(0, progress.steps);
    m_progress->setValue(progress.step);
    m_status->setText(tr("Step %1 of %2  \u00b7  %3 s left  \u00b7  %4 s per step")
                          .arg(progress.step)
                          .arg(progress.steps)
                          .arg(progress.secondsLeft, 0, 'f', 1)
                          .arg(shortNumber(progress.secondsPerStep)));
    const QImage preview = imageOf(progress.preview);
    if (preview.isNull() || progress.step < 1) return;
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

void GenerateView::finish(const GenerateRequest& request, const GenerateResult& result) {
    setRunning(false);
    m_progress->setValue(m_progress->maximum());
    QString text = tr("Done in %1 s").arg(shortNumber(result.seconds));
    for (const std::string& part : {result.device, result.note}) {
        if (!part.empty()) text += QStringLiteral("  \u00b7  ") + QString::fromStdString(part);
    }
    m_status->setText(text);
    m_gallery->addResult(request, result);
}

void GenerateView::cancelled() {
    setRunning(false);
    m_status->setText(tr("Cancelled after step %1 of %2").arg(m_progress->value()).arg(m_progress->maximum()));
}

void GenerateView::fail(const Error& error) {
    setRunning(false);
    m_status->clear();
    m_messages->showError(error);
}

void GenerateView::setRunning(bool running) {
    m_running = running;
    const OpenModel* open = m_models.find(m_model);
    const bool able = open != nullptr && open->drawsImages();
    m_generate->setEnabled(able && !running);
    m_cancel->setEnabled(running);
    m_progress->setVisible(running);
    if (running || !m_gallery->count()) m_status->setVisible(true);
    if (running) return;
    m_generate->setToolTip(able ? tr("Make the picture (G)") : tr("This model makes no pictures"));
    if (open == nullptr)
        m_status->setText(tr("Open a model that generates, then choose a class and press Generate"));
    else if (!able)
        m_status->setText(
            open->card.objective == "classify"
                ? tr("This model classifies; open one that generates")
                : tr("Pictures are made with class-conditional DiTs; this %1 is inspected here and draws by "
                     "\"ropescope generate --prompt\"")
                      .arg(QString::fromStdString(open->card.architecture)));
    else if (m_steps.empty() && m_gallery->count() == 0)
        m_status->setText(tr("Ready: choose a class and press Generate"));
}

void GenerateView::showStep(int step) {
    if (step >= 0 && step < static_cast<int>(m_steps.size())) {
        m_preview->setImage(m_steps[step]);
        m_timelineText->setText(tr("after step %1 of %2").arg(step + 1).arg(m_steps.size()));
    }
    emit stepShown(step);
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
    if (event->source() == m_gallery) event->acceptProposedAction();
}

void GenerateView::dropEvent(QDropEvent* event) {
    if (event->source() == m_gallery && m_gallery->currentRow() >= 0)
        restore(m_gallery->request(m_gallery->currentRow()));
}

}  // namespace ropescope
