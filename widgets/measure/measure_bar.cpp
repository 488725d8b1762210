// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/measure/measure_bar.h"

#include <QDoubleSpinBox>
#include <QLabel>
#include <QPushButton>
#include <QSpinBox>
#include <QVBoxLayout>

#include "widgets/frame/flow_layout.h"
#include "widgets/frame/message_bar.h"
#include "widgets/frame/path_choice.h"

namespace ropescope {

MeasureBar::MeasureBar(QWidget* parent)
    : QWidget(parent),
      m_row(new QWidget(this)),
      m_title(new QLabel(this)),
      m_folder(new PathChoice(PathChoice::Kind::Folder, tr("Folder of pictures"), {}, this)),
      m_images(new QSpinBox(this)),
      m_steps(new QSpinBox(this)),
      m_guidance(new QDoubleSpinBox(this)),
      m_start(new QPushButton(tr("Measure"), this)),
      m_close(new QPushButton(tr("Close"), this)),
      m_messages(new MessageBar(this)) {
    m_folder->setHint(tr("Folder of pictures"),
                      tr("PNG, JPEG and WebP files in it and in its folders, taken at even distances"));
    m_images->setRange(1, 4096);
    m_images->setToolTip(tr("More images, smaller standard errors: they fall with the square root of the number"));
    m_steps->setRange(1, 1000);
    m_steps->setToolTip(tr("Sampling steps of every image; each of them is measured"));
    m_guidance->setRange(0, 30);
    m_guidance->setDecimals(1);
    m_guidance->setSingleStep(0.5);
    m_guidance->setToolTip(tr("Steers the images; measured is the conditional half alone"));
    auto* flow = new FlowLayout(m_row);
    flow->addWidget(m_title);
    flow->addWidget(m_folder);
    flow->addPair(tr("Images"), m_images);
    m_drawing = {flow->addPair(tr("Steps"), m_steps), flow->addPair(tr("Guidance"), m_guidance)};
    flow->addWidget(m_start);
    flow->addWidget(m_close);
    setAutoFillBackground(true);  // it lies over other things
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 4, 8, 4);
    layout->setSpacing(4);
    layout->addWidget(m_row);
    layout->addWidget(m_messages);
    connect(m_start, &QPushButton::clicked, this, [this] { emit measureRequested(settings()); });
    connect(m_folder, &PathChoice::entered, m_start, &QPushButton::click);
    connect(m_folder, &PathChoice::changed, this,
            [this] { m_start->setEnabled(m_makesImages || !m_folder->path().isEmpty()); });
    connect(m_close, &QPushButton::clicked, this, &QWidget::hide);
    connect(m_messages, &MessageBar::cancelRequested, this, &MeasureBar::cancelRequested);
    connect(m_messages, &MessageBar::changed, this, [this] {
        if (!m_running && m_row->isHidden() && m_messages->text().isEmpty()) hide();  // nothing is left to say
    });
    setSettings({});
    hide();
}

void MeasureBar::offer(const QString& model, bool makesImages) {
    m_makesImages = makesImages;
    m_title->setText(makesImages ? tr("Measure data content of %1 on images that it makes:").arg(model)
                                 : tr("Measure data content of %1 on pictures of").arg(model));
    if (!m_running) m_messages->clear();
    m_row->setVisible(!m_running);
    m_folder->setVisible(!makesImages);
    for (QWidget* setting : m_drawing) setting->setVisible(makesImages);
    m_start->setEnabled(makesImages || !m_folder->path().isEmpty());
    show();
}

void MeasureBar::setFolder(const QString& folder) {
    m_folder->setPath(folder);
}

CalibrateRequest MeasureBar::settings() const {
    CalibrateRequest request;
    request.images = m_images->value();
    request.folder = m_folder->path().toStdString();
    request.steps = m_steps->value();
    request.guidance = m_guidance->value();
    return request;
}

void MeasureBar::setSettings(const CalibrateRequest& settings) {
    m_images->setValue(settings.images);
    m_steps->setValue(settings.steps);
    m_guidance->setValue(settings.guidance);
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
    show();
    m_messages->showNote(note);
}

void MeasureBar::fail(const Error& error) {
    setRunning(false);
    m_messages->showError(error);
}

}  // namespace ropescope
