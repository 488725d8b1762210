// SPDX-License-Identifier: GPL-3.0-or-later
// The parts of the window that open models.
#include <QComboBox>
#include <QFileDialog>
#include <QFileInfo>

#include "app/ask_bar.h"
#include "app/engine_status.h"
#include "app/file_questions.h"
#include "app/main_window.h"
#include "widgets/atlas/atlas_view.h"
#include "widgets/frame/message_bar.h"
#include "widgets/models/model_tree.h"

namespace ropescope {
namespace {

constexpr int kMostDropped = 20;

}  // namespace

void MainWindow::openFiles(const QStringList& paths) {
    if (paths.size() > kMostDropped) {
        m_panels.messages->showNote(
            QString("%1 files at once: the first %2 are opened.").arg(paths.size()).arg(kMostDropped));
    }
    for (const QString& path : paths.mid(0, kMostDropped)) {
        if (path.endsWith(".png", Qt::CaseInsensitive)) {  // a picture carries settings, no model
            m_generation->restoreFrom(path);
            continue;
        }
        if (Variations::isVariation(path)) {
            m_variations->open(path, currentModel());
            continue;
        }
        ModelRef ref;
        ref.path = QFileInfo(path).absoluteFilePath().toStdString();
        opening(ref.path);
        m_loader->open(ref);
    }
    updateJobLine();
}

void MainWindow::openWithDialog() {
    auto* dialog = new QFileDialog(this, "Open models", QFileInfo(m_session.recentFiles.value(0)).path(),
                                   "Models (*.safetensors *.pt *.pth *.bin *.ckpt);;Pictures with settings "
                                   "(*.png);;Variations (*.json);;All files (*)");
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::ExistingFiles);
    connect(dialog, &QFileDialog::filesSelected, this, &MainWindow::openFiles);
    dialog->open();
}

/// A diffusers folder, or one with the shards of a model.
void MainWindow::openFolderWithDialog() {
    const QString folder = QFileDialog::getExistingDirectory(this, "Open a model's folder",
                                                             QFileInfo(m_session.recentFiles.value(0)).path());
    if (!folder.isEmpty()) openFiles({folder});
}

/// The same weights once more, with HARoPE maps of another file (none: those of its own).
void MainWindow::openWithAdapter(int model, const QString& path) {
    const OpenModel* open = m_models->find(model);
    if (!open) return;
    ModelRef ref = withoutChanges(open->ref);  // changes are of the maps it has
    ref.adapter = path.toStdString();
    ref.convention = Convention::Unknown;  // the adapter's own word
    opening(ref.path);
    m_loader->open(ref);
}

void MainWindow::opening(const std::string& path) {
    m_opening.append(QString::fromStdString(path));
    openedOrNot({});
}

/// Its answer has come: views and tree no longer say that it is being opened.
void MainWindow::openedOrNot(const std::string& path) {
    m_opening.removeOne(QString::fromStdString(path));
    QStringList names;
    for (const QString& file : m_opening) names << QFileInfo(file).fileName();
    m_models->setOpening(names);
    m_panels.tree->setOpening(names);
    updateJobLine();
}

void MainWindow::closeCurrentModel() {
    if (const int model = currentModel(); model >= 0) m_loader->close(model);
}

void MainWindow::activateModel(int model) {
    m_chosenModel = model;
    m_loader->selectInteresting(model);  // a selected head takes the choice back
    showCurrentModel();
}

void MainWindow::onOpened(int model) {
    const OpenModel* open = m_models->find(model);
    if (!open) return;
    openedOrNot(open->ref.path);
    m_panels.messages->clearCause(kOpeningCause);
    if (!open->calibration)
        if (auto measured = m_measured.find(open->ref)) m_models->setCalibration(model, std::move(*measured));
    remember(m_session.recentFiles, QString::fromStdString(open->ref.path));
    if (open->atlas) onAtlas(model);  // it was open already: show it
    if (!open->hasHeads()) {          // no selection will come of it
        dropFromSession(open->ref.path);
        if (restoreSelection(model) == Restored::No) activateModel(model);  // those of the last session wait
    }
    tellState(model);
    if (m_panels.generate->model() < 0) m_panels.generate->setModel(model);
    m_generation->modelOpened(model);
    updateJobLine();
    saveSoon();
}

