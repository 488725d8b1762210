// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/measure_bar.h"

#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFileDialog>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QVBoxLayout>

#include "widgets/flow_layout.h"
#include "widgets/message_bar.h"

namespace ropescope {

MeasureBar::MeasureBar(QWidget* parent)
    : QWidget(parent),
      m_row(new QWidget(this)),
      m_title(new QLabel(this)),
      m_source(new QComboBox(this)),
      m_folder(new QLineEdit(this)),
      m_browse(new QPushButton(tr("Folder ..."), this)),
      m_images(new QSpinBox(this)),
      m_steps(new QSpinBox(this)),
      m_guidance(new QDoubleSpinBox(this)),
      m_start(new QPushButton(tr("Measure"), this)),
      m_close(new QPushButton(tr("Close"), this)),
      m_messages(new MessageBar(this)) {
    m_source->addItems({tr("images the model makes"), tr("images of a folder")});
    m_images->setRange(1, 4096);
    m_images->setToolTip(tr("More images, smaller standard errors: they fall with the square root of the number"));
    m_steps->setRange(1, 1000);
    m_steps->setToolTip(tr("Sampling steps of every image; each of them is measured"));
    m_guidance->setRange(0, 30);
    m_guidance->setDecimals(1);
    m_guidance->setSingleStep(0.5);
    m_guidance->setToolTip(tr("Steers the images; measured is the conditional half alone"));
    m_folder->setPlaceholderText(tr("PNG or JPEG files"));
    m_folder->setMinimumWidth(fontMetrics().horizontalAdvance(QLatin1Char('x')) * 24);
    auto* flow = new FlowLayout(m_row);
    flow->addWidget(m_title);
    flow->addWidget(m_source);
    flow->addWidget(m_folder);
    flow->addWidget(m_browse);
    flow->addPair(tr("Images"), m_images);
    flow->addPair(tr("Steps"), m_steps);
    flow->addPair(tr("Guidance"), m_guidance);
    flow->addWidget(m_start);
    flow->addWidget(m_close);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 4, 8, 4);
    layout->setSpacing(4);
    layout->addWidget(m_row);
    layout->addWidget(m_messages);
    const auto showFolder = [this] {
        const bool folder = m_source->currentIndex() == 1;
        m_folder->setVisible(folder);
        m_browse->setVisible(folder);
    };
    connect(m_source, &QComboBox::currentIndexChanged, this, showFolder);
    connect(m_browse, &QPushButton::clicked, this, &MeasureBar::chooseFolder);
    connect(m_start, &QPushButton::clicked, this, [this] { emit measureRequested(settings()); });
    connect(m_close, &QPushButton::clicked, this, &QWidget::hide);
    connect(m_messages, &MessageBar::cancelRequested, this, &MeasureBar::cancelRequested);
    showFolder();
    setSettings({});
    hide();
}

void MeasureBar::offer(const QString& model, bool makesImages) {
    if (!makesImages) m_source->setCurrentIndex(1);
    m_source->setEnabled(makesImages);
    m_title->setText(tr("Measure data content of %1 on").arg(model));
    if (!m_running) m_messages->clear();
    m_row->setVisible(!m_running);
    show();
}

CalibrateRequest MeasureBar::settings() const {
    CalibrateRequest request;
    request.source = m_source->currentIndex() == 1 ? SampleSource::Folder : SampleSource::Generated;
    if (request.source == SampleSource::Folder) request.folder = m_folder->text().toStdString();
    request.images = m_images->value();
    request.steps = m_steps->value();
    request.guidance = m_guidance->value();
    return request;
}

void MeasureBar::setSettings(const CalibrateRequest& settings) {
    m_source->setCurrentIndex(settings.source == SampleSource::Folder ? 1 : 0);
    m_folder->setText(QString::fromStdString(settings.folder));
    m_images->setValue(settings.images);
    m_steps->setValue(settings.steps);
    m_guidance->setValue(settings.guidance);
}

void MeasureBar::chooseFolder() {
    auto* dialog = new QFileDialog(this, tr("Folder of images"), m_folder->text());
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::Directory);
    connect(dialog, &QFileDialog::fileSelected, m_folder, &QLineEdit::setText);
    dialog->open();
}

void MeasureBar::setRunning(bool running) {
    m_running = running;
    m_row->setVisible(!running);
}

void MeasureBar::showProgress(const QString& words, double share) {
    setRunning(true);
    show();
    m_messages->showProgress(words, share, -1);
}

void MeasureBar::finish(const QString& note) {
    setRunning(false);
    m_row->hide();
    if (note.isEmpty()) return hide();
    m_messages->showNote(note);
}

void MeasureBar::fail(const Error& error) {
    setRunning(false);
    m_messages->showError(error);
}

}  // namespace ropescope
