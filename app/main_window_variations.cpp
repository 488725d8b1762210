// SPDX-License-Identifier: GPL-3.0-or-later
// The parts of the window that change heads.
#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <utility>

#include "app/main_window.h"
#include "widgets/frame/message_bar.h"
#include "widgets/generate/changes_line.h"
#include "widgets/generate/generate_view.h"

namespace ropescope {

void MainWindow::connectVariations() {
    connect(m_panels.changes, &ChangesLine::asStoredRequested, m_variations.get(), &Variations::asStored);
    connect(m_variations.get(), &Variations::told, this, [this](int model, const QString& text, bool undoable) {
        m_panels.generate->messages().clearCause(GenerateView::kRestored);
        MessageAbout about = ofModel(model);
        about.cause = GenerateView::kRestored;
        if (undoable) about.action = "Undo", about.run = [this] { undoRestore(); };
        m_panels.messages->showNote(text, about);
    });
    connect(m_variations.get(), &Variations::failed, this,
            [this](int model, const Error& error) { m_panels.messages->showError(error, ofModel(model)); });
    connect(m_variations.get(), &Variations::lorasRead, m_generation.get(), &Generation::takeLoras);
    connect(m_variations.get(), &Variations::modelWanted, this, [this](const ModelRef& ref) {
        opening(ref.path);
        m_loader->open(ref);
    });
    connect(m_loader.get(), &ModelLoader::changesRefused, this,
            [this](const Error& error) { m_panels.messages->showError(error); });
    connect(m_models.get(), &OpenModels::changesChanged, this, [this](int model) {
        if (auto measured = m_measured.find(m_models->find(model)->ref))
            m_models->setCalibration(model, std::move(*measured));
    });
}

void MainWindow::undoRestore() {
    m_panels.messages->clearCause(GenerateView::kRestored);
    m_generation->undoRestore();
}

void MainWindow::openVariationWithDialog() {
    auto* dialog = new QFileDialog(this, "Open a variation", QFileInfo(m_session.recentFiles.value(0)).path(),
                                   "Variations (*.json);;All files (*)");
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    connect(dialog, &QFileDialog::fileSelected, this,
            [this](const QString& path) { m_variations->open(path, currentModel()); });
    dialog->open();
}

void MainWindow::saveVariationWithDialog() {
    const int model = currentModel();
    const OpenModel* open = m_models->find(model);
    if (!open || open->ref.changes.empty())
        return m_panels.messages->showNote(open ? QString("%1 has no changes of heads to save.").arg(open->name())
                                                : QString("Open a model first: a variation is of its heads."));
    auto* dialog = new QFileDialog(this, "Save the variation", QDir::home().filePath(open->name() + "-variation.json"),
                                   "Variations (*.json)");
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setDefaultSuffix("json");
    connect(dialog, &QFileDialog::fileSelected, this,
            [this, model](const QString& path) { m_variations->save(path, model); });
    dialog->open();
}

}  // namespace ropescope