void MainWindow::onAtlas(int model) {
    if (!m_sawAtlas) {  // what HARoPE is about; afterwards the user's choice stays
        m_sawAtlas = true;
        auto* atlas = m_panels.view<AtlasView>();
        atlas->setNumber("cross_axis_mixing");
        atlas->setScatter("cross_axis_mixing", "wasserstein");
    }
    // Of the last session's models the current one takes the selection, whichever comes first.
    const bool waits =
        restoreSelection(model) == Restored::Other && (m_selection->current().model >= 0 || awaitsCurrentOfSession());
    if (!waits && m_selection->current().model != model) m_loader->selectInteresting(model);
    if (m_panels.status->chooser()->count() <= 1)
        m_panels.status->askDevices();  // after the first heads: it loads LibTorch
    updateJobLine();
}

/// Questions that come before a file is opened; nothing is in the tree yet.
void MainWindow::askBeforeOpening(const ModelRef& ref, const ModelCard& card, int instead) {
    openedOrNot(ref.path);
    dropFromSession(ref.path);
    const auto question = questionAbout(ref, card);
    if (!question) return;
    m_panels.questions->ask({question->text, question->answers, [this, question, instead](int chosen) {
                                 answer(question->refs[static_cast<std::size_t>(chosen)], instead);
                             }});
}

void MainWindow::answer(const ModelRef& answered, int instead) {
    m_loader->remember(answered);
    opening(answered.path);
    m_loader->open(answered, instead);
}

void MainWindow::tellState(int model) {
    const OpenModel* open = m_models->find(model);
    if (!open) return;
    if (const auto question = questionAbout(open->ref, open->card)) {
        return m_panels.questions->ask(
            {question->text, question->answers,
             [this, question, model](int chosen) { answer(question->refs[static_cast<std::size_t>(chosen)], model); },
             model});
    }
    if (open->runs()) return;
    m_panels.messages->showError(QString("%1 can be looked at, but nothing is computed with it: %2 Its tensors are "
                                         "listed in the Tensors view.")
                                     .arg(open->name(), problemOf(open->card)),
                                 QString::fromStdString(open->card.problem), ofModel(model));
}

/// Beside the one that is open, so that both can be compared.
void MainWindow::openWithWeights(int model, const QString& copy) {
    const OpenModel* open = m_models->find(model);
    if (!open) return;
    ModelRef wanted = open->ref;
    wanted.weights = copy.toStdString();
    for (const auto& [key, other] : m_models->all()) {
        ModelRef same = withoutChanges(other.ref);
        same.weights = wanted.weights;
        if (same == withoutChanges(wanted) && other.card.copy == wanted.weights) return activateModel(key);
    }
    opening(wanted.path);
    m_loader->open(wanted);
}

void MainWindow::openWithoutUnused(int model) {
    const OpenModel* open = m_models->find(model);
    if (!open) return;
    ModelRef ref = open->ref;
    ref.ignore.insert(ref.ignore.end(), open->card.unused.begin(), open->card.unused.end());
    opening(ref.path);
    m_loader->open(ref, model);
}

/// Heads of the last session, once their model's numbers are there; each model's share of it is used once.
MainWindow::Restored MainWindow::restoreSelection(int model) {
    const OpenModel* open = m_models->find(model);
    for (std::size_t i = 0; i < m_session.models.size(); ++i) {
        if (withoutChanges(m_session.models[i]) != withoutChanges(open->ref)) continue;
        m_session.models[i].path.clear();
        const auto exists = [&](HeadId id) {
            return id.layer >= 0 && id.layer < open->card.layers && id.head >= 0 && id.head < open->card.heads;
        };
        for (const auto& [index, id] : m_session.pinned) {
            const HeadRef head{model, id};
            if (index == static_cast<int>(i) && exists(id) && !m_selection->isPinned(head))
                m_selection->togglePin(head);
        }
        if (m_session.currentModel != static_cast<int>(i)) return Restored::Other;
        std::vector<HeadRef> heads;
        for (HeadId id : m_session.selected) {
            if (exists(id)) heads.push_back({model, id});
        }
        if (!heads.empty()) m_selection->selectAll(heads);
        return Restored::Current;
    }
    return Restored::No;
}

/// The model that was current in the last session is still on its way.
bool MainWindow::awaitsCurrentOfSession() const {
    const auto index = static_cast<std::size_t>(m_session.currentModel);
    return m_session.currentModel >= 0 && index < m_session.models.size() && !m_session.models[index].path.empty();
}

void MainWindow::dropFromSession(const std::string& path) {
    if (!awaitsCurrentOfSession() || m_session.models[m_session.currentModel].path != path) return;
    m_session.currentModel = -1;
    for (const auto& [key, model] : m_models->all())
        if (m_selection->current().model < 0 && model.atlas) m_loader->selectInteresting(key);
}

}  // namespace ropescope
