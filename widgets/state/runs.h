// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QObject>
#include <QString>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "core/data/generation.h"
#include "widgets/state/selection.h"

namespace ropescope {

/// One picture with everything that was seen while it was made; or one that was classified.
struct Run {
    enum class State { Running, Done, Cancelled };
    int key = -1;  ///< given by Runs::add, never reused
    State state = State::Running;
    int model = -1;         ///< an open one; -1 when it is not open (any more)
    QString modelName;      ///< stays when the model is closed
    QString subject;        ///< the class's name, the prompt, or the file that was classified
    GenerateRequest asked;  ///< of this picture alone; of a classified one the model only
    QString file;           ///< that was classified; empty: the picture was made
    Grid patches;           ///< tokens of the picture; 0x0: not known
    Grid trained;           ///< patches that the model was trained on; 0x0: not told
    int pictures = 1;       ///< made at once: fields are means over them
    bool latents = false;   ///< previews are linear; an autoencoder can decode a step
    QImage picture;         ///< finished; null while it is made
    QString command;        ///< the line that makes it again; empty until it is finished

    // By sampling step from 0; a classified picture has one. Empty: gone, or never there.
    std::map<int, QImage> previews;
    std::map<int, QString> decoded;  ///< what is said of steps that are no previews any more
    std::vector<StepFields> fields;

    [[nodiscard]] bool isClassified() const { return !file.isEmpty(); }
    [[nodiscard]] int steps() const;  ///< that can be shown; 0: the data are gone
    [[nodiscard]] const HeadField* field(HeadId head, int step) const;
    [[nodiscard]] const StepFields* at(int step) const;
    /// Newest picture up to a step; the finished one at the last step and where no preview is left.
    [[nodiscard]] QImage pictureAt(int step) const;
    [[nodiscard]] int pictureStep(int step) const;  ///< the step that pictureAt() is of; -1: the finished picture
    [[nodiscard]] std::size_t bytes() const;        ///< of the data by step
};

/// The pictures of this session and the selected one, which the preview, the time slider, Fields and Attention all
/// show. Data by step are kept up to a budget; of older pictures they go, their settings stay. Checked by
/// tests/widgets/runs_test.cpp.
class Runs : public QObject {
    Q_OBJECT
public:
    static constexpr std::size_t kBudget = 512u << 20;  ///< bytes of data by step

    explicit Runs(QObject* parent = nullptr, std::size_t budget = kBudget) : QObject(parent), m_budget(budget) {}

    int add(Run run);        ///< and selects it
    int addBeside(Run run);  ///< without selecting it
    /// The same picture is made again, its data with it.
    void restart(int run, int model);
    void select(int run);
    /// The model is closed: its runs keep their pictures, nothing of it is selected.
    void closeModel(int model);
    /// A model is open (again): runs of it, as `isOf` tells, belong to it.
    void openModel(int model, const std::function<bool(const Run&)>& isOf,
                   const std::function<Grid(const Run&)>& patchesOf);

    /// A preview and the fields of one step; the slider follows while it stands on the newest.
    void addSteps(int run, const std::vector<GenerateProgress>& steps);
    void finish(int run, Run::State state, const QImage& picture, const QString& command,
                const std::vector<StepFields>& fields);
    void putDecoded(int run, int step, const QImage& picture, const QString& words);

    [[nodiscard]] const Run* current() const { return find(m_current); }  ///< nullptr: none
    [[nodiscard]] const Run* find(int run) const;
    [[nodiscard]] int latest() const { return m_latest; }  ///< begun last; -1: none
    [[nodiscard]] int step() const { return m_step; }      ///< shown, from 0
    void setStep(int step);
    /// Of the selected run at the shown step; nullptr for heads of other models.
    [[nodiscard]] const HeadField* field(HeadRef head) const;

signals:
    void selected();        ///< another run, or none
    void changed(int run);  ///< its data or its state
    void stepChanged(int step);

private:
    Run* own(int run);
    void keepWithinBudget();

    std::map<int, Run> m_runs;
    int m_current = -1;
    int m_latest = -1;
    int m_step = 0;
    int m_nextKey = 0;
    std::size_t m_budget;
};

}  // namespace ropescope
