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
#include <utility>

#include "app/ask_bar.h"
#include "app/engine_status.h"
#include "app/export_format.h"
#include "app/main_window.h"
#include "app/resources.h"
#include "widgets/frame/message_bar.h"
#include "widgets/gallery/gallery.h"
#include "widgets/generate/generate_settings.h"
#include "widgets/generate/generate_view.h"
#include "widgets/state/command_lines.h"

namespace ropescope {
namespace {

constexpr int kFrameMs = 200;  // until a window manager has framed the window

}  // namespace

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
    m_appearance.set(m_session.appearance);
    for (int kind = 0; kind < kPictureKinds; ++kind)
        m_panels.generate->settings().setKept(static_cast<PictureKind>(kind), m_session.generate[kind]);
    m_panels.status->setWanted(m_session.device);
    m_pictureStore->setKeeping(m_session.keepPictures);
    m_panels.generate->gallery().setFolder(m_pictureStore->folder());
    m_generation->setDevice(m_session.device);
    m_dataJobs->setDevice(m_session.device);
    m_loader->setAnswers(m_session.answers);
    if (!files.isEmpty()) {
        m_session.models.clear();
        return openFiles(files);
    }
    for (const ModelRef& ref : m_session.models) {
        opening(ref.path);
        m_loader->open(ref);
    }
    if (m_session.models.empty()) openFiles(shippedModels().mid(0, 1));
}

/// Sizes of docks mean something in a window that has its own.
void MainWindow::showEvent(QShowEvent* event) {
    QMainWindow::showEvent(event);
    if (std::exchange(m_placed, true)) return;
    if (!restoreDocks(m_docks, m_session.layout)) applyLayout(m_docks, Layout::Explore);
    QTimer::singleShot(kFrameMs, this, &MainWindow::stayOnScreen);
}

/// With the frame that the window manager has put around it.
void MainWindow::stayOnScreen() {
    if (isMaximized() || isFullScreen() || screen() == nullptr) return;
    const QRect room = screen()->availableGeometry();
    const QSize around = frameGeometry().size() - size();
    resize(size().boundedTo(room.size() - around));
    const QPoint corner(std::clamp(frameGeometry().left(), room.left(),
                                   std::max(room.left(), room.right() + 1 - frameGeometry().width())),
                        std::clamp(frameGeometry().top(), room.top(),
                                   std::max(room.top(), room.bottom() + 1 - frameGeometry().height())));
    if (corner != frameGeometry().topLeft()) move(corner);
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
    const QString line = open ? inspectLine(*open) : QString();
    for (std::size_t i = 0; i < m_panels.views.size(); ++i)
        if (viewTable()[i].line == ViewLine::Inspect) m_panels.views[i]->setCommandLine(line);
}

void MainWindow::updateJobLine() {
    QString text;
    if (const auto count = m_opening.size(); count > 0)
        text = count == 1 ? "opening a model" : QString("opening %1 models").arg(count);
    if (m_headsAsked > 0 && !m_stale.isActive()) text = QString("reading %1 heads").arg(m_headsAsked);
    if (m_generation->isRunning()) text = "making a picture";
    m_job->setText(text);
}

void MainWindow::setViewsStale(bool stale) {
    for (std::size_t i = 0; i < m_panels.views.size(); ++i)
        if (viewTable()[i].waits == ViewWaits::ForHeads) m_panels.views[i]->setStale(stale);
}

/// One dialog for all formats: the ending of the name decides, the filter where there is none.
void MainWindow::exportFigure(View* view, FigureFormat preferred) {
    auto* dialog = new QFileDialog(this, QString("Export %1").arg(view->title()));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setNameFilters(exportFilters());
    dialog->selectNameFilter(filterOf(preferred));
    dialog->setDirectory(QDir::homePath());
    dialog->selectFile(QString("%1.%2").arg(view->title().toLower(), endingOf(preferred)));
    connect(dialog, &QFileDialog::filterSelected, dialog, [dialog](const QString& filter) {
        const QFileInfo name(dialog->selectedFiles().value(0));
        dialog->selectFile(name.completeBaseName() + QChar('.') + endingOf(*formatOf({}, filter)));
    });
    connect(dialog, &QFileDialog::fileSelected, this, [this, view, dialog](const QString& path) {
        const auto format = formatOf(path, dialog->selectedNameFilter());
        if (!format)
            return view->messages().showError(
                QString("[EX-02] %1: no format has this ending (found .%2, expected .svg, .pdf, .png, .csv or .tsv). "
                        "Choose another name.")
                    .arg(path, QFileInfo(path).suffix()),
                path);
        writeFigure(view, QFileInfo(path).suffix().isEmpty() ? path + QChar('.') + endingOf(*format) : path, *format);
    });
    dialog->open();
}

void MainWindow::writeFigure(View* view, const QString& path, FigureFormat format) {
    const QByteArray bytes = view->figure(format);
    QSaveFile file(path);
    if (file.open(QFile::WriteOnly) && file.write(bytes) == bytes.size() && file.commit())
        return view->messages().showNote(QString("Saved %1 as %2.").arg(view->contents(format), path));
    view->messages().showError(
        QString("[EX-01] %1: the figure cannot be written (%2). Choose another place.").arg(path, file.errorString()),
        file.errorString());
}

void MainWindow::savePicture(int row) {
    const GeneratedImage image = m_panels.generate->gallery().image(row);
    const GalleryPicture& picture = m_panels.generate->gallery().picture(row);
    const QString subject = picture.request.text.prompt.empty() ? QString("class%1").arg(image.label) : "picture";
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
