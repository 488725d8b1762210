// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/model_loader.h"

#include <QTimer>
#include <algorithm>
#include <cmath>
#include <limits>

#include "app/file_questions.h"
#include "core/data/usual_run.h"

namespace ropescope {
namespace {

constexpr int kCheckDelayMs = 1500;  // what is looked at comes first

/// The head with the largest finite value; no head when there is none.
std::optional<HeadId> largest(const AtlasReport& atlas, const char* key) {
    const auto number = std::ranges::find(atlas.numbers, key, &HeadNumber::key);
    if (number == atlas.numbers.end()) return std::nullopt;
    std::optional<HeadId> best;
    double bestValue = 0;
    for (int i = 0; i < static_cast<int>(number->values.size()) && i < atlas.layers * atlas.heads; ++i) {
        const double value = number->values[static_cast<std::size_t>(i)];
        if (!std::isfinite(value) || (best && value <= bestValue)) continue;
        best = HeadId{i / atlas.heads, i % atlas.heads};
        bestValue = value;
    }
    if (best && bestValue == number->neutral) return std::nullopt;  // plain RoPE: nothing to single out
    return best;
}

/// "name [student]" where a copy was asked for, so that two copies of a file can be told apart.
ModelCard named(ModelCard card, const ModelRef& ref) {
    if (card.copies.size() > 1 && ref.weights != ModelRef{}.weights) card.name += " [" + card.copy + "]";
    return card;
}

}  // namespace

ModelLoader::ModelLoader(EngineClient& engine, OpenModels& models, Selection& selection, QObject* parent)
    : QObject(parent), m_engine(engine), m_models(models), m_selection(selection) {
    connect(&m_selection, &Selection::changed, this, &ModelLoader::askHeads);
    connect(&m_models, &OpenModels::changesChanged, this, &ModelLoader::askAnew);
}

void ModelLoader::open(ModelRef ref, int instead) {
    const QString path = QString::fromStdString(ref.path);
    for (const auto& [key, model] : m_models.all()) {
        if (withoutChanges(model.ref) != withoutChanges(ref)) continue;  // it keeps the changes that it has
        emit opened(key);
        if (instead != key && m_models.find(instead)) close(instead);
        return;
    }
    m_engine.request(OpenRequest{ref}, "", [this, ref, path, instead](const Result<Reply>& reply) {
        if (reply) return take(ref, std::get<ModelCard>(*reply), instead);
        reply.error().kind == ErrorKind::Cancelled ? emit unanswered(ref.path) : emit refused(path, reply.error());
    });
}

QString ModelLoader::answerKey(const ModelRef& ref) {
    const std::string& adapter = ref.adapter;
    return QString::fromStdString(adapter.empty() ? ref.path : ref.path + "\n" + adapter);
}

void ModelLoader::remember(const ModelRef& answered) {
    ModelRef& known = m_answers[answerKey(answered)];
    known = answered;
    known.path.clear(), known.adapter.clear(), known.config.clear();
    known.loras.clear(), known.ignore.clear();
    known = withoutChanges(known);
}

void ModelLoader::forgetAnswers(int model) {
    const OpenModel* open = m_models.find(model);
    if (!open) return;
    m_answers.remove(answerKey(open->ref));
    const ModelRef plain = withoutAnswers(open->ref);
    this->open(plain, model);
}

void ModelLoader::take(const ModelRef& ref, const ModelCard& card, int instead) {
    const ModelRef answered = withAnswers(ref, card, m_answers.value(answerKey(ref)));
    if (answered != ref) return open(answered, instead);
    if (mustBeAnswered(card)) return emit answerNeeded(ref, card, instead);
    for (const auto& [key, model] : m_models.all()) {
        if (withoutChanges(model.ref) == withoutChanges(ref))
            return emit unanswered(ref.path);  // asked for twice before the first answer came
    }
    ModelRef fitting = ref;
    if (const auto fits = checkVariation(ref, card, card.name); !fits) {
        emit changesRefused(fits.error());
        fitting = withoutChanges(ref);
    }
    const int model = m_models.add(fitting, named(card, ref));
    emit opened(model);
    if (m_models.find(instead)) close(instead);
    askAtlas(model);
}

void ModelLoader::close(int model) {
    m_selection.removeModel(model);
    m_models.remove(model);
    m_asked.erase(model), m_arrived.erase(model);
    std::erase_if(m_failed, [&](const HeadRef& head) { return head.model == model; });
    emit closed(model);
}

/// Other changes of its heads: nothing that is known or on its way is of them.
void ModelLoader::askAnew(int model) {
    m_asked.erase(model);
    std::erase_if(m_failed, [&](const HeadRef& head) { return head.model == model; });
    askAtlas(model);
    askHeads();
}

bool ModelLoader::isStill(int model, const ModelRef& ref) const {
    const OpenModel* open = m_models.find(model);
    return open != nullptr && open->ref == ref;
}

void ModelLoader::askAtlas(int model) {
    const OpenModel* open = m_models.find(model);
    if (!open || !open->hasHeads()) return;
    m_engine.request(
        AtlasRequest{open->ref}, QString("atlas:%1").arg(model),
        [this, model, ref = open->ref](const Result<Reply>& reply) {
            if (!isStill(model, ref)) return;
            if (!reply) {
                if (reply.error().kind != ErrorKind::Cancelled) emit atlasFailed(model, reply.error());
                return;
            }
            m_models.setAtlas(model, std::get<AtlasReport>(*reply));
            if (m_arrived.insert(model).second) emit atlasArrived(model);
            checkSoon(model);
        },
        Watch{.picture = {}, .share = {}, .atlas = [this, model, ref = open->ref](const AtlasProgress& progress) {
                  if (isStill(model, ref)) m_models.setAtlas(model, progress.atlas);  // layer by layer, of large models
              }});
}

/// In the background: not before the heads that are looked at have come.
void ModelLoader::checkSoon(int model) {
    QTimer::singleShot(kCheckDelayMs, this, [this, model] { m_asked.empty() ? check(model) : checkSoon(model); });
}

void ModelLoader::check(int model) {
    const OpenModel* open = m_models.find(model);
    if (!open || open->check || !open->runs()) return;
    m_engine.request(SelfCheckRequest{withoutChanges(open->ref)}, QString("check:%1").arg(model),
                     [this, model](const Result<Reply>& reply) {
                         if (reply) return m_models.setCheck(model, std::get<SelfCheckReport>(*reply));
                         if (reply.error().kind == ErrorKind::Cancelled) return;
                         SelfCheckRow failed;
                         failed.key = "check";
                         failed.title = "Check could not run";
                         failed.value = failed.bound = std::numeric_limits<double>::quiet_NaN();
                         failed.text = reply.error().message();
                         m_models.setCheck(model, {{failed}, LampState::None});
                     });
}

void ModelLoader::selectInteresting(int model) {
    const OpenModel* open = m_models.find(model);
    if (!open || !open->atlas || open->atlas->layers < 1 || open->atlas->heads < 1) return;
    std::optional<HeadId> head = largest(*open->atlas, "cross_axis_mixing");
    if (!head) head = largest(*open->atlas, "condition");
    m_selection.select({model, head.value_or(HeadId{})});
}

void ModelLoader::askHeads() {
    std::map<int, std::vector<HeadId>> wanted;
    for (const HeadRef& head : m_models.missing(m_selection.shown())) {
        if (m_models.find(head.model) && !m_failed.contains(head)) wanted[head.model].push_back(head.id);
    }
    for (const auto& [model, heads] : wanted) {
        if (m_asked[model] != heads) askHeadsOf(model, heads);
    }
}

void ModelLoader::askScaled(int model, const std::vector<HeadId>& heads, Grid grid, Extrapolation method) {
    const OpenModel* open = m_models.find(model);
    if (!open) return;
    HeadsRequest request{open->ref, heads, {}};
    request.extrapolate.method = method;
    request.extrapolate.trained = trainedGrid(open->card);
    request.model.grid = grid;
    const auto take = [this, model, ref = open->ref, grid, method](const Result<Reply>& reply) {
        if (!isStill(model, ref)) return;
        if (reply) return emit scaledArrived(model, grid, method, std::get<HeadsReport>(*reply));
        if (reply.error().kind != ErrorKind::Cancelled) emit scaledFailed(reply.error());
    };
    m_engine.request(request, QString("scaled:%1").arg(model), take);
}

void ModelLoader::askHeadsOf(int model, const std::vector<HeadId>& heads) {
    m_asked[model] = heads;
    emit headsAsked(static_cast<int>(heads.size()));
    const ModelRef ref = m_models.find(model)->ref;
    m_engine.request(HeadsRequest{ref, heads}, QString("heads:%1").arg(model),
                     [this, model, ref, heads](const Result<Reply>& reply) {
                         if (!isStill(model, ref)) {
                             if (m_asked.empty()) emit headsArrived();  // nothing is awaited any more
                             return;
                         }
                         if (!reply) {
                             if (reply.error().kind == ErrorKind::Cancelled)
                                 return;  // a newer request holds what is still missing
                             m_asked.erase(model);
                             for (HeadId id : heads) m_failed.insert({model, id});
                             emit headsFailed(reply.error());
                             return;
                         }
                         m_asked.erase(model);
                         for (const HeadReport& report : std::get<HeadsReport>(*reply).heads)
                             m_models.putHead(model, report);
                         emit headsArrived();
                     });
}

}  // namespace ropescope
