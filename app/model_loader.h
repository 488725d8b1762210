// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMap>
#include <QObject>
#include <QString>
#include <set>

#include "app/engine_client.h"
#include "widgets/state/open_models.h"
#include "widgets/state/selection.h"

namespace ropescope {

/// Opens model files and keeps the views supplied: after a file's header its Atlas numbers, after every change of the
/// selection the full reports of the shown heads. What was open stays open when something fails.
class ModelLoader : public QObject {
    Q_OBJECT
public:
    ModelLoader(EngineClient& engine, OpenModels& models, Selection& selection, QObject* parent = nullptr);

    /// Opens a file, or shows it, whatever its heads are, when it is open already. The answer comes as opened(),
    /// refused() or answerNeeded(). `instead`: the open model whose place it takes.
    void open(ModelRef ref, int instead = -1);
    void close(int model);
    /// What users have said of files that do not say it themselves, by answerKey(): references in which that is set.
    void setAnswers(const QMap<QString, ModelRef>& answers) { m_answers = answers; }
    [[nodiscard]] const QMap<QString, ModelRef>& answers() const { return m_answers; }
    void remember(const ModelRef& answered);
    /// Opens it again as if nothing had ever been said of it.
    void forgetAnswers(int model);
    /// Selects the head with the highest cross-axis mixing (the largest condition where there is no mixing).
    void selectInteresting(int model);

    /// Reports with the frequencies of a method on another grid; the answer comes as scaledArrived() or scaledFailed().
    void askScaled(int model, const std::vector<HeadId>& heads, Grid grid, Extrapolation method);

signals:
    void opened(int model);
    void unanswered(const std::string& path);  ///< an open() whose model is open already by another, or was replaced
    void changesRefused(const ropescope::Error& error);  ///< they do not fit the model, which opens without them
    void refused(const QString& path, const ropescope::Error& error);
    void closed(int model);
    /// Without it the file is not opened (mustBeAnswered()).
    void answerNeeded(const ropescope::ModelRef& ref, const ropescope::ModelCard& card, int instead);
    void atlasArrived(int model);  ///< the first one; those of other changes join it silently
    void atlasFailed(int model, const ropescope::Error& error);
    void headsAsked(int count);
    void headsArrived();
    void scaledArrived(int model, ropescope::Grid grid, ropescope::Extrapolation method,
                       const ropescope::HeadsReport& report);
    void scaledFailed(const ropescope::Error& error);
    void headsFailed(const ropescope::Error& error);

private:
    /// Absolute path, and behind it that of the adapter whose maps they are.
    [[nodiscard]] static QString answerKey(const ModelRef& ref);
    void take(const ModelRef& ref, const ModelCard& card, int instead);
    void askAnew(int model);
    [[nodiscard]] bool isStill(int model, const ModelRef& ref) const;  ///< open, with the same changes
    void askAtlas(int model);
    void checkSoon(int model);
    void check(int model);
    void askHeads();
    void askHeadsOf(int model, const std::vector<HeadId>& heads);

    EngineClient& m_engine;
    OpenModels& m_models;
    Selection& m_selection;
    QMap<QString, ModelRef> m_answers;
    std::set<int> m_arrived;                     ///< models whose first Atlas has come
    std::set<HeadRef> m_failed;                  ///< heads whose report was refused: not asked for again and again
    std::map<int, std::vector<HeadId>> m_asked;  ///< heads on their way, by model
};

}  // namespace ropescope
