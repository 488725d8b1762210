// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/generation.h"

#include <QDir>
#include <QJsonDocument>
#include <QJsonObject>
#include <utility>

#include "widgets/frame/message_bar.h"
#include "widgets/gallery/gallery.h"
#include "widgets/gallery/gallery_picture.h"
#include "widgets/generate/generate_settings.h"
#include "widgets/generate/lora_list.h"
#include "widgets/state/change_text.h"
#include "widgets/state/image.h"
#include "widgets/state/kept_settings.h"

namespace ropescope {
namespace {

constexpr int kLongestSubject = 200;  // letters of a prompt
constexpr int kRecordAllUpTo = 64;    // heads: small models record every head, so that any selection finds its field
constexpr int kFieldsPauseMs = 50;    // fields are drawn this often at most, so that a drag stays smooth meanwhile

/// As it is opened: LoRAs are settings of a run, changes of heads are put on the open model.
ModelRef bare(ModelRef model) {
    model.loras.clear();
    return withoutChanges(std::move(model));
}

/// The same file read in the same way.
bool sameModel(const ModelRef& a, const ModelRef& b) {
    return bare(a) == bare(b);
}

QString classNameOf(const OpenModel& model, int label) {
    const auto& names = model.card.classNames;
    if (label >= 0 && label < static_cast<int>(names.size())) return QString::fromStdString(names[label]);
    return label >= model.card.classes ? QString("no class") : QString("class %1").arg(label);
}

/// Tokens of the picture; 0x0 where sizes are pixels of a picture whose tokens nobody has told yet.
Grid patchesOf(const OpenModel& model, const GenerateRequest& request) {
    if (request.size == Grid{}) return model.card.grid;
    const int step = sizeStep(model.card);
    return step > 0 ? Grid{request.size.rows / step, request.size.cols / step} : Grid{};
}

Run newRun(const OpenModel& model, int key, const GenerateRequest& request) {
    Run run;
    run.model = key;
    run.modelName = model.name();
    run.subject = request.text.prompt.empty() ? classNameOf(model, request.labels.front())
                                              : QString::fromStdString(request.text.prompt).left(kLongestSubject);
    run.asked = request;
    run.patches = patchesOf(model, request);
    run.pictures = request.batch;
    run.latents = drawsLatents(model);
    run.trained = model.takesText() ? Grid{} : model.card.grid;
    return run;
}

/// The request that makes one image of a batch.
GenerateRequest alone(GenerateRequest request, const GeneratedImage& image) {
    request.seed = image.seed;
    request.labels = {image.label};
    request.batch = 1;
    return request;
}

QString commandOf(const GeneratedImage& image) {
    const QJsonDocument recipe = QJsonDocument::fromJson(QByteArray::fromStdString(image.recipe));
    return recipe.object()["command"].toString();
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

QString headsWords(const OpenModel& model) {
    const QString heads = changedHeadsText(model);
    return heads.isEmpty() ? QString("The heads of %1 are as stored.").arg(model.name())
                           : QString("%1: %2.").arg(model.name(), heads);
}

}  // namespace

Generation::Generation(EngineClient& engine, OpenModels& models, Selection& selection, Runs& runs,
                       Variations& variations, GenerateView& view, QObject* parent)
    : QObject(parent),
      m_engine(engine),
      m_models(models),
      m_selection(selection),
      m_runs(runs),
      m_variations(variations),
      m_view(view) {
    connect(&m_view, &GenerateView::generateRequested, this, &Generation::run);
    connect(&m_view, &GenerateView::cancelRequested, this, &Generation::cancel);
    connect(&m_view, &GenerateView::pictureDropped, this, &Generation::restoreFrom);
    connect(&m_view, &GenerateView::settingsWanted, this, [this](const GenerateRequest& settings) {
        takeSettings({.path = "this picture", .settings = settings, .taken = {}, .complete = true, .kept = {}});
    });
    connect(&m_view.settings(), &GenerateSettings::tokensWanted, this, &Generation::askTokens);
    connect(&m_view.settings(), &GenerateSettings::lorasWanted, this, &Generation::askLoras);
    connect(&m_view.gallery(), &Gallery::chosen, this, &Generation::showPicture);
    connect(&m_runs, &Runs::selected, this, &Generation::joinShares);
    m_stepsPause.setSingleShot(true);
    m_stepsPause.setInterval(kFieldsPauseMs);
    connect(&m_stepsPause, &QTimer::timeout, this, &Generation::showNewSteps);
}

void Generation::run(GenerateRequest request) {
    start(std::move(request), m_view.model(), -1);
}

void Generation::start(GenerateRequest request, int model, int again) {
    const OpenModel* open = m_models.find(model);
    if (!open || m_job != 0) return;
    if (open->lacksTime()) return emit timeWanted(model);
    m_model = model;
    m_again = again;
    m_run = -1;
    const std::vector<LoraRef> loras = request.model.loras;
    request.model = open->ref;
    request.model.loras = loras;
    request.compute.device = m_device.toStdString();
    request.previews = true;
    if (request.record != RecordFields::None && open->card.layers * open->card.heads > kRecordAllUpTo) {
        request.record = RecordFields::Listed;
        request.recordHeads.clear();
        for (const HeadRef& head : m_selection.shown()) {
            if (head.model == m_model) request.recordHeads.push_back(head.id);
        }
    }
    m_engine.cancel(m_decoding);
    m_view.start(request.steps);
    emit starting();
    m_job = m_engine.request(
        request, "generate", [this, request](const Result<Reply>& reply) { finish(request, reply); },
        Watch{
            .picture =
                [this, request](const GenerateProgress& progress) {
                    begin(request);
                    m_newSteps.push_back(progress);
                    if (!m_stepsPause.isActive()) showNewSteps();
                },
            .share = [this](const ShareProgress& progress) { m_view.showWords(QString::fromStdString(progress.word)); },
            .atlas = {}});
    emit runningChanged(true);
}

/// A run that is refused leaves what was there.
void Generation::begin(const GenerateRequest& request) {
    if (m_run >= 0) return;
    if (m_again >= 0 && m_runs.find(m_again) != nullptr) {
        m_run = m_again;
        return m_runs.restart(m_run, m_model);
    }
    const OpenModel* open = m_models.find(m_model);
    if (open == nullptr) return;  // closed meanwhile
    m_run = m_runs.add(newRun(*open, m_model, request));
}

void Generation::cancel() {
    m_engine.cancel(m_job);
}

void Generation::runAgain(int run) {
    const Run* wanted = m_runs.find(run);
    if (wanted == nullptr || m_job != 0) return;
    GenerateRequest request = wanted->asked;
    request.record = RecordFields::All;
    for (const auto& [key, model] : m_models.all()) {
        if (!sameModel(model.ref, request.model)) continue;
        if (takeHeads(key, request.model)) start(request, key, run);
        return;
    }
    m_waitingAgain = run;
    emit modelWanted(bare(request.model));
}

bool Generation::takeHeads(int model, const ModelRef& made) {
    const auto done = m_variations.take(model, made, "this picture", Variations::With::Nothing);
    if (!done)
        m_view.messages().showError(done.error(), ofModel(model));
    else if (*done)
        m_view.messages().showNote(headsWords(*m_models.find(model)), undo());
    return done.has_value();
}

/// At once, then not again before the pause is over: several steps at once are one change for the views.
void Generation::showNewSteps() {
    if (m_newSteps.empty()) return;
    const GenerateProgress newest = m_newSteps.back();
    m_runs.addSteps(m_run, std::exchange(m_newSteps, {}));
    m_view.showProgress(newest);
    emit progressed(newest);
    m_stepsPause.start();
}

void Generation::finish(const GenerateRequest& request, const Result<Reply>& reply) {
    m_job = 0;
    m_stepsPause.stop();
    if (reply) begin(request);
    showNewSteps();
    m_stepsPause.stop();
    if (reply) {
        takePictures(request, std::get<GenerateResult>(*reply));
    } else if (reply.error().kind == ErrorKind::Cancelled) {
        m_runs.finish(m_run, Run::State::Cancelled, {}, {}, {});
        m_view.cancelled();
    } else {
        m_runs.finish(m_run, Run::State::Cancelled, {}, {}, {});
        m_view.fail(reply.error());
    }
    joinShares();
    emit runningChanged(false);
}

/// The first picture of a batch has the previews and fields; each of the others is a picture to be made again.
void Generation::takePictures(const GenerateRequest& request, const GenerateResult& result) {
    const OpenModel* open = m_models.find(m_model);
    const auto pictureOf = [](const GeneratedImage& image) { return imageOf(image.pixels); };
    if (!result.images.empty())
        m_runs.finish(m_run, Run::State::Done, pictureOf(result.images.front()), commandOf(result.images.front()),
                      result.fields);
    m_view.finish(result);
    if (m_again >= 0) return;  // the gallery has it
    for (std::size_t i = result.images.size(); i-- > 0 && open != nullptr;) {
        const GeneratedImage& image = result.images[i];
        GalleryPicture picture;
        picture.run = m_run;
        picture.request = alone(request, image);
        if (i > 0) {
            Run other = newRun(*open, m_model, picture.request);
            other.state = Run::State::Done;
            other.picture = pictureOf(image);
            other.command = commandOf(image);
            picture.run = m_runs.addBeside(std::move(other));
        }
        picture.image = image;
        picture.modelName = open->name();
        picture.className = classNameOf(*open, image.label);
        picture.made = QDateTime::currentDateTime();
        picture.size = QSize(static_cast<int>(image.pixels.shape[1]), static_cast<int>(image.pixels.shape[0]));
        picture.patches = patchesOf(*open, request);
        picture.known = true;
        m_view.gallery().addPicture(std::move(picture));
    }
    m_view.gallery().setCurrentRun(m_run);
    emit finished(result);
}

/// What the selected picture says of picture and text joins the Atlas of its model, if its heads are the same.
void Generation::joinShares() {
    const Run* run = m_runs.current();
    const OpenModel* open = run == nullptr ? nullptr : m_models.find(run->model);
    if (open != nullptr && run->state != Run::State::Running && !run->isClassified() &&
        open->ref.changes == run->asked.model.changes)
        m_models.joinShares(run->model, run->fields);
}

void Generation::showPicture(int row) {
    const GalleryPicture& picture = m_view.gallery().picture(row);
    if (m_runs.find(picture.run) != nullptr) return m_runs.select(picture.run);
    Run run;
    run.state = Run::State::Done;
    run.modelName = picture.modelName;
    run.subject = subjectOf(picture).left(kLongestSubject);
    run.asked = picture.request;
    run.patches = picture.patches;
    run.picture = imageOf(m_view.gallery().image(row).pixels);
    for (const auto& [key, model] : m_models.all())
        if (sameModel(model.ref, picture.request.model)) run.model = key, run.patches = patchesOf(model, run.asked);
    const int key = m_runs.addBeside(std::move(run));
    m_view.gallery().setRun(row, key);
    m_runs.select(key);
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

void Generation::decode(int run, int step) {
    const Run* made = m_runs.find(run);
    if (made == nullptr) return;
    // The autoencoder may have been chosen after the run.
    const std::string vae = m_view.model() == made->model ? m_view.settings().request().vae : made->asked.vae;
    m_decoding = m_engine.request(DecodeRequest{made->asked, step, vae}, "decode",
                                  [this, run, step](const Result<Reply>& reply) {
                                      if (m_job != 0) return;  // another run has begun
                                      if (!reply) {
                                          if (reply.error().kind != ErrorKind::Cancelled) m_view.fail(reply.error());
                                          return;
                                      }
                                      const auto& picture = std::get<DecodedStep>(*reply);
                                      QString words = QString("Step %1 through the autoencoder").arg(step + 1);
                                      if (!picture.note.empty())
                                          words += QStringLiteral("  \u00b7  ") + QString::fromStdString(picture.note);
                                      m_runs.putDecoded(run, step, imageOf(picture.pixels), words);
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
        m_variations.forget();
        m_view.restore(overlaid(settings.kept(settings.kind()), found));
        QStringList names;
        for (const std::string& name : found.taken) names.append(QString::fromStdString(name));
        QString note = QString("%1 says %2; everything else stays as it is.")
                           .arg(path, names.isEmpty() ? "nothing that is used here" : names.join(", "));
        if (!found.kept.empty()) note += " Not used: " + listed(found.kept);
        return m_view.messages().showNote(note, undo());
    }
    const OpenModel* open = m_models.find(m_view.model());
    if (open && sameModel(open->ref, found.settings.model)) return restore(found, m_view.model());
    m_waiting = found;
    emit modelWanted(bare(found.settings.model));
}

void Generation::restore(const PictureSettings& found, int model) {
    const QString path = QString::fromStdString(found.path);
    const auto done = m_variations.take(model, found.settings.model, path, Variations::With::Settings);
    if (!done) return m_view.messages().showError(done.error(), ofModel(model));
    m_view.restore(found.settings);
    QString text = QString("The settings of %1 are restored.").arg(path);
    if (*done) text += ' ' + headsWords(*m_models.find(model));
    m_view.messages().showNote(text, undo());
}

void Generation::modelOpened(int model) {
    const OpenModel* open = m_models.find(model);
    if (open)
        m_runs.openModel(
            model, [open](const Run& run) { return sameModel(open->ref, run.asked.model); },
            [open](const Run& run) { return patchesOf(*open, run.asked); });
    if (const Run* again = m_runs.find(m_waitingAgain); again && open && sameModel(open->ref, again->asked.model))
        runAgain(std::exchange(m_waitingAgain, -1));
    if (!m_waiting || !open || !sameModel(open->ref, m_waiting->settings.model)) return;
    const PictureSettings found = *std::exchange(m_waiting, std::nullopt);
    m_view.setModel(model);
    restore(found, model);
}

MessageAbout Generation::undo() {
    MessageAbout about = withAction("Undo", [this] { undoRestore(); });
    about.cause = GenerateView::kRestored;
    return about;
}

void Generation::undoRestore() {
    const bool settings = !m_variations.canUndo() || m_variations.undoesSettings();
    m_variations.undo();
    m_view.messages().clearCause(GenerateView::kRestored);
    if (settings) m_view.undoRestore();
}

void Generation::takeLoras(int model, const std::vector<LoraRef>& loras) {
    const OpenModel* open = m_models.find(model);
    if (open == nullptr || !open->takesText()) return;
    m_view.setModel(model);
    GenerateRequest settings = m_view.settings().kept(m_view.settings().kind());
    settings.model.loras = loras;
    m_view.restore(settings);
}

void Generation::modelRefused(const QString& path) {
    if (!m_waiting || path.toStdString() != m_waiting->settings.model.path) return;
    const PictureSettings found = *std::exchange(m_waiting, std::nullopt);
    m_variations.forget();
    m_view.restore(found.settings);
    m_view.messages().showNote(QString("The model of %1 cannot be opened (%2); its settings, without changes of heads, "
                                       "are put on the one that is open.")
                                   .arg(QString::fromStdString(found.path), path),
                               undo());
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
