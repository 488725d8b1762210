// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/generate/run_bar.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QMouseEvent>
#include <QPainter>
#include <QPushButton>
#include <QSlider>
#include <QStyle>
#include <QToolButton>
#include <QVBoxLayout>
#include <utility>

#include "widgets/frame/elided_label.h"
#include "widgets/frame/plot_style.h"
#include "widgets/frame/run_text.h"
#include "widgets/state/image.h"
#include "widgets/state/runs.h"

namespace ropescope {
namespace {

constexpr int kThumbnail = 32;
constexpr int kGlyph = 16;
constexpr int kPlayMs = 120;  ///< of one step

/// In the colours of text, which can be read on every palette's ground.
QIcon playIcon(bool pause, const QPalette& palette, qreal ratio) {
    QIcon icon;
    for (const auto& [mode, group] :
         {std::pair{QIcon::Normal, QPalette::Active}, std::pair{QIcon::Disabled, QPalette::Disabled}}) {
        QPixmap pixmap(QSize(kGlyph, kGlyph) * ratio);
        pixmap.setDevicePixelRatio(ratio);
        pixmap.fill(Qt::transparent);
        QPainter painter(&pixmap);
        painter.setRenderHint(QPainter::Antialiasing);
        painter.setPen(Qt::NoPen);
        painter.setBrush(palette.color(group, QPalette::ButtonText));
        if (pause) {
            painter.drawRect(QRectF(3, 2, 4, 12));
            painter.drawRect(QRectF(9, 2, 4, 12));
        } else {
            painter.drawPolygon(QPolygonF{QPointF(4, 2), QPointF(13, 8), QPointF(4, 14)});
        }
        icon.addPixmap(pixmap, mode);
    }
    return icon;
}

/// A click on the track goes there.
class JumpSlider : public QSlider {
public:
    using QSlider::QSlider;

protected:
    void mousePressEvent(QMouseEvent* event) override {
        if (event->button() == Qt::LeftButton) {
            const int handle = style()->pixelMetric(QStyle::PM_SliderLength);
            const int at = static_cast<int>(event->position().x()) - handle / 2;
            setValue(QStyle::sliderValueFromPosition(minimum(), maximum(), at, width() - handle));
        }
        QSlider::mousePressEvent(event);  // a drag goes on from here
    }
};

}  // namespace

RunBar::RunBar(Runs& runs, QWidget* parent)
    : QWidget(parent),
      m_runs(runs),
      m_picture(new QLabel(this)),
      m_text(new ElidedLabel(this)),
      m_details(new ElidedLabel(this)),
      m_play(new QToolButton(this)),
      m_slider(new JumpSlider(Qt::Horizontal, this)),
      m_step(new QLabel(this)),
      m_latest(new QPushButton(this)),
      m_decode(new QToolButton(this)),
      m_again(new QPushButton(tr("Make again"), this)) {
    setObjectName(QStringLiteral("runBar"));
    m_picture->setFixedSize(kThumbnail, kThumbnail);
    m_picture->setAlignment(Qt::AlignCenter);
    m_play->setAutoRaise(true);
    m_play->setCheckable(true);
    m_slider->setToolTip(tr("Sampling steps of this picture: the preview, Fields and Attention follow"));
    m_slider->setAccessibleName(tr("Sampling step"));
    m_slider->setMinimumWidth(120);
    m_step->setMinimumWidth(fontMetrics().horizontalAdvance(tr("step 8888 of 8888")));
    m_decode->setText(tr("Decode"));
    m_decode->setToolTip(tr("What this step saw, through the autoencoder; previews are linear"));
    m_again->setToolTip(tr("Its fields and previews are no longer here; the same settings bring them back"));
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(8, 4, 8, 4);
    row->setSpacing(8);
    row->addWidget(m_picture);
    auto* lines = new QVBoxLayout;
    lines->setSpacing(0);
    lines->addWidget(m_text);
    lines->addWidget(m_details);
    m_details->setForegroundRole(QPalette::PlaceholderText);
    row->addLayout(lines, 3);
    row->addWidget(m_latest);
    row->addWidget(m_again);
    row->addWidget(m_play);
    row->addWidget(m_slider, 1);
    row->addWidget(m_step);
    row->addWidget(m_decode);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    setFixedHeight(kThumbnail + 8);
    m_clock.setInterval(kPlayMs);
    connect(&m_clock, &QTimer::timeout, this, &RunBar::advance);
    connect(m_play, &QToolButton::clicked, this, &RunBar::play);
    connect(m_slider, &QSlider::valueChanged, this, [this](int step) { m_runs.setStep(step); });
    connect(m_slider, &QSlider::sliderPressed, this, [this] { play(false); });
    connect(m_decode, &QToolButton::clicked, this, [this] {
        m_decode->setEnabled(false);
        if (m_runs.current() != nullptr) emit decodeRequested(m_runs.current()->key, m_runs.step());
    });
    m_latest->setToolTip(tr("Select the picture that was begun last"));
    connect(m_latest, &QPushButton::clicked, this, [this] { m_runs.select(m_runs.latest()); });
    connect(m_again, &QPushButton::clicked, this, [this] {
        if (m_runs.current() != nullptr) emit againRequested(m_runs.current()->key);
    });
    connect(&m_runs, &Runs::selected, this, [this] {
        play(false);
        showRun();
    });
    connect(&m_runs, &Runs::changed, this, &RunBar::showRun);
    connect(&m_runs, &Runs::stepChanged, this, &RunBar::showStep);
    play(false);
    showRun();
}

void RunBar::showRun() {
    const Run* run = m_runs.current();
    const int steps = run == nullptr ? 0 : run->steps();
    const bool idle = run != nullptr && run->state != Run::State::Running;
    m_picture->setVisible(run != nullptr);
    // A run that is no finished picture of the gallery is reached from here alone.
    const Run* latest = m_runs.find(m_runs.latest());
    const bool running = latest != nullptr && latest->state == Run::State::Running;
    const bool cancelled = latest != nullptr && latest->state == Run::State::Cancelled && latest->model >= 0;
    m_latest->setVisible((running || cancelled) && latest != run);
    m_latest->setText(running ? tr("To the running one") : tr("To the cancelled one"));
    const bool gone = idle && steps == 0;
    const bool hadFocus = m_again->hasFocus();
    m_again->setVisible(gone);
    const bool one = run != nullptr && run->isClassified();  // a classified picture has no steps
    for (QWidget* control : std::initializer_list<QWidget*>{m_play, m_slider, m_step})
        control->setVisible(!gone && !one);
    m_play->setEnabled(steps > 1);
    m_slider->setEnabled(steps > 1);
    if (hadFocus && !gone && !one) m_slider->setFocus();
    if (run == nullptr) {
        m_text->say(tr("No picture is selected"));
        m_details->say(tr("Choose one in the gallery, or make one"));
    } else {
        m_text->say(tr("%1  \u00b7  %2").arg(runName(*run), run->modelName));
        m_details->say(runDetails(*run));
    }
    showStep();
}

void RunBar::showStep() {
    const Run* run = m_runs.current();
    const int steps = run == nullptr ? 0 : run->steps();
    const QSignalBlocker block(m_slider);
    // The whole run while it is made: the handle tells how far it is.
    const bool running = run != nullptr && run->state == Run::State::Running;
    m_slider->setRange(0, std::max(0, (running ? std::max(steps, run->asked.steps) : steps) - 1));
    m_slider->setValue(m_runs.step());
    QString text;
    if (run != nullptr && steps > 0 && !run->isClassified()) {
        text = ropescope::stepText(*run, m_runs.step());
        text.replace(QStringLiteral(", "), QStringLiteral("\n"));  // in two lines
        const int shown = run->pictureStep(m_runs.step());
        if (shown >= 0 && shown != m_runs.step()) text += tr(", preview of step %1").arg(shown + 1);
    }
    m_step->setText(text);
    m_decode->setVisible(run != nullptr && run->latents && run->state != Run::State::Running && steps > 0);
    m_decode->setEnabled(run != nullptr && run->model >= 0 && !run->decoded.contains(m_runs.step()));
    if (run == nullptr) return m_picture->clear();
    QImage shown = enlarged(run->pictureAt(m_runs.step()), static_cast<int>(kThumbnail * devicePixelRatioF()));
    shown.setDevicePixelRatio(devicePixelRatioF());
    m_picture->setPixmap(QPixmap::fromImage(shown));
}

void RunBar::play(bool on) {
    m_play->setChecked(on);
    m_play->setIcon(playIcon(on, palette(), devicePixelRatioF()));
    m_play->setToolTip(on ? tr("Stop (Space)") : tr("Play the steps (Space)"));
    if (!on) return m_clock.stop();
    if (m_runs.current() != nullptr && m_runs.step() >= m_runs.current()->steps() - 1) m_runs.setStep(0);
    m_clock.start();
}

void RunBar::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange)
        m_play->setIcon(playIcon(m_clock.isActive(), palette(), devicePixelRatioF()));
}

void RunBar::togglePlay() {
    if (m_play->isEnabled()) play(!m_clock.isActive());
}

void RunBar::stepBy(int steps) {
    play(false);
    m_runs.setStep(m_runs.step() + steps);
}

void RunBar::advance() {
    const int before = m_runs.step();
    m_runs.setStep(before + 1);
    if (m_runs.step() == before) play(false);
}

QString RunBar::text() const {
    return m_text->said() + QLatin1Char('\n') + m_details->said();
}

QString RunBar::stepText() const {
    return m_step->text();
}

}  // namespace ropescope
