// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/generation.h"

#include <QDir>
#include <utility>

#include "widgets/generate_settings.h"
#include "widgets/lora_list.h"
#include "widgets/message_bar.h"

namespace ropescope {
namespace {

constexpr int kRecordAllUpTo = 64;  // heads: small models record every head, so that any selection finds its field
constexpr int kFieldsPauseMs = 50;  // fields are drawn this often at most, so that a drag stays smooth meanwhile

/// The same file read in the same way; LoRAs are settings of a run.
bool sameModel(ModelRef a, ModelRef b) {
    a.loras.clear(), b.loras.clear();
    return a == b;
}

/// Settings as they stand, with those that a picture of another program says.
GenerateRequest overlaid(GenerateRequest now, const PictureSettings& found) {
    const GenerateRequest& s = found.settings;
    for (const std::string& name : found.taken) {
        if (name == "prompt") now.text.prompt = s.text.prompt;
        if (name == "negative prompt") now.text.negative = s.text.negative;
        if (name == "steps") now.steps = s.steps;
        if (name == "guidance") now.guidance = s.guidance;
        if (name == "true guidance") now.text.trueGuidance = s.text.trueGuidance;
        if (name == "seed") now.seed = s.seed, now.noiseFile.clear(), now.stepNoiseFile.clear();
        if (name == "size") now.size = s.size;
        if (name == "class") now.labels = s.labels;
        if (name == "sampler") now.sampler = s.sampler;
    }
    return now;
}

/// "Hires upscale: 2 \u00b7 Version: v1.9 \u00b7 3 more": long ones and many are cut.
QString listed(const std::vector<std::string>& kept) {
    constexpr int kLongest = 60, kRoom = 300;  // characters, so that the bar stays a few lines high
    QStringList out;
    int used = 0;
    for (const std::string& entry : kept) {
        const QString text = QString::fromStdString(entry.substr(0, 1000)).simplified();
        out.append(text.size() > kLongest ? text.left(kLongest - 1) + QChar(0x2026) : text);
        used += out.back().size();
        if (used > kRoom) break;
    }
    const std::size_t more = kept.size() - static_cast<std::size_t>(out.size());
    if (more > 0) out.append(QString("%1 more").arg(more));
    return out.join(QStringLiteral(" \u00b7 "));
}

}  // namespace

Generation::Generation(EngineClient& engine, OpenModels& models, Selection& selection, GenerateView& view,
                       QObject* parent)
    : QObject(parent), m_engine(engine), m_models(models), m_selection(selection), m_view(view) {
    connect(&m_view, &GenerateView::generateRequested, this, &Generation::run);
    connect(&m_view, &GenerateView::cancelRequested, this, &Generation::cancel);
    connect(&m_view, &GenerateView::decodeRequested, this, &Generation::decode);
    connect(&m_view, &GenerateView::pictureDropped, this, &Generation::restoreFrom);
    connect(&m_view, &GenerateView::settingsWanted, this, [this](const GenerateRequest& settings) {
        takeSettings({.path = "this picture", .settings = settings, .taken = {}, .complete = true, .kept = {}});
    });
    connect(&m_view.settings(), &GenerateSettings::tokensWanted, this, &Generation::askTokens);
    connect(&m_view.settings(), &GenerateSettings::lorasWanted, this, &Generation::askLoras);
    m_fieldsPause.setSingleShot(true);
    m_fieldsPause.setInterval(kFieldsPauseMs);
    connect(&m_fieldsPause, &QTimer::timeout, this, &Generation::showNewFields);
}

void Generation::run(GenerateRequest request) {
    const OpenModel* open = m_models.find(m_view.model());
    if (!open || m_job != 0) return;
    if (open->lacksTime()) return emit timeWanted(m_view.model());
    m_model = m_view.model();
    const std::vector<LoraRef> loras = request.model.loras;
    request.model = open->ref;
    request.model.loras = loras;
    request.compute.device = m_device.toStdString();
    request.previews = true;
    if (request.record != RecordFields::None && open->card.layers * open->card.heads > kRecordAllUpTo) {
        request.record = RecordFields::Listed;
        for (const HeadRef& head : m_selection.shown()) {
            if (head.model == m_model) request.recordHeads.push_back(head.id);
        }
    }
    m_engine.cancel(m_decoding);
    m_begun = false;
    m_view.start(request.steps);
    emit starting();
    m_job = m_engine.request(
        request, "generate", [this, request](const Result<Reply>& reply) { finish(request, reply); },
        Watch{
            .picture =
                [this, request](const GenerateProgress& progress) {
                    begin(request);
                    m_newFields.push_back(progress.fields);
                    m_steps = progress.step;
                    if (!m_fieldsPause.isActive()) showNewFields();
                    m_view.showProgress(progress);
                    emit progressed(progress);
                },
            .share = [this](const ShareProgress& progress) { m_view.showWords(QString::fromStdString(progress.word)); },
            .atlas = {}});
    emit runningChanged(true);
}

/// A run that is refused leaves what was there.
void Generation::begin(const GenerateRequest& request) {
    if (std::exchange(m_begun, true)) return;
    m_run = request;
    m_runModel = m_model;
    m_steps = 0;
    m_models.clearFields(m_model);
    emit started(m_model, m_run);
}

void Generation::cancel() {
    m_engine.cancel(m_job);
}

/// At once, then not again before the pause is over.
void Generation::showNewFields() {
    if (m_newFields.empty()) return;
    takeFields(std::exchange(m_newFields, {}));
    m_fieldsPause.start();
}

/// Several steps at once are one change for the views.
void Generation::takeFields(const std::vector<StepFields>& steps) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const bool last = i + 1 == steps.size();
        const bool wasBlocked = m_models.blockSignals(!last);
        m_models.putFields(m_model, steps[i]);
        m_models.blockSignals(wasBlocked);
    }
}

