// SPDX-License-Identifier: GPL-3.0-or-later
// The controls of GenerateSettings and what they change.
#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QRegularExpressionValidator>
#include <QSpinBox>
#include <QToolButton>
#include <QVBoxLayout>

#include "widgets/frame/flow_layout.h"
#include "widgets/frame/path_choice.h"
#include "widgets/frame/plot_style.h"
#include "widgets/generate/generate_settings.h"
#include "widgets/generate/lora_list.h"
#include "widgets/state/kept_settings.h"

namespace ropescope {
void GenerateSettings::connectControls() {
    // A control that the user changes sets its own value of those that are kept.
    const auto sets = [this](auto set) {
        return [this, set](auto&&...) {
            if (m_showing) return;
            set(kept());
            showSize();
        };
    };
    using R = GenerateRequest&;
    connect(m_class, &QComboBox::currentIndexChanged, this,
            sets([this](R r) { r.labels = {m_class->currentData().toInt()}; }));
    connect(m_stepCount, &QSpinBox::valueChanged, this, sets([this](R r) { r.steps = m_stepCount->value(); }));
    connect(m_guidance, &QDoubleSpinBox::valueChanged, this, sets([this](R r) { r.guidance = m_guidance->value(); }));
    connect(m_sampler, &QComboBox::currentIndexChanged, this,
            sets([this](R r) { r.sampler = static_cast<Sampler>(m_sampler->currentIndex()); }));
    connect(m_method, &QComboBox::currentIndexChanged, this,
            sets([this](R r) { r.extrapolate.method = static_cast<Extrapolation>(m_method->currentIndex()); }));
    for (QSpinBox* side : {m_rows, m_cols}) {
        connect(side, &QSpinBox::valueChanged, this, sets([this](R) { keepSize(patches()); }));
        connect(side, &QSpinBox::editingFinished, this, &GenerateSettings::showSides);  // in its multiples
    }
    connect(m_batch, &QSpinBox::valueChanged, this, sets([this](R r) { r.batch = m_batch->value(); }));
    connect(m_precision, &QComboBox::currentIndexChanged, this,
            sets([this](R r) { r.compute.precision = static_cast<Precision>(m_precision->currentIndex()); }));
    connect(m_record, &QCheckBox::toggled, this,
            sets([this](R r) { r.record = m_record->isChecked() ? RecordFields::All : RecordFields::None; }));
    connect(m_vae, &PathChoice::changed, this, sets([this](R r) { r.vae = m_vae->path().toStdString(); }));
    connect(m_shift, &QDoubleSpinBox::valueChanged, this, sets([this](R r) { r.text.shift = m_shift->value(); }));
    connect(m_trueGuidance, &QDoubleSpinBox::valueChanged, this, sets([this](R r) {
                r.text.trueGuidance = m_trueGuidance->value();
                showNegative();
            }));
    connect(m_memory, &QDoubleSpinBox::valueChanged, this,
            sets([this](R r) { r.text.memory = static_cast<std::uint64_t>(m_memory->value() * kGigabyte); }));
    connect(m_encoders, &PathChoice::changed, this,
            sets([this](R r) { r.text.encoders = m_encoders->path().toStdString(); }));
    connect(m_embeddings, &PathChoice::changed, this,
            sets([this](R r) { r.text.embeddings = m_embeddings->path().toStdString(); }));
    connect(m_loras, &LoraList::changed, this, sets([this](R r) { r.model.loras = m_loras->loras(); }));
    connect(m_prompt, &PromptEdit::changed, this, sets([this](R r) {
                r.text.prompt = m_prompt->prompt().toStdString();
                r.text.negative = m_prompt->negative().toStdString();
                shareWords();
            }));
    connect(m_seed, &QLineEdit::textEdited, this, [this](const QString& text) {
        bool isNumber = false;
        const std::uint64_t seed = text.toULongLong(&isNumber);
        if (isNumber) setSeed(seed);
    });
    connect(m_seed, &QLineEdit::editingFinished, this, [this] { m_seed->setText(QString::number(kept().seed)); });
    connect(m_noise, &QPushButton::clicked, this, [this] { setSeed(kept().seed); });
    connect(m_dice, &QPushButton::clicked, this, &GenerateSettings::rollSeed);
    connect(m_seed, &QLineEdit::returnPressed, this, &GenerateSettings::entered);
    connect(m_prompt, &PromptEdit::entered, this, &GenerateSettings::entered);
    connect(m_prompt, &PromptEdit::tokensWanted, this, &GenerateSettings::askTokens);
    connect(m_prompt, &PromptEdit::encodersWanted, m_encoders, &PathChoice::browse);
    connect(m_prompt, &PromptEdit::missingChanged, this, &GenerateSettings::obstacleChanged);
    connect(m_encoders, &PathChoice::changed, this, &GenerateSettings::askTokens);
    connect(m_embeddings, &PathChoice::changed, this, &GenerateSettings::showKind);
    connect(m_adapter, &PathChoice::entered, this, [this] { emit adapterRequested(m_model, m_adapter->path()); });
    connect(m_precision, &QComboBox::currentIndexChanged, this, &GenerateSettings::showNeed);
    connect(m_loras, &LoraList::changed, this, &GenerateSettings::showMore);
    connect(m_loras, &LoraList::filesChanged, this, &GenerateSettings::askLoras);
}

void GenerateSettings::buildControls() {
    m_seed->setObjectName(QStringLiteral("seed"));
    m_rows->setObjectName(QStringLiteral("rows"));
    m_class->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    m_class->setMinimumContentsLength(8);
    m_seed->setValidator(new QRegularExpressionValidator(QRegularExpression(QStringLiteral("[0-9]{0,20}")), m_seed));
    m_seed->setFixedWidth(fontMetrics().horizontalAdvance(QStringLiteral("8888888888")) + 16);
    m_seed->setToolTip(tr("Same seed, same settings, same picture"));
    m_dice->setToolTip(tr("Another seed (R)"));
    m_noise->setToolTip(tr("The noise comes from a file, not from the seed. Click to use the seed again."));
    m_stepCount->setRange(1, 1000);
    m_guidance->setRange(0, 100);
    m_guidance->setSingleStep(0.5);
    m_sampler->addItems({tr("automatic"), tr("DDPM"), tr("DDIM"), tr("Euler"), tr("Heun"), tr("DPM-Solver++ (2M)")});
    m_sampler->setToolTip(tr("Automatic: DDIM for noise-predicting models, Euler for flow matching"));
    m_batch->setRange(1, 64);
    m_batch->setToolTip(tr("Pictures at once; picture i uses seed + i"));
    m_precision->addItems({tr("fp32"), tr("bf16"), tr("fp16")});
    m_record->setToolTip(tr("Measure the receptive field of every head at every step while the picture is made"));
    m_method->addItems(extrapolationNames());
    m_method->setToolTip(extrapolationTip());
    m_need->setForegroundRole(QPalette::PlaceholderText);
    m_need->setToolTip(
        tr("Memory that the weights take in this precision; what does not fit is read from the file again "
           "in every step"));
    m_more->setCheckable(true);
    m_more->setToolTip(tr("Sampler, positions, precision, autoencoder, LoRAs, adapter, text encoders, memory"));
    m_adapter->setHint(tr("none: the model's own maps"),
                       tr("HARoPE maps in a file of their own. Return opens the model once more with them, so that all "
                          "views show them."));
    m_encoders->setHint(tr("those of the model's folder"),
                        tr("A diffusers folder with text encoders and tokenizers, for a model that is a single file"));
    m_embeddings->setHint(tr("none: the prompt is read"),
                          tr("Tensors encoder_hidden_states and pooled_projections of another program, in the place "
                             "of a prompt"));
    m_trueGuidance->setRange(0, 100);
    m_trueGuidance->setSingleStep(0.5);
    m_trueGuidance->setToolTip(
        tr("negative + w (prompt - negative), on top of the guidance that is an input: twice the time. 1: the prompt "
           "alone"));
    m_shift->setRange(0, 100);
    m_shift->setSpecialValueText(tr("usual"));
    m_shift->setToolTip(tr("Shift of the noise levels: above 1 more steps at much noise"));
    m_memory->setRange(0, 10000);
    m_memory->setSpecialValueText(tr("what is free"));
    m_memory->setSuffix(tr(" GB"));
    m_memory->setToolTip(tr("What does not fit is read from the file again in every step: slow, but it runs"));
}

/// Rows that never change their places; what is used rarely stands in the further settings.
void GenerateSettings::buildForm() {
    const auto pair = [this](const QString& label, QWidget* control) {
        auto* both = new QWidget(this);
        auto* row = new QHBoxLayout(both);
        row->setContentsMargins(0, 0, 0, 0);
        auto* text = new QLabel(label, both);
        text->setBuddy(control);
        control->setAccessibleName(label);
        row->addWidget(text);
        row->addWidget(control);
        return both;
    };
    m_classPair = pair(tr("Class"), m_class);
    m_guidancePair = pair(tr("Guidance"), m_guidance);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addWidget(m_prompt);
    const QList<QList<QWidget*>> rows = {
        {m_classPair, pair(tr("Seed"), m_seed), m_dice, m_noise},
        {pair(tr("Steps"), m_stepCount), m_guidancePair, pair(tr("Pictures"), m_batch)},
        {pair(tr("H \u00d7 W"), buildSize()), m_more}};
    for (const QList<QWidget*>& widgets : rows) {
        auto* row = new QHBoxLayout;
        row->setSpacing(12);
        for (QWidget* widget : widgets) row->addWidget(widget);
        row->addStretch();
        layout->addLayout(row);
    }
}

void GenerateSettings::buildMore() {
    auto* flow = new FlowLayout(m_moreRow);
    const auto pair = [&](const QString& label, QWidget* control) {
        control->setAccessibleName(label);
        return flow->addPair(label, control);
    };
    pair(tr("Sampler"), m_sampler);
    m_methodPair = pair(tr("Positions"), m_method);
    pair(tr("Precision"), m_precision);
    flow->addWidget(m_need);
    flow->addWidget(m_record);
    m_vaePair = pair(tr("VAE"), m_vae);
    m_truePair = pair(tr("True guidance"), m_trueGuidance);
    m_textPairs = {pair(tr("LoRA"), m_loras),
                   pair(tr("Adapter"), m_adapter),
                   pair(tr("Text encoders"), m_encoders),
                   pair(tr("Embeddings"), m_embeddings),
                   pair(tr("Shift"), m_shift),
                   pair(tr("Memory"), m_memory)};
    showMore();
}

/// Height x width in patches, and what that is in pixels; in pixels for text-to-image models.
QWidget* GenerateSettings::buildSize() {
    auto* size = new QWidget(this);
    auto* row = new QHBoxLayout(size);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(4);
    row->addWidget(m_rows);
    row->addWidget(new QLabel(QStringLiteral("\u00d7"), size));
    row->addWidget(m_cols);
    row->addWidget(m_pixels);
    m_pixels->setForegroundRole(QPalette::PlaceholderText);
    // Of one width, so that nothing beside it moves.
    m_pixels->setFixedWidth(fontMetrics().horizontalAdvance(tr("patches, 888 \u00d7 888 px")) + 2);
    return size;
}

QList<std::pair<QString, QWidget*>> GenerateSettings::named() const {
    QList<std::pair<QString, QWidget*>> all;
    for (QWidget* control : std::initializer_list<QWidget*>{
             m_class, m_seed, m_stepCount, m_guidance, m_batch, m_rows, m_sampler, m_method, m_precision, m_vae,
             m_loras, m_adapter, m_encoders, m_embeddings, m_trueGuidance, m_shift, m_memory}) {
        const bool offered =
            control->isVisibleTo(const_cast<GenerateSettings*>(this)) || control->isVisibleTo(m_moreRow);
        if (offered) all.append({control == m_rows ? tr("Size") : control->accessibleName(), control});
    }
    if (text()) all.prepend({tr("Prompt"), m_prompt});
    return all;
}

bool GenerateSettings::isFurther(const QWidget* control) const {
    return m_moreRow->isAncestorOf(control);
}

}  // namespace ropescope
