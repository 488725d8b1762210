// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <array>
#include <optional>
#include <utility>

#include "core/data/generation.h"
#include "core/data/lora_match.h"
#include "widgets/generate/prompt_edit.h"
#include "widgets/state/kept_settings.h"
#include "widgets/state/open_models.h"

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QLineEdit;
class QPushButton;
class QSpinBox;
class QToolButton;

namespace ropescope {

class LoraList;
class PathChoice;

/// What decides a picture, as controls: those of the model at hand are shown (a class, or a prompt with text encoders
/// and LoRAs; a size in patches, or in pixels). The values are kept as they came, for each kind of model; a control
/// changes its own only.
class GenerateSettings : public QWidget {
    Q_OBJECT
public:
    explicit GenerateSettings(OpenModels& models, QWidget* parent = nullptr);

    void setModel(int model);  ///< fills the classes; keeps the settings
    [[nodiscard]] int model() const { return m_model; }
    [[nodiscard]] GenerateRequest request() const;  ///< what the model at hand is asked
    [[nodiscard]] PictureKind kind() const { return m_kind; }
    [[nodiscard]] const GenerateRequest& kept(PictureKind kind) const { return m_kept[static_cast<std::size_t>(kind)]; }
    void setKept(PictureKind kind, const GenerateRequest& settings);
    void restore(const GenerateRequest& request);  ///< puts settings back, for the kind of model at hand
    void undoRestore();                            ///< as they were before the last restore()
    [[nodiscard]] bool canUndo() const { return m_before.has_value(); }
    [[nodiscard]] QString obstacle() const;  ///< what is missing before a picture can be made; empty: nothing
    /// Controls that mean something now, by name: what the palette offers to go to.
    [[nodiscard]] QList<std::pair<QString, QWidget*>> named() const;
    [[nodiscard]] bool isFurther(const QWidget* control) const;  ///< it stands in morePanel()
    void setSize(Grid patches);  ///< rows x columns of patches, or pixels; 0x0: as usual
    [[nodiscard]] Grid patches() const;
    void rollSeed();

    [[nodiscard]] PromptEdit& prompt() const { return *m_prompt; }
    [[nodiscard]] LoraList& loras() const { return *m_loras; }
    [[nodiscard]] QToolButton* moreButton() const { return m_more; }  ///< shows or hides morePanel()
    /// Sampler, positions, LoRAs, text encoders, ...: to be placed where there is room; hidden at first.
    [[nodiscard]] QWidget* morePanel() const { return m_moreRow; }

signals:
    void obstacleChanged();
    void entered();  ///< Return in the seed, Ctrl+Return in a prompt
    void tokensWanted(const ropescope::TokensRequest& request);
    void lorasWanted(const ropescope::LorasRequest& request);
    void adapterRequested(int model, const QString& path);  ///< open that model with these maps (empty: its own)

private:
    void buildControls();
    void buildForm();
    void buildMore();
    void connectControls();
    [[nodiscard]] QWidget* buildSize();
    [[nodiscard]] GenerateRequest& kept() { return m_kept[static_cast<std::size_t>(m_kind)]; }
    [[nodiscard]] bool text() const { return m_kind != PictureKind::ByClass; }  ///< controls of text-to-image are shown
    void setSeed(std::uint64_t seed);
    void shareWords();
    void fillClasses(const OpenModel& open);
    void keepSize(Grid patches);
    void showKept();  ///< what is kept, in the controls
    void showKind();
    void showNegative();
    void showNoise();
    void showSides();
    void showSize();
    void showNeed();
    void showMore();
    void askTokens();
    void askLoras();

    OpenModels& m_models;
    int m_model = -1;
    PictureKind m_kind = PictureKind::ByClass;
    std::array<GenerateRequest, kPictureKinds> m_kept;
    bool m_showing = false;  ///< the controls change by themselves
    PromptEdit* m_prompt;
    std::optional<std::pair<PictureKind, GenerateRequest>> m_before;  ///< the last restore()
    QWidget* m_moreRow;
    QComboBox* m_class;
    QLineEdit* m_seed;
    QPushButton* m_dice;
    QPushButton* m_noise;  ///< noise of a file is used: click takes it away
    QSpinBox* m_stepCount;
    QDoubleSpinBox* m_guidance;
    QComboBox* m_sampler;
    QSpinBox* m_rows;  ///< patches, or pixels of a text-to-image model
    QSpinBox* m_cols;
    QLabel* m_pixels;
    QComboBox* m_method;  ///< Extrapolation by index
    QSpinBox* m_batch;
    QComboBox* m_precision;
    QLabel* m_need;  ///< text-to-image: what the weights take
    PathChoice* m_vae;
    LoraList* m_loras;
    PathChoice* m_adapter;
    PathChoice* m_encoders;
    PathChoice* m_embeddings;
    QDoubleSpinBox* m_trueGuidance;
    QDoubleSpinBox* m_shift;
    QDoubleSpinBox* m_memory;  ///< GB
    QCheckBox* m_record;
    QToolButton* m_more;
    QWidget *m_classPair = nullptr, *m_methodPair = nullptr, *m_vaePair = nullptr, *m_guidancePair = nullptr;
    QWidget* m_truePair = nullptr;
    QList<QWidget*> m_textPairs;  ///< further settings of text-to-image models
};

}  // namespace ropescope