void Generation::finish(const GenerateRequest& request, const Result<Reply>& reply) {
    m_job = 0;
    m_fieldsPause.stop();
    takeFields(std::exchange(m_newFields, {}));
    if (reply) {
        begin(request);
        const auto& result = std::get<GenerateResult>(*reply);
        for (const StepFields& step : result.fields)
            m_models.putFields(m_model, step);  // steps whose preview was skipped
        m_steps = request.steps;
        m_view.finish(request, result);
        emit finished(result);
        if (!result.images.empty()) emit pictureMade(result.images.front());
    } else if (reply.error().kind == ErrorKind::Cancelled) {
        m_view.cancelled();
    } else {
        m_view.fail(reply.error());
    }
    if (m_begun) m_models.joinShares(m_model);
    emit runningChanged(false);
    if (m_begun) emit ended(m_steps);
}

void Generation::askTokens(const TokensRequest& request) {
    m_engine.request(request, "tokens", [this](const Result<Reply>& reply) {
        if (reply) return m_view.settings().prompt().showTokens(std::get<TokensReport>(*reply));
        if (reply.error().kind != ErrorKind::Cancelled) m_view.settings().prompt().showProblem(reply.error());
    });
}

/// Before the run, which says the same of what it uses.
void Generation::askLoras(const LorasRequest& request) {
    m_engine.request(request, "loras", [this](const Result<Reply>& reply) {
        if (reply) m_view.settings().loras().showMatches(std::get<LorasReport>(*reply));
    });
}

void Generation::decode(int step) {
    // The autoencoder may have been chosen after the run.
    const std::string vae = m_view.model() == m_runModel ? m_view.settings().request().vae : m_run.vae;
    m_decoding = m_engine.request(DecodeRequest{m_run, step, vae}, "decode", [this, step](const Result<Reply>& reply) {
        if (m_job != 0) return;  // another run has begun
        if (reply) return m_view.showDecoded(step, std::get<DecodedStep>(*reply));
        if (reply.error().kind != ErrorKind::Cancelled) m_view.fail(reply.error());
    });
}

void Generation::restoreFrom(const QString& path) {
    m_engine.request(ReadSettingsRequest{QDir::toNativeSeparators(path).toStdString()}, "settings",
                     [this](const Result<Reply>& reply) {
                         if (reply) return takeSettings(std::get<PictureSettings>(*reply));
                         if (reply.error().kind != ErrorKind::Cancelled) m_view.messages().showError(reply.error());
                     });
}

void Generation::takeSettings(const PictureSettings& found) {
    const QString path = QString::fromStdString(found.path);
    if (!found.complete) {
        const GenerateSettings& settings = m_view.settings();
        m_view.restore(overlaid(settings.kept(settings.kind()), found));
        QStringList names;
        for (const std::string& name : found.taken) names.append(QString::fromStdString(name));
        QString note = QString("%1 says %2; everything else stays as it is.")
                           .arg(path, names.isEmpty() ? "nothing that is used here" : names.join(", "));
        if (!found.kept.empty()) note += " Not used: " + listed(found.kept);
        return m_view.messages().showNote(note);
    }
    const OpenModel* open = m_models.find(m_view.model());
    ModelRef wanted = found.settings.model;
    wanted.loras.clear();
    if (open && sameModel(open->ref, wanted)) {
        m_view.restore(found.settings);
        return m_view.messages().showNote(QString("The settings of %1 are restored.").arg(path));
    }
    m_waiting = found;
    emit modelWanted(wanted);
}

void Generation::modelOpened(int model) {
    const OpenModel* open = m_models.find(model);
    if (!m_waiting || !open || !sameModel(open->ref, m_waiting->settings.model)) return;
    const PictureSettings found = *std::exchange(m_waiting, std::nullopt);
    m_view.setModel(model);
    m_view.restore(found.settings);
    m_view.messages().showNote(QString("The settings of %1 are restored.").arg(QString::fromStdString(found.path)));
}

void Generation::modelRefused(const QString& path) {
    if (!m_waiting || path.toStdString() != m_waiting->settings.model.path) return;
    const PictureSettings found = *std::exchange(m_waiting, std::nullopt);
    m_view.restore(found.settings);
    m_view.messages().showNote(QString("The model of %1 cannot be opened (%2); its settings are put on the one that is "
                                       "open.")
                                   .arg(QString::fromStdString(found.path), path));
}

void Generation::save(const GeneratedImage& image, const QString& path) {
    const SavePngRequest request{QDir::toNativeSeparators(path).toStdString(), image.pixels, image.recipe};
    m_engine.request(request, "", [this, path](const Result<Reply>& reply) {
        if (reply) {
            m_view.messages().showNote(QString("Saved %1 with its recipe.").arg(path));
        } else {
            m_view.messages().showError(reply.error());
        }
    });
}

}  // namespace ropescope
