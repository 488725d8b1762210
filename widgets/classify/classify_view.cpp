// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/classify/classify_view.h"

#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QMimeData>
#include <QPushButton>
#include <QVBoxLayout>
#include <algorithm>

#include "widgets/classify/class_bars.h"
#include "widgets/frame/message_bar.h"
#include "widgets/frame/plot_style.h"
#include "widgets/frame/preview_image.h"
#include "widgets/frame/status_text.h"
#include "widgets/state/image.h"

namespace ropescope {
namespace {

constexpr int kFormWidth = 300;

}  // namespace

ClassifyView::ClassifyView(OpenModels& models, Selection& selection, QWidget* parent)
    : QWidget(parent),
      m_models(models),
      m_selection(selection),
      m_open(new QPushButton(tr("Open image ..."), this)),
      m_classify(new QPushButton(tr("Classify"), this)),
      m_status(new StatusText(this)),
      m_head(new QLabel(this)),
      m_preview(new PreviewImage(this)),
      m_bars(new ClassBars(this)),
      m_messages(new MessageBar(this)) {
    auto* form = new QWidget(this);
    form->setFixedWidth(kFormWidth);
    auto* left = new QVBoxLayout(form);
    left->setContentsMargins(0, 0, 0, 0);
    for (QPushButton* button : {m_open, m_classify}) left->addWidget(button, 0, Qt::AlignLeft);
    left->addWidget(m_status);
    left->addWidget(m_head);
    left->addStretch();
    m_head->setTextFormat(Qt::PlainText);
    m_head->setWordWrap(true);
    m_head->setToolTip(
        tr("Mean attention of the patches to the class token, and of the class token to itself; the "
           "measured field holds the rest"));
    m_preview->setCaption(tr("Drop an image here, or open one"));
    m_preview->setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Expanding);
    m_messages->floatOver(m_bars);
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(8, 4, 8, 4);
    layout->setSpacing(12);
    layout->addWidget(form);
    layout->addWidget(m_preview);
    layout->addWidget(m_bars, 1);
    setAcceptDrops(true);
    connect(m_open, &QPushButton::clicked, this, &ClassifyView::openWithDialog);
    connect(m_classify, &QPushButton::clicked, this, [this] {
        if (m_running) return emit cancelRequested();
        requestClassify();
    });
    connect(&m_models, &OpenModels::modelsChanged, this, [this] {
        std::erase_if(m_seen, [this](const auto& seen) { return m_models.find(seen.first) == nullptr; });
    });
    connect(&m_models, &OpenModels::changesChanged, this, [this](int model) {
        if (m_seen.erase(model) == 0 || model != m_model) return;
        showResult();
        setRunning(m_running);
        requestClassify();
    });
    connect(&m_selection, &Selection::changed, this, &ClassifyView::showHead);
    setRunning(false);
    showHead();
}

void ClassifyView::setModel(int model) {
    if (model == m_model) return;
    m_model = model;
    m_messages->setCurrentModel(model);
    showResult();
    setRunning(m_running);
}

/// What this model has said of the last picture that it was shown.
void ClassifyView::showResult() {
    const auto seen = m_seen.find(m_model);
    if (seen == m_seen.end()) {
        m_result.reset();
        m_bars->setScores({});
        m_preview->setImage({});
        m_preview->setToolTip({});
        m_status->say({});
        return showHead();
    }
    const auto& [image, result] = seen->second;
    m_image = image;
    m_result = result;
    m_bars->setScores(result.top);
    m_preview->setImage(imageOf(result.input));
    m_preview->setToolTip(tr("What the model saw: resized, the middle cut out; %1 \u00d7 %2 patches")
                              .arg(result.grid.rows)
                              .arg(result.grid.cols));
    m_status->say(
        tr("%1  \u00b7  %2 s  \u00b7  %3")
            .arg(QFileInfo(image).fileName(), shortNumber(result.seconds), QString::fromStdString(result.device)));
    showHead();
}

