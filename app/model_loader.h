// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMap>
#include <QObject>
#include <QString>
#include <set>

#include "app/engine_client.h"
#include "widgets/open_models.h"
#include "widgets/selection.h"

namespace ropescope {

/// Opens model files and keeps the views supplied: after a file's header its Atlas numbers, after every change of the
/// selection the full reports of the shown heads. What was open stays open when something fails.
class ModelLoader : public QObject {
    Q_OBJECT
public:
    ModelLoader(EngineClient& engine, OpenModels& models, Selection& selection, QObject* parent = nullptr);

    /// Opens a file, or shows it when it is open already. The answer comes as opened(), refused() or
    /// conventionNeeded().
    void open(ModelRef ref);
    void close(int model);
    /// The user's answers to conventionNeeded(), by answerKey(); used for files that do not say themselves.
    void setConventions(const QMap<QString, Convention>& conventions) { m_conventions = conventions; }
    void setConvention(const ModelRef& ref, Convention convention) { m_conventions[answerKey(ref)] = convention; }
    /// The same for mapTokensNeeded().
    void setMapTokens(const QMap<QString, MapTokens>& answers) { m_mapTokens = answers; }
    void setMapTokens(const ModelRef& ref, MapTokens answer) { m_mapTokens[answerKey(ref)] = answer; }
    [[nodiscard]] const QMap<QString, MapTokens>& mapTokens() const { return m_mapTokens; }
    [[nodiscard]] const QMap<QString, Convention>& conventions() const { return m_conventions; }
    /// Selects the head with the highest cross-axis mixing (the largest condition where there is no mixing).
    void selectInteresting(int model);

    /// Reports with the frequencies of a method on another grid; the answer comes as scaledArrived() or scaledFailed().
    void askScaled(int model, const std::vector<HeadId>& heads, Grid grid, Extrapolation method);

signals:
    void opened(int model);
    void unanswered();  ///< an open() whose model is open already by another, or that was replaced
    void refused(const QString& path, const ropescope::Error& error);
    void conventionNeeded(const ropescope::ModelRef& ref, const QString& name);
    void mapTokensNeeded(const ropescope::ModelRef& ref, const QString& name);
    void atlasArrived(int model);
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
    void take(ModelRef ref, const ModelCard& card);
    void askAtlas(int model);
    void checkSoon(int model);
    void check(int model);
    void askHeads();
    void askHeadsOf(int model, const std::vector<HeadId>& heads);

    EngineClient& m_engine;
    OpenModels& m_models;
    Selection& m_selection;
    QMap<QString, Convention> m_conventions;
    QMap<QString, MapTokens> m_mapTokens;
    std::set<HeadRef> m_failed;                  ///< heads whose report was refused: not asked for again and again
    std::map<int, std::vector<HeadId>> m_asked;  ///< heads on their way, by model
};

}  // namespace ropescope
