// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/generate_settings.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QRandomGenerator>
#include <QRegularExpressionValidator>
#include <QSpinBox>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "widgets/flow_layout.h"
#include "widgets/lora_list.h"
#include "widgets/path_choice.h"
#include "widgets/plot_style.h"

namespace ropescope {
namespace {

constexpr int kPixelsPerLatent = 8;
constexpr int kLargestPixels = 8192;
constexpr int kUsualPixels = 1024;  // what FLUX.1 and SD3 are made for
constexpr double kGigabyte = 1e9;

const char* const kWeights = "Weights (*.safetensors *.pt *.pth *.bin *.json)";

}  // namespace

GenerateSettings::GenerateSettings(OpenModels& models, QWidget* parent)
    : QWidget(parent),
      m_models(models),
      m_prompt(new PromptEdit(this)),
      m_moreRow(new QWidget(this)),
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
      m_need(new QLabel(this)),
      m_vae(new PathChoice(PathChoice::Kind::File, tr("Autoencoder"), tr(kWeights), this)),
      m_loras(new LoraList(this)),
      m_adapter(new PathChoice(PathChoice::Kind::File, tr("HARoPE maps"), tr(kWeights), this)),
      m_encoders(new PathChoice(PathChoice::Kind::Folder, tr("Folder with text encoders"), {}, this)),
      m_embeddings(new PathChoice(PathChoice::Kind::File, tr("Text embeddings"), tr("Tensors (*.safetensors)"), this)),
      m_shift(new QDoubleSpinBox(this)),
      m_memory(new QDoubleSpinBox(this)),
      m_record(new QCheckBox(tr("measure fields"), this)),
      m_more(new QToolButton(this)) {
    buildRow();
    buildMore();
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(8);
    layout->addWidget(m_prompt);
    layout->addLayout(m_flow);
    connect(m_dice, &QPushButton::clicked, this, &GenerateSettings::rollSeed);
    connect(m_seed, &QLineEdit::textEdited, this, [this] { m_unseen.noiseFile.clear(); });  // a seed of its own now
    connect(m_seed, &QLineEdit::returnPressed, this, &GenerateSettings::entered);
    connect(m_prompt, &PromptEdit::entered, this, &GenerateSettings::entered);
    connect(m_prompt, &PromptEdit::tokensWanted, this, &GenerateSettings::askTokens);
    connect(m_encoders, &PathChoice::changed, this, &GenerateSettings::askTokens);
    connect(m_embeddings, &PathChoice::changed, this, &GenerateSettings::showTextKind);
    connect(m_adapter, &PathChoice::entered, this, [this] { emit adapterRequested(m_model, m_adapter->path()); });
    connect(m_loras, &LoraList::changed, this, &GenerateSettings::showMore);
    showTextKind();
}

void GenerateSettings::buildRow() {
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
    m_sampler->addItems({tr("automatic"), tr("DDPM"), tr("DDIM"), tr("Euler"), tr("Heun"), tr("DPM-Solver++ (2M)")});
    m_sampler->setToolTip(tr("Automatic: DDIM for noise-predicting models, Euler for flow matching"));
    m_batch->setRange(1, 64);
    m_batch->setToolTip(tr("Pictures at once; picture i uses seed + i"));
    m_precision->addItems({tr("fp32"), tr("bf16"), tr("fp16")});
    m_record->setChecked(true);
    m_record->setToolTip(tr("Measure the receptive field of every head at every step while the picture is made"));
    m_method->addItems(extrapolationNames());
    m_method->setToolTip(extrapolationTip());
    m_flow = new FlowLayout;
    m_classPair = m_flow->addPair(tr("Class"), m_class);
    m_flow->addPair(tr("Seed"), m_seed);
    m_flow->addWidget(m_dice);
    m_flow->addPair(tr("Steps"), m_stepCount);
    m_guidancePair = m_flow->addPair(tr("Guidance"), m_guidance);
    m_flow->addPair(tr("Sampler"), m_sampler);
    m_flow->addPair(tr("Size"), buildSize());
    m_methodPair = m_flow->addPair(tr("Positions"), m_method);
    m_flow->addPair(tr("Pictures"), m_batch);
    m_flow->addPair(tr("Precision"), m_precision);
    m_flow->addWidget(m_need);
    m_need->setForegroundRole(QPalette::PlaceholderText);
    m_need->setToolTip(
        tr("Memory that the weights take in this precision; what does not fit is read from the file again "
           "in every step"));
    connect(m_precision, &QComboBox::currentIndexChanged, this, &GenerateSettings::showNeed);
    m_vaePair = m_flow->addPair(tr("VAE"), m_vae);
    m_flow->addWidget(m_record);
    m_more->setCheckable(true);
    m_more->setToolTip(tr("LoRAs, HARoPE adapter, text encoders, noise levels, memory"));
    m_flow->addWidget(m_more);
}

void GenerateSettings::buildMore() {
    m_adapter->setHint(tr("none: maps of the model's own file"),
                       tr("HARoPE maps in a file of their own. Return opens the model once more with them, so that all "
                          "views show them."));
    m_encoders->setHint(tr("those of the model's folder"),
                        tr("A diffusers folder with text encoders and tokenizers, for a model that is a single file"));
    m_embeddings->setHint(tr("none: the prompt is read"),
                          tr("Tensors encoder_hidden_states and pooled_projections of another program, in the place "
                             "of a prompt"));
    m_shift->setRange(0, 100);
    m_shift->setSpecialValueText(tr("usual"));
    m_shift->setToolTip(tr("Shift of the noise levels: above 1 more steps at much noise"));
    m_memory->setRange(0, 10000);
    m_memory->setSpecialValueText(tr("what is free"));
    m_memory->setSuffix(tr(" GB"));
    m_memory->setToolTip(tr("What does not fit is read from the file again in every step: slow, but it runs"));
    m_moreFlow = new FlowLayout(m_moreRow);
    m_textPairs = {m_moreFlow->addPair(tr("LoRA"), m_loras),
                   m_moreFlow->addPair(tr("Adapter"), m_adapter),
                   m_moreFlow->addPair(tr("Text encoders"), m_encoders),
                   m_moreFlow->addPair(tr("Embeddings"), m_embeddings),
                   m_moreFlow->addPair(tr("Shift"), m_shift),
                   m_moreFlow->addPair(tr("Memory"), m_memory)};
    showMore();
}

/// Height x width in patches, and what that is in pixels; in pixels for text-to-image models.
QWidget* GenerateSettings::buildSize() {
    auto* size = new QWidget(this);
    auto* row = new QHBoxLayout(size);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(4);
    for (QSpinBox* side : {m_rows, m_cols}) {
        side->setRange(1, 256);
        connect(side, &QSpinBox::valueChanged, this, &GenerateSettings::showSize);
    }
    row->addWidget(m_rows);
    row->addWidget(new QLabel(QStringLiteral("\u00d7"), size));
    row->addWidget(m_cols);
    row->addWidget(m_pixels);
    m_pixels->setForegroundRole(QPalette::PlaceholderText);
    return size;
}

bool GenerateSettings::takesText() const {
    const OpenModel* open = m_models.find(m_model);
    return open != nullptr && open->takesText();
}

Grid GenerateSettings::trainedPatches() const {
    const OpenModel* open = m_models.find(m_model);
    return open == nullptr ? Grid{} : open->card.grid;
}

int GenerateSettings::latentStep() const {
    const OpenModel* open = m_models.find(m_model);
    const bool sd3 = open != nullptr && open->card.architecture == "mmdit";
    return kPixelsPerLatent * (sd3 ? std::max(1, open->card.patch) : 2);
}

Grid GenerateSettings::patches() const {
    return {m_rows->value(), m_cols->value()};
}

void GenerateSettings::setSize(Grid size) {
    if (size == Grid{}) size = m_text ? m_usual.size : trainedPatches();
    m_rows->setValue(std::max(1, size.rows));
    m_cols->setValue(std::max(1, size.cols));
}

void GenerateSettings::showSize() {
    const OpenModel* open = m_models.find(m_model);
    if (m_text) return m_pixels->setText(tr("px"));
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

void GenerateSettings::fillClasses(const OpenModel& open) {
    const int kept = m_class->currentIndex();
    m_class->clear();
    for (int i = 0; i < open.card.classes; ++i) {
        const bool named = i < static_cast<int>(open.card.classNames.size());
        m_class->addItem(named ? QString::fromStdString(open.card.classNames[i]) : tr("class %1").arg(i));
    }
    m_class->setCurrentIndex(std::clamp(kept, 0, std::max(0, m_class->count() - 1)));
}

/// Settings nobody has touched become those that the model's kind starts with.
void GenerateSettings::takeUsual(const OpenModel& open) {
    GenerateRequest usual;
    if (open.takesText()) {
        const bool schnell = open.card.architecture == "flux" && !open.card.guidanceInput;
        usual.steps = schnell ? 4 : 28;
        usual.guidance = schnell ? 1 : 3.5;
        const int table = static_cast<int>(std::lround(std::sqrt(std::max(0, open.card.positionRows))));
        const int side = table > 0 ? std::min(kUsualPixels, table * latentStep()) : kUsualPixels;
        usual.size = {side, side};
    }
    if (m_stepCount->value() == m_usual.steps) m_stepCount->setValue(usual.steps);
    if (m_guidance->value() == m_usual.guidance) m_guidance->setValue(usual.guidance);
    m_usual = usual;
}

void GenerateSettings::setModel(int model) {
    const bool asUsual =
        m_text ? patches() == m_usual.size : patches() == trainedPatches() || trainedPatches() == Grid{};
    m_model = model;
    const OpenModel* open = m_models.find(model);
    if (open != nullptr && open->makesPictures()) {
        const bool changed = m_text != open->takesText();
        m_text = open->takesText();
        fillClasses(*open);
        takeUsual(*open);
        const int step = m_text ? latentStep() : 1;
        const bool fixed = !m_text && open->card.patch == 0;
        for (QSpinBox* side : {m_rows, m_cols}) {
            side->setRange(step, m_text ? kLargestPixels : 256);
            side->setSingleStep(step);
            side->setEnabled(!fixed);
            side->setToolTip(m_text ? tr("Height and width of the picture in pixels, multiples of %1").arg(step)
                                    : tr("Height and width of the picture in patches (tokens); pixels are those of the "
                                         "model's own input. Learned absolute positions exist only for the trained "
                                         "size."));
        }
        if (asUsual || fixed || changed) setSize({});
        m_adapter->setPath(QString::fromStdString(open->ref.adapter));
    }
    m_vaePair->setVisible(open != nullptr && open->makesPictures() &&
                          (m_text || (open->card.inChannels != 1 && open->card.inChannels != 3)));
    showTextKind();
    showSize();
    showNeed();
}

void GenerateSettings::showNeed() {
    const OpenModel* open = m_models.find(m_model);
    m_need->setVisible(m_text && open != nullptr);
    if (open == nullptr) return;
    const double bytes = m_precision->currentIndex() == static_cast<int>(Precision::Fp32) ? 4 : 2;
    m_need->setText(
        tr("weights %1 GB").arg(shortNumber(static_cast<double>(open->card.parameters) * bytes / kGigabyte)));
}

/// Which controls mean something.
void GenerateSettings::showTextKind() {
    const OpenModel* open = m_models.find(m_model);
    m_classPair->setVisible(!m_text);
    m_methodPair->setVisible(!m_text);
    m_prompt->setVisible(m_text);
    m_more->setVisible(m_text);
    if (!m_text) m_more->setChecked(false);
    const bool flux = open != nullptr && open->card.architecture == "flux";
    m_guidancePair->setVisible(!flux || open->card.guidanceInput);
    m_guidance->setToolTip(
        flux     ? tr("An input of the network (distilled guidance)")
        : m_text ? tr("negative + w (prompt - negative); 1 is the prompt alone")
                 : tr("unconditional + w (conditional - unconditional); 1 is the conditional model alone"));
    m_vae->setHint(m_text ? tr("that of the model's folder") : tr("none: a linear preview"),
                   tr("Autoencoder that makes pictures of this model's latents, a file or a folder. Without one the "
                      "picture is a linear preview; a diffusers folder brings its own."));
    m_prompt->setNegativeUsed(!flux);
    if (m_text)
        m_prompt->setOff(m_embeddings->path().isEmpty() ? QString()
                                                        : tr("Text embeddings of a file stand in the prompt's place"));
}

void GenerateSettings::showMore() {
    const auto count = static_cast<int>(m_loras->loras().size());
    m_more->setText(count == 0 ? tr("More")
                               : tr("More (%n LoRA(s))", nullptr, count).replace("(s)", count > 1 ? "s" : ""));
}

void GenerateSettings::askTokens() {
    const OpenModel* open = m_models.find(m_model);
    if (!m_text || open == nullptr || !m_embeddings->path().isEmpty()) return;
    emit tokensWanted({open->ref, m_encoders->path().toStdString(), m_prompt->prompt().toStdString()});
}

GenerateRequest GenerateSettings::request() const {
    GenerateRequest request = all();
    if (m_text) request.labels = {0};
    if (!m_text) request.text = {};
    if (m_vaePair->isHidden()) request.vae.clear();
    return request;
}

GenerateRequest GenerateSettings::all() const {
    GenerateRequest request = m_unseen;
    const OpenModel* open = m_models.find(m_model);
    if (open != nullptr) request.model = open->ref;
    request.compute.precision = static_cast<Precision>(m_precision->currentIndex());
    request.labels = {std::max(0, m_class->currentIndex())};
    request.seed = m_seed->text().toULongLong();
    request.steps = m_stepCount->value();
    request.guidance = m_guidance->value();
    request.sampler = static_cast<Sampler>(m_sampler->currentIndex());
    request.size = {};
    request.extrapolate.method = Extrapolation::None;
    if (m_text) {
        const int step = latentStep();
        request.size = {m_rows->value() / step * step, m_cols->value() / step * step};
    } else if (open != nullptr && patches() != trainedPatches()) {
        request.size = {m_rows->value() * open->card.patch, m_cols->value() * open->card.patch};
        request.extrapolate.method = static_cast<Extrapolation>(m_method->currentIndex());
    }
    request.batch = m_batch->value();
    request.vae = m_vae->path().toStdString();
    request.text = {m_prompt->prompt().toStdString(),
                    m_prompt->negative().toStdString(),
                    m_encoders->path().toStdString(),
                    m_embeddings->path().toStdString(),
                    m_shift->value(),
                    static_cast<std::uint64_t>(m_memory->value() * kGigabyte)};
    if (m_text) request.model.loras = m_loras->loras();
    request.record = m_record->isChecked() ? RecordFields::All : RecordFields::None;
    return request;
}

void GenerateSettings::restore(const GenerateRequest& request) {
    m_unseen.noiseFile = request.noiseFile, m_unseen.stepNoiseFile = request.stepNoiseFile;
    m_unseen.guidanceChannels = request.guidanceChannels;
    if (!request.labels.empty()) m_class->setCurrentIndex(request.labels.front());
    m_seed->setText(QString::number(request.seed));
    m_stepCount->setValue(request.steps);
    m_guidance->setValue(request.guidance);
    m_sampler->setCurrentIndex(static_cast<int>(request.sampler));
    const OpenModel* open = m_models.find(m_model);
    if (m_text)
        setSize(request.size);
    else if (open != nullptr && open->card.patch > 0)
        setSize({request.size.rows / open->card.patch, request.size.cols / open->card.patch});
    m_method->setCurrentIndex(static_cast<int>(request.extrapolate.method));
    m_batch->setValue(request.batch);
    m_vae->setPath(QString::fromStdString(request.vae));
    m_precision->setCurrentIndex(static_cast<int>(request.compute.precision));
    m_record->setChecked(request.record != RecordFields::None);
    m_encoders->setPath(QString::fromStdString(request.text.encoders));
    m_embeddings->setPath(QString::fromStdString(request.text.embeddings));
    m_shift->setValue(request.text.shift);
    m_memory->setValue(static_cast<double>(request.text.memory) / kGigabyte);
    m_prompt->setTexts(QString::fromStdString(request.text.prompt), QString::fromStdString(request.text.negative));
    m_loras->setLoras(request.model.loras);
}

void GenerateSettings::rollSeed() {
    m_unseen.noiseFile.clear();
    m_seed->setText(QString::number(QRandomGenerator::global()->bounded(1000000)));
}

}  // namespace ropescope
