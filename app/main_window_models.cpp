// SPDX-License-Identifier: GPL-3.0-or-later
// The parts of the window that open models.
#include <QComboBox>
#include <QFileDialog>
#include <QFileInfo>
#include <utility>

#include "app/ask_bar.h"
#include "app/engine_status.h"
#include "app/main_window.h"
#include "widgets/atlas_view.h"
#include "widgets/message_bar.h"

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
        ModelRef ref;
        ref.path = QFileInfo(path).absoluteFilePath().toStdString();
        ++m_opening;
        m_loader->open(ref);
    }
    updateJobLine();
}

void MainWindow::openWithDialog() {
    auto* dialog = new QFileDialog(
        this, "Open models", QFileInfo(m_session.recentFiles.value(0)).path(),
        "Models (*.safetensors *.pt *.pth *.bin *.ckpt);;Pictures with settings (*.png);;All files (*)");
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
    ModelRef ref = open->ref;
    ref.adapter = path.toStdString();
    ref.convention = Convention::Unknown;  // the adapter's own word
    ++m_opening;
    m_loader->open(ref);
}

void MainWindow::closeCurrentModel() {
    const int model = m_selection->current().model;
    if (model >= 0) return m_loader->close(model);
    if (!m_models->all().empty()) m_loader->close(m_models->all().begin()->first);
}

void MainWindow::onOpened(int model) {
    m_opening = std::max(0, m_opening - 1);
    const OpenModel* open = m_models->find(model);
    if (!open) return;
    remember(m_session.recentFiles, QString::fromStdString(open->ref.path));
    if (open->atlas) onAtlas(model);  // it was open already: show it
    if (m_panels.generate->model() < 0) m_panels.generate->setModel(model);
    m_generation->modelOpened(model);
    updateJobLine();
    saveSoon();
}

void MainWindow::onAtlas(int model) {
    if (!m_sawAtlas) {  // what HARoPE is about; afterwards the user's choice stays
        m_sawAtlas = true;
        m_panels.atlas->setNumber("cross_axis_mixing");
        m_panels.atlas->setScatter("cross_axis_mixing", "wasserstein");
    }
    // Of the last session's models the current one takes the selection, whichever comes first.
    const bool waits =
        restoreSelection(model) == Restored::Other && (m_selection->current().model >= 0 || awaitsCurrentOfSession());
    if (!waits && m_selection->current().model != model) m_loader->selectInteresting(model);
    if (m_panels.status->chooser()->count() <= 1)
        m_panels.status->askDevices();  // after the first heads: it loads LibTorch
    updateJobLine();
}

void MainWindow::askAbout(const ModelRef& ref, const QString& text, const QStringList& answers,
                          std::function<void(ModelRef& ref, int chosen)> answer) {
    m_opening = std::max(0, m_opening - 1);
    updateJobLine();
    dropFromSession(ref.path);
    m_panels.questions->ask({text, answers, [this, ref, answer = std::move(answer)](int chosen) {
                                 ModelRef known = ref;
                                 answer(known, chosen);
                                 ++m_opening;
                                 m_loader->open(known);
                             }});
}

void MainWindow::askConvention(const ModelRef& ref, const QString& name) {
    const QString text = QString(
                             "%1 has HARoPE maps but does not say how they are applied: the same map to queries and "
                             "keys, or the inverse one to keys?")
                             .arg(name);
    askAbout(ref, text, {"Same map", "Inverse map"}, [this](ModelRef& known, int chosen) {
        known.convention = chosen == 0 ? Convention::Same : Convention::Inverse;
        m_loader->setConvention(known, known.convention);
    });
}

void MainWindow::askMapTokens(const ModelRef& ref, const QString& name) {
    const QString text = QString(
                             "%1 has HARoPE maps and a class token but does not say whether the maps turn the class "
                             "token too.")
                             .arg(name);
    askAbout(ref, text, {"All tokens", "Patches only"}, [this](ModelRef& known, int chosen) {
        known.mapTokens = chosen == 0 ? MapTokens::All : MapTokens::PatchesOnly;
        m_loader->setMapTokens(known, known.mapTokens);
    });
}

/// Heads of the last session, once their model's numbers are there; each model's share of it is used once.
MainWindow::Restored MainWindow::restoreSelection(int model) {
    const OpenModel* open = m_models->find(model);
    for (std::size_t i = 0; i < m_session.models.size(); ++i) {
        if (!(m_session.models[i] == open->ref)) continue;
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
