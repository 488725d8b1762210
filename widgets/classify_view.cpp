// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/classify_view.h"

#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QMimeData>
#include <QPushButton>
#include <QVBoxLayout>
#include <algorithm>

#include "widgets/class_bars.h"
#include "widgets/flow_layout.h"
#include "widgets/message_bar.h"
#include "widgets/plot_style.h"
#include "widgets/preview_image.h"

namespace ropescope {

ClassifyView::ClassifyView(OpenModels& models, Selection& selection, QWidget* parent)
    : QWidget(parent),
      m_models(models),
      m_selection(selection),
      m_open(new QPushButton(tr("Open image ..."), this)),
      m_classify(new QPushButton(tr("Classify"), this)),
      m_cancel(new QPushButton(tr("Cancel"), this)),
      m_status(new QLabel(this)),
      m_head(new QLabel(this)),
      m_preview(new PreviewImage(this)),
      m_bars(new ClassBars(this)),
      m_messages(new MessageBar(this)) {
    auto* row = new QWidget(this);
    auto* flow = new FlowLayout(row);
    for (QPushButton* button : {m_open, m_classify, m_cancel}) flow->addWidget(button);
    flow->addWidget(m_status);
    m_status->setTextFormat(Qt::PlainText);
    m_head->setTextFormat(Qt::PlainText);
    m_head->setWordWrap(true);
    m_head->setToolTip(
        tr("Mean attention of the patches to the class token, and of the class token to itself; the "
           "measured field holds the rest"));
    m_preview->setCaption(tr("Drop an image here, or open one"));
    m_preview->setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Expanding);
    auto* right = new QVBoxLayout;
    right->addWidget(m_bars, 1);
    right->addWidget(m_head);
    auto* stage = new QHBoxLayout;
    stage->setSpacing(16);
    stage->addWidget(m_preview);
    stage->addLayout(right, 1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->setSpacing(8);
    layout->addWidget(row);
    layout->addWidget(m_messages);
    layout->addLayout(stage, 1);
    setAcceptDrops(true);
    connect(m_open, &QPushButton::clicked, this, &ClassifyView::openWithDialog);
    connect(m_classify, &QPushButton::clicked, this, &ClassifyView::requestClassify);
    connect(m_cancel, &QPushButton::clicked, this, &ClassifyView::cancelRequested);
    connect(&m_selection, &Selection::changed, this, &ClassifyView::showHead);
    setRunning(false);
    showHead();
}

void ClassifyView::setModel(int model) {
    if (model == m_model) return;
    m_model = model;
    m_result.reset();
    m_bars->setScores({});
    m_preview->setImage({});
    setRunning(m_running);
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
    setRunning(true);
}

void ClassifyView::finish(const ClassifyResult& result) {
    m_result = result;
    setRunning(false);
    m_bars->setScores(result.top);
    m_preview->setImage(imageOf(result.input));
    m_preview->setToolTip(tr("What the model saw: resized, the middle cut out; %1 \u00d7 %2 patches")
                              .arg(result.grid.rows)
                              .arg(result.grid.cols));
    m_status->setText(
        tr("%1  \u00b7  %2 s  \u00b7  %3")
            .arg(QFileInfo(m_image).fileName(), shortNumber(result.seconds), QString::fromStdString(result.device)));
    showHead();
}

void ClassifyView::cancelled() {
    setRunning(false);
    m_status->setText(tr("Cancelled"));
}

void ClassifyView::fail(const Error& error) {
    setRunning(false);
    m_messages->showError(error);
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
    m_classify->setEnabled(!running && !m_image.isEmpty() && why.isEmpty());
    m_classify->setToolTip(plainTip(!why.isEmpty()      ? why
                                    : m_image.isEmpty() ? tr("Open an image first")
                                                        : tr("Classify %1 again").arg(m_image)));
    m_cancel->setEnabled(running);
    m_bars->setHint(why);
    if (running) {
        m_status->setText(tr("Classifying %1").arg(QFileInfo(m_image).fileName()));
    } else if (!why.isEmpty()) {
        m_status->setText(tr("This model cannot classify"));
    } else if (m_image.isEmpty()) {
        m_status->setText(tr("Ready: open an image or drop one here"));
    } else if (!m_result) {
        m_status->setText(tr("Ready to classify %1").arg(QFileInfo(m_image).fileName()));
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