void ClassifyView::setImage(const QString& path) {
    m_image = path;
    setRunning(m_running);
    requestClassify();
}

void ClassifyView::openWithDialog() {
    auto* dialog = new QFileDialog(this, tr("Image to classify"), QFileInfo(m_image).path(),
                                   tr("Images (*.png *.jpg *.jpeg *.webp)"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::ExistingFile);
    connect(dialog, &QFileDialog::fileSelected, this, &ClassifyView::setImage);
    dialog->open();
}

void ClassifyView::requestClassify() {
    if (m_running || m_image.isEmpty() || m_models.find(m_model) == nullptr || !obstacle().isEmpty()) return;
    m_messages->clear();
    ClassifyRequest request;
    request.model = m_models.find(m_model)->ref;
    request.image = m_image.toStdString();
    emit classifyRequested(request);
}

void ClassifyView::start() {
    m_asked = m_model;
    m_askedImage = m_image;
    setRunning(true);
}

void ClassifyView::finish(const ClassifyResult& result) {
    m_seen[m_asked] = {m_askedImage, result};
    setRunning(false);
    if (m_asked == m_model) showResult();
}

void ClassifyView::cancelled() {
    setRunning(false);
    m_status->say(tr("Cancelled"));
}

void ClassifyView::fail(const Error& error) {
    setRunning(false);
    m_messages->showError(error, ofModel(m_asked));
}

QString ClassifyView::obstacle() const {
    const OpenModel* open = m_models.find(m_model);
    return open == nullptr || open->runs() ? QString()
                                           : tr("%1 cannot be run: %2").arg(open->name(), problemOf(open->card));
}

void ClassifyView::setRunning(bool running) {
    m_running = running;
    const QString why = obstacle();
    m_open->setEnabled(why.isEmpty());
    m_classify->setText(running ? tr("Cancel") : tr("Classify"));
    m_classify->setEnabled(running || (!m_image.isEmpty() && why.isEmpty()));
    m_classify->setToolTip(plainTip(running             ? tr("End this run (Esc)")
                                    : !why.isEmpty()    ? why
                                    : m_image.isEmpty() ? tr("Open an image first")
                                                        : tr("Classify %1 again").arg(m_image)));
    m_bars->setHint(why);
    if (running) {
        m_status->say(tr("Classifying %1").arg(QFileInfo(m_image).fileName()));
    } else if (!why.isEmpty()) {
        m_status->say(tr("Cannot be run; its card says why"));
    } else if (m_image.isEmpty()) {
        m_status->say(tr("Ready: open an image or drop one here"));
    } else if (!m_result) {
        m_status->say(tr("Ready to classify %1").arg(QFileInfo(m_image).fileName()));
    }
}

QString ClassifyView::headText() const {
    const HeadRef current = m_selection.current();
    if (!m_result || current.model != m_model) return {};
    const auto found = std::find_if(m_result->heads.begin(), m_result->heads.end(),
                                    [&](const HeadAttention& head) { return head.field.id == current.id; });
    if (found == m_result->heads.end()) return {};
    return tr("%1  patches attend to the class token with %2 %, the class token to itself with %3 %, entropy %4 nats")
        .arg(m_models.headName(current))
        .arg(100 * found->classShare, 0, 'f', 1)
        .arg(100 * found->classToItself, 0, 'f', 1)
        .arg(shortNumber(found->field.entropy));
}

void ClassifyView::showHead() {
    const QString text = headText();
    m_head->setText(text);
    m_head->setVisible(!text.isEmpty());
}

QImage ClassifyView::shownImage() const {
    return m_preview->image();
}

void ClassifyView::dragEnterEvent(QDragEnterEvent* event) {
    if (event->mimeData()->hasUrls() && event->mimeData()->urls().first().isLocalFile()) event->acceptProposedAction();
}

void ClassifyView::dropEvent(QDropEvent* event) {
    setImage(event->mimeData()->urls().first().toLocalFile());
    event->acceptProposedAction();
}

}  // namespace ropescope
