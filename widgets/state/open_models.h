// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QStringList>
#include <map>
#include <optional>
#include <vector>

#include "core/data/analysis.h"
#include "core/data/atlas.h"
#include "core/data/generation.h"
#include "core/data/head_report.h"
#include "core/data/model.h"
#include "core/data/model_card.h"
#include "core/data/self_check.h"
#include "widgets/state/selection.h"

class QFont;

namespace ropescope {

/// One open model and every result that has arrived for it.
struct OpenModel {
    ModelRef ref;
    ModelCard card;
    std::optional<AtlasReport> atlas;
    std::map<HeadId, HeadReport> heads;            ///< reports that have arrived
    std::vector<HeadNumber> shares;                ///< between picture and text, by head, of the selected picture
    std::optional<CalibrationReport> calibration;  ///< of the latest measurement on images
    QString calibrationLine;                       ///< the command line that repeats it
    std::optional<SelfCheckReport> check;          ///< whether it computes what it should

    /// Other files can be looked at only.
    [[nodiscard]] bool runs() const { return card.problem.empty(); }
    /// Without them there is nothing for the views of heads.
    [[nodiscard]] bool hasHeads() const { return !card.architecture.empty() && card.layers > 0 && card.heads > 0; }
    /// By class, from a seed: what Generate and measurements do.
    [[nodiscard]] bool drawsImages() const { return card.architecture == "dit"; }
    /// From a prompt.
    [[nodiscard]] bool takesText() const { return card.takesText(); }
    [[nodiscard]] bool makesPictures() const { return runs() && (drawsImages() || takesText()); }
    /// It would draw, but nobody has said how it counts time.
    [[nodiscard]] bool lacksTime() const { return runs() && drawsImages() && card.objective.empty(); }
    [[nodiscard]] QString name() const { return QString::fromStdString(card.name); }
};

/// The same file as if nobody had said of it what it does not say itself.
[[nodiscard]] ModelRef withoutAnswers(const ModelRef& ref);
/// Why nothing can be computed with it, without the error's code and the file's path.
[[nodiscard]] QString problemOf(const ModelCard& card);

/// The results that the views draw, by model. The window puts results in; views read them and follow the signals.
class OpenModels : public QObject {
    Q_OBJECT
public:
    explicit OpenModels(QObject* parent = nullptr) : QObject(parent) {}

    int add(const ModelRef& ref, const ModelCard& card);  ///< returns the model's key
    void remove(int model);
    /// Of its heads, in the place of those that it has: every request for it carries them from now on. What was
    /// computed with the others goes; the check stays, which is of the heads as stored.
    void setChanges(int model, std::vector<HeadChange> changes, VariationModel madeFor = {});
    void setAtlas(int model, AtlasReport atlas);
    void putHead(int model, HeadReport report);
    /// What the fields of a picture say of the attention between picture and text joins the Atlas, by the mean over
    /// steps. Nothing where there is no text.
    void joinShares(int model, const std::vector<StepFields>& fields);

    /// Its numbers join those of the Atlas, by their mean over images.
    /// `line`: the command line that measures the same; empty where it is not known any more.
    void setCalibration(int model, CalibrationReport report, const QString& line = {});
    void setCheck(int model, SelfCheckReport report);

    [[nodiscard]] const std::map<int, OpenModel>& all() const { return m_models; }
    [[nodiscard]] const OpenModel* find(int model) const;  ///< nullptr when it is not open
    [[nodiscard]] const HeadReport* head(HeadRef head) const;
    /// What images said about a head; nullptr when it was not measured.
    [[nodiscard]] const HeadCalibration* calibration(HeadRef head) const;
    /// "L4.H2", and "L4.H2 of fashion-harope" when several models are open.
    [[nodiscard]] QString headName(HeadRef head) const;
    /// "L4.H2", and "L4.H2 A" with the model's letter when several are open; modelLetters() explains them.
    [[nodiscard]] QString shortHeadName(HeadRef head) const;
    /// The longest of the two that is at most `width` pixels wide in this font; "L4.H2" where neither is.
    [[nodiscard]] QString headCaption(HeadRef head, const QFont& font, double width) const;
    /// 'A', 'B', ... in the order in which they were opened.
    [[nodiscard]] QChar modelLetter(int model) const;
    /// "A fashion-harope    B fashion-rope" of the models of these heads; empty when only one model is open.
    [[nodiscard]] QString modelLetters(const std::vector<HeadRef>& heads) const;

    /// Files on their way, by name: what empty views say meanwhile.
    void setOpening(const QStringList& names);
    [[nodiscard]] const QStringList& opening() const { return m_opening; }
    /// Shown heads (see Selection::shown) whose report has not arrived: what the window asks the engine for.
    [[nodiscard]] std::vector<HeadRef> missing(const std::vector<HeadRef>& heads) const;

signals:
    void modelsChanged();
    void changesChanged(int model);  ///< of its heads; what depends on them is to be asked for anew
    void openingChanged();
    void atlasChanged(int model);
    void headChanged(ropescope::HeadRef head);
    void calibrationChanged(int model);
    void checkChanged(int model);

private:
    std::map<int, OpenModel> m_models;
    int m_nextKey = 0;
    QStringList m_opening;
};

}  // namespace ropescope
