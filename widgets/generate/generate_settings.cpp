// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/generate/generate_settings.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QRandomGenerator>
#include <QSpinBox>
#include <QToolButton>
#include <algorithm>
#include <filesystem>
#include <utility>

#include "widgets/frame/flow_layout.h"
#include "widgets/frame/path_choice.h"
#include "widgets/frame/plot_style.h"
#include "widgets/generate/lora_list.h"
#include "widgets/state/kept_settings.h"

namespace ropescope {
namespace {

constexpr int kLargestPixels = 8192;
constexpr int kMostPatches = 256;  // of a side

const char* const kWeights = "Weights (*.safetensors *.pt *.pth *.bin *.json)";

}  // namespace

GenerateSettings::GenerateSettings(OpenModels& models, QWidget* parent)
    : QWidget(parent),
      m_models(models),
      m_prompt(new PromptEdit(this)),
      m_moreRow(new QWidget(this)),
      m_class(new QComboBox(this)),
      m_seed(new QLineEdit(this)),
      m_dice(new QPushButton(tr("Dice"), this)),
      m_noise(new QPushButton(this)),
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
      m_trueGuidance(new QDoubleSpinBox(this)),
      m_shift(new QDoubleSpinBox(this)),
      m_memory(new QDoubleSpinBox(this)),
      m_record(new QCheckBox(tr("measure fields"), this)),
      m_more(new QToolButton(this)) {
    m_kept.fill(untouchedSettings());
    buildControls();
    buildForm();
    buildMore();
    connectControls();
    showKept();
}

Grid GenerateSettings::patches() const {
    return {m_rows->value(), m_cols->value()};
}

void GenerateSettings::keepSize(Grid size) {
    const OpenModel* open = m_models.find(m_model);
    const int unit = text() ? 1 : open == nullptr ? 0 : sizeStep(open->card);
    const bool usual = open != nullptr && size == (text() ? usualSettings(*open).size : open->card.grid);
    kept().size = usual ? Grid{} : Grid{size.rows * unit, size.cols * unit};
}

void GenerateSettings::setSize(Grid size) {
    keepSize(size);
    showKept();
}

void GenerateSettings::showSides() {
    const OpenModel* open = m_models.find(m_model);
    if (open == nullptr || !open->makesPictures()) return;
    const Grid pixels = settled(kept(), *open).size;
    const int unit = text() ? 1 : std::max(1, sizeStep(open->card));
    const Grid size = pixels == Grid{} ? open->card.grid : Grid{pixels.rows / unit, pixels.cols / unit};
    const bool wasShowing = std::exchange(m_showing, true);
    m_rows->setValue(size.rows);
    m_cols->setValue(size.cols);
    m_showing = wasShowing;
}

void GenerateSettings::showSize() {
    const OpenModel* open = m_models.find(m_model);
    if (text()) return m_pixels->setText(tr("px"));
    const int patch = open == nullptr || !open->makesPictures() ? 0 : open->card.patch;
    const bool trained = open == nullptr || patches() == open->card.grid;
    m_method->setEnabled(!trained && open->card.encoding != "absolute");
    m_pixels->setText(patch == 0
                          ? QString()
                          : tr("patches, %1 \u00d7 %2 px").arg(m_rows->value() * patch).arg(m_cols->value() * patch));
    m_pixels->setToolTip(trained ? tr("The size the model was trained on")
                                 : tr("Not the size the model was trained on"));
}

void GenerateSettings::fillClasses(const OpenModel& open) {
    const bool wasShowing = std::exchange(m_showing, true);
    m_class->clear();
    for (int i = 0; i < open.card.classes; ++i) {
        const bool named = i < static_cast<int>(open.card.classNames.size());
        m_class->addItem(named ? QString::fromStdString(open.card.classNames[i]) : tr("class %1").arg(i), i);
    }
    if (open.card.classes > 0 && open.card.nullClass) m_class->addItem(tr("no class"), kNoClass);
    m_showing = wasShowing;
}

void GenerateSettings::setModel(int model) {
    m_model = model;
    const OpenModel* open = m_models.find(model);
    const bool able = open != nullptr && open->makesPictures();
    setEnabled(able);
    if (!able) {  // nothing of the model before
        m_kind = PictureKind::ByClass;
        const bool wasShowing = std::exchange(m_showing, true);
        m_class->clear();
        m_showing = wasShowing;
    }
    if (able) {
        m_kind = kindOf(*open);
        fillClasses(*open);
        m_adapter->setPath(QString::fromStdString(open->ref.adapter));
        const int step = std::max(1, sizeStep(open->card));
        const QSignalBlocker quietRows(m_rows), quietCols(m_cols);
        for (QSpinBox* side : {m_rows, m_cols}) {
            side->setRange(text() ? step : 1, text() ? kLargestPixels : kMostPatches);
            side->setSingleStep(text() ? step : 1);
            side->setEnabled(sizeStep(open->card) > 0);
            side->setToolTip(text() ? tr("Height and width of the picture in pixels, multiples of %1").arg(step)
                                    : tr("Height and width of the picture in patches (tokens); pixels are those of the "
                                         "model's own input. Learned absolute positions exist only for the trained "
                                         "size."));
        }
    }
    showKept();
}

void GenerateSettings::showKept() {
    const OpenModel* open = m_models.find(m_model);
    const bool able = open != nullptr && open->makesPictures();
    GenerateRequest r = able ? settled(kept(), *open) : kept();
    if (r.steps == kUsualSteps) r.steps = GenerateRequest{}.steps;
    if (r.guidance == kUsualGuidance) r.guidance = GenerateRequest{}.guidance;
    const bool wasShowing = std::exchange(m_showing, true);
    m_class->setCurrentIndex(r.labels.front());
    m_seed->setText(QString::number(r.seed));
    m_stepCount->setValue(r.steps);
    m_guidance->setValue(r.guidance);
    m_sampler->setCurrentIndex(static_cast<int>(r.sampler));
    showSides();
    m_method->setCurrentIndex(static_cast<int>(r.size == Grid{} ? kept().extrapolate.method : r.extrapolate.method));
    m_batch->setValue(r.batch);
    m_precision->setCurrentIndex(static_cast<int>(r.compute.precision));
    m_record->setChecked(r.record != RecordFields::None);
    m_vae->setPath(QString::fromStdString(kept().vae));
    const TextSettings& words = kept().text;
    m_encoders->setPath(QString::fromStdString(words.encoders));
    m_embeddings->setPath(QString::fromStdString(words.embeddings));
    m_trueGuidance->setValue(words.trueGuidance);
    m_shift->setValue(words.shift);
    m_memory->setValue(static_cast<double>(words.memory) / kGigabyte);
    m_prompt->setTexts(QString::fromStdString(words.prompt), QString::fromStdString(words.negative));
    m_loras->setLoras(kept().model.loras);
    m_showing = wasShowing;
    m_vaePair->setVisible(able && drawsLatents(*open));
    showKind();
    showSize();
    showNeed();
    askLoras();
}

void GenerateSettings::showNeed() {
    const OpenModel* open = m_models.find(m_model);
    m_need->setVisible(text() && open != nullptr);
    if (open == nullptr) return;
    const double bytes = m_precision->currentIndex() == static_cast<int>(Precision::Fp32) ? 4 : 2;
    m_need->setText(
        tr("weights %1 GB").arg(shortNumber(static_cast<double>(open->card.parameters) * bytes / kGigabyte)));
}

/// Which controls mean something.
void GenerateSettings::showKind() {
    const OpenModel* open = m_models.find(m_model);
    m_classPair->setVisible(!text());
    m_methodPair->setVisible(!text());
    m_prompt->setVisible(text());
    for (QWidget* setting : m_textPairs) setting->setVisible(text());
    showNoise();
    const bool flux = open != nullptr && open->card.architecture == "flux";
    m_guidancePair->setVisible(!flux || open->card.guidanceInput);
    const bool guided = text() || open == nullptr || open->card.nullClass;
    m_guidance->setEnabled(guided);
    m_guidance->setToolTip(
        !guided  ? tr("1, as this model has no row for \"no class\" that guidance could lead away from")
        : flux   ? tr("An input of the network (distilled guidance)")
        : text() ? tr("negative + w (prompt - negative); 1 is the prompt alone")
                 : tr("unconditional + w (conditional - unconditional); 1 is the conditional model alone"));
    m_vae->setHint(text() ? tr("that of the model's folder") : tr("none: a linear preview"),
                   tr("Autoencoder that makes pictures of this model's latents, a file or a folder. Without one the "
                      "picture is a linear preview; a diffusers folder brings its own."));
    m_truePair->setVisible(flux);
    showNegative();
    if (text())
        m_prompt->setOff(m_embeddings->path().isEmpty() ? QString()
                                                        : tr("Text embeddings of a file stand in the prompt's place"));
    emit obstacleChanged();
}

QString GenerateSettings::obstacle() const {
    return text() ? m_prompt->missing() : QString();
}

/// Where something leads away from it.
void GenerateSettings::showNegative() {
    m_prompt->setNegativeUsed(m_truePair->isHidden() || kept().text.trueGuidance != 1);
}

void GenerateSettings::showNoise() {
    const std::string& noise = kept().noiseFile.empty() ? kept().stepNoiseFile : kept().noiseFile;
    m_noise->setVisible(!noise.empty());
    m_noise->setText(
        tr("noise of %1  \u00d7").arg(QString::fromStdString(std::filesystem::path(noise).filename().string())));
}

/// Of one width, so that nothing beside it moves.
void GenerateSettings::showMore() {
    const QString widest = tr("More (88 LoRAs)");
    m_more->setMinimumWidth(fontMetrics().horizontalAdvance(widest) + 20);
    const auto count = static_cast<int>(m_loras->loras().size());
    m_more->setText(count == 0 ? tr("More")
                               : tr("More (%n LoRA(s))", nullptr, count).replace("(s)", count > 1 ? "s" : ""));
}

void GenerateSettings::askTokens() {
    const OpenModel* open = m_models.find(m_model);
    if (!text() || open == nullptr || !open->makesPictures() || !m_embeddings->path().isEmpty()) return;
    emit tokensWanted({open->ref, m_encoders->path().toStdString(), m_prompt->prompt().toStdString()});
}

void GenerateSettings::askLoras() {
    const OpenModel* open = m_models.find(m_model);
    if (m_showing || !text() || open == nullptr || !open->makesPictures() || kept().model.loras.empty()) return;
    LorasRequest request{open->ref};
    request.model.loras = kept().model.loras;
    emit lorasWanted(request);
}

GenerateRequest GenerateSettings::request() const {
    const OpenModel* open = m_models.find(m_model);
    return open == nullptr ? kept(m_kind) : settled(kept(m_kind), *open);
}

void GenerateSettings::setKept(PictureKind kind, const GenerateRequest& settings) {
    GenerateRequest& own = m_kept[static_cast<std::size_t>(kind)];
    own = settings;
    own.model = {};
    own.model.loras = settings.model.loras;
    own.compute.device = Compute{}.device, own.compute.threads = Compute{}.threads;  // of the machine at hand
    if (own.labels.empty()) own.labels = {0};
    if (own.record != RecordFields::None) own.record = RecordFields::All;
    own.recordHeads.clear();
    showKept();
}

void GenerateSettings::restore(const GenerateRequest& request) {
    m_before = {m_kind, kept()};
    GenerateRequest settings = request;
    const OpenModel* open = m_models.find(m_model);
    if (open != nullptr && !text() && open->card.classes > 0)
        std::replace(settings.labels.begin(), settings.labels.end(), open->card.classes, kNoClass);
    settings.record = kept().record;  // what is watched does not belong to a picture
    setKept(m_kind, settings);
    shareWords();
}

void GenerateSettings::undoRestore() {
    if (!m_before) return;
    const auto [kind, settings] = *std::exchange(m_before, std::nullopt);
    setKept(kind, settings);
    shareWords();
}

/// What is wanted is the same for all models that read text; files fit one kind alone.
void GenerateSettings::shareWords() {
    if (!text()) return;
    for (const PictureKind kind : {PictureKind::Flux, PictureKind::Sd3}) {
        GenerateRequest& other = m_kept[static_cast<std::size_t>(kind)];
        other.seed = kept().seed;
        other.text.prompt = kept().text.prompt, other.text.negative = kept().text.negative;
    }
}

/// Of its own now: no file's noise stands in its place.
void GenerateSettings::setSeed(std::uint64_t seed) {
    kept().seed = seed;
    kept().noiseFile.clear(), kept().stepNoiseFile.clear();
    shareWords();
    showNoise();
}

void GenerateSettings::rollSeed() {
    setSeed(QRandomGenerator::global()->bounded(1000000));
    m_seed->setText(QString::number(kept().seed));
}

}  // namespace ropescope
