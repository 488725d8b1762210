// SPDX-License-Identifier: GPL-3.0-or-later
// The parts of the window that remember, save and report.
#include <QApplication>
#include <QCloseEvent>
#include <QDir>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QLabel>
#include <QMimeData>
#include <QSaveFile>
#include <QScreen>

#include "app/ask_bar.h"
#include "app/engine_status.h"
#include "app/main_window.h"
#include "app/resources.h"
#include "core/data/command_line.h"
#include "widgets/atlas_view.h"
#include "widgets/attention_view.h"
#include "widgets/classify_view.h"
#include "widgets/compare_view.h"
#include "widgets/fields_view.h"
#include "widgets/generate_settings.h"
#include "widgets/generate_view.h"
#include "widgets/message_bar.h"
#include "widgets/tensors_view.h"

namespace ropescope {
Session MainWindow::currentSession() const {
    Session session = m_session;
    session.models.clear();
    session.selected.clear();
    session.pinned.clear();
    session.currentModel = -1;
    std::map<int, int> indexOf;
    for (const auto& [key, model] : m_models->all()) {
        indexOf[key] = static_cast<int>(session.models.size());
        session.models.push_back(model.ref);
    }
    const HeadRef current = m_selection->current();
    if (indexOf.contains(current.model)) session.currentModel = indexOf[current.model];
    for (const HeadRef& head : m_selection->heads()) {
        if (head.model == current.model) session.selected.push_back(head.id);
    }
    for (const HeadRef& head : m_selection->pinned()) {
        if (indexOf.contains(head.model)) session.pinned.push_back({indexOf[head.model], head.id});
    }
    session.answers = m_loader->answers();
    session.geometry = saveGeometry();
    session.layout = saveDocks(m_docks);
    session.appearance = m_appearance.appearance();
    session.device = m_panels.status->device();
    session.keepPictures = m_pictureStore->isKeeping();
    for (int kind = 0; kind < kPictureKinds; ++kind)
        session.generate[kind] = m_panels.generate->settings().kept(static_cast<PictureKind>(kind));
    return session;
}

void MainWindow::restore(const QStringList& files) {
    if (!m_session.geometry.isEmpty()) restoreGeometry(m_session.geometry);
    const QScreen* screen = this->screen();
    if (screen && !screen->availableGeometry().intersects(geometry())) move(screen->availableGeometry().topLeft());
    if (!restoreDocks(m_docks, m_session.layout)) applyLayout(m_docks, Layout::Explore);
    m_appearance.set(m_session.appearance);
    for (int kind = 0; kind < kPictureKinds; ++kind)
        m_panels.generate->settings().setKept(static_cast<PictureKind>(kind), m_session.generate[kind]);
    m_panels.status->setWanted(m_session.device);
    m_pictureStore->setKeeping(m_session.keepPictures);
    m_generation->setDevice(m_session.device);
    m_dataJobs->setDevice(m_session.device);
    m_loader->setAnswers(m_session.answers);
    if (!files.isEmpty()) {
        m_session.models.clear();
        return openFiles(files);
    }
    for (const ModelRef& ref : m_session.models) {
        ++m_opening;
        m_loader->open(ref);
    }
    if (m_session.models.empty()) openFiles(shippedModels().mid(0, 1));
}

void MainWindow::saveSoon() {
    m_saveSession.start();
}

void MainWindow::closeNow() {
    m_closing = true;
    m_generation->cancel();
    close();
}

void MainWindow::closeEvent(QCloseEvent* event) {
    if (m_generation->isRunning() && !m_closing) {
        event->ignore();
        return m_panels.questions->ask({"A picture is being made; closing ends it. Finished ones are kept.",
                                        {"Close", "Stay"},
                                        [this](int answer) {
                                            if (answer == 0) closeNow();
                                        }});
    }
    m_saveSession.stop();
    saveSession(m_sessionFile, currentSession());
    event->accept();
}

void MainWindow::setLayout(Layout layout) {
    applyLayout(m_docks, layout);
}

void MainWindow::setAppearance(Appearance appearance) {
    m_appearance.set(appearance);
    saveSoon();
}

View* MainWindow::focusedView() const {
    if (m_lastView && m_lastView->isVisible()) return m_lastView;
    for (View* view : m_panels.views()) {
        if (view->isVisible()) return view;
    }
    return m_lastView;
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
    if (event->mimeData()->hasUrls()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
    QStringList files;
    for (const QUrl& url : event->mimeData()->urls()) {
        if (url.isLocalFile()) files.append(url.toLocalFile());
    }
    if (files.isEmpty())
        return m_panels.messages->showNote("Only files of this machine can be opened by dropping them.");
    openFiles(files);
}

void MainWindow::updateCommandLines() {
    const OpenModel* open = m_models->find(currentModel());
    QString line;
    if (open && open->hasHeads()) {
        line = QString::fromStdString("ropescope inspect " + shellWord(open->ref.path) + modelOptions(open->ref) +
                                      " --out heads.safetensors");
    }
    for (View* view : m_panels.views())
        if (view != m_panels.attention && view != m_panels.tensors)
            view->setCommandLine(line);  // theirs follow from more
}

void MainWindow::updateJobLine() {
    QString text;
    if (m_opening > 0) text = m_opening == 1 ? "opening a model" : QString("opening %1 models").arg(m_opening);
    if (m_headsAsked > 0 && !m_stale.isActive()) text = QString("reading %1 heads").arg(m_headsAsked);
    if (m_generation->isRunning()) text = "making a picture";
    m_job->setText(text);
}

void MainWindow::setViewsStale(bool stale) {
    for (View* view : m_panels.views()) {
        // The Atlas, Attention, Compare and Tensors do not wait for single heads' reports.
        if (view != m_panels.atlas && view != m_panels.attention && view != m_panels.compare &&
            view != m_panels.tensors)
            view->setStale(stale);
    }
}

void MainWindow::saveFigure(const QByteArray& bytes, const QString& name) {
    auto* dialog = new QFileDialog(this, "Save the figure", QDir::home().filePath(name));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    connect(dialog, &QFileDialog::fileSelected, this, [this, bytes](const QString& path) {
        QSaveFile file(path);
        if (file.open(QFile::WriteOnly) && file.write(bytes) == bytes.size() && file.commit()) {
            m_panels.messages->showNote(QString("Saved %1.").arg(path));
        } else {
            m_panels.messages->showError(QString("[EX-01] %1: the figure cannot be written (%2). Choose another place.")
                                             .arg(path, file.errorString()),
                                         file.errorString());
        }
    });
    dialog->open();
}

void MainWindow::savePicture(const GeneratedImage& image) {
    const OpenModel* open = m_models->find(m_panels.generate->model());
    const QString subject = open && open->takesText() ? QString("picture") : QString("class%1").arg(image.label);
    const QString name = QString("%1-seed%2.png").arg(subject).arg(image.seed);
    auto* dialog = new QFileDialog(this, "Save the picture", QDir::home().filePath(name), "PNG (*.png)");
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setDefaultSuffix("png");
    connect(dialog, &QFileDialog::fileSelected, this,
            [this, image](const QString& path) { m_generation->save(image, path); });
    dialog->open();
}

}  // namespace ropescope
