// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/measure.h"

#include <unistd.h>

#include <QApplication>
#include <QDockWidget>
#include <QFile>
#include <QJsonDocument>
#include <QMouseEvent>
#include <QSlider>
#include <QTimer>
#include <algorithm>
#include <ctime>
#include <fstream>
#include <sstream>

#include "app/main_window.h"
#include "widgets/fields/fields_view.h"
#include "widgets/generate/generate_view.h"

namespace ropescope {
namespace {

constexpr int kOtherHeads = 12;
constexpr int kDragEvents = 120;
constexpr int kDragHeads = 6;
constexpr Grid kDragGrid{31, 31};
constexpr int kGiveUpMs = 60'000;
constexpr int kGenerateSteps = 500;  // long enough to last through the drag; cancelled after it

double percentile(std::vector<double> values, double share) {
    std::ranges::sort(values);
    return values[std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())))];
}

}  // namespace

double Measure::sinceStart() {
    std::ifstream stat("/proc/self/stat");
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    std::string word;
    for (int field = 3; field <= 22; ++field) fields >> word;  // 22: start time in clock ticks since boot
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6 -
           std::stod(word) * 1e3 / static_cast<double>(sysconf(_SC_CLK_TCK));
}

Measure::Measure(MainWindow& window, const QString& file) : QObject(&window), m_window(window), m_file(file) {
    for (const char* key :
         {"window_shown", "first_heads", "another_head", "another_head_report", "drag_p95", "drag_p95_generating"}) {
        m_times[key] = QJsonValue::Null;
    }
    m_window.installEventFilter(this);
    connect(m_window.panels().view<FieldsView>(), &FieldsView::repainted, this, &Measure::onFieldsPainted);
    connect(&m_window.loader(), &ModelLoader::headsArrived, this, [this] {
        if (m_phase == Phase::OtherHeads && m_timer.isValid())
            m_replies.push_back(static_cast<double>(m_timer.nsecsElapsed()) / 1e6);
    });
    QTimer::singleShot(kGiveUpMs, this, &Measure::finish);
}

bool Measure::eventFilter(QObject* watched, QEvent* event) {
    if (watched == &m_window && event->type() == QEvent::Paint && m_times["window_shown"].isNull()) {
        m_times["window_shown"] = -1.0;  // replaced when this paint has been flushed
        QTimer::singleShot(0, this, [this] { m_times["window_shown"] = sinceStart(); });
    }
    return QObject::eventFilter(watched, event);
}

void Measure::onFieldsPainted() {
    const HeadRef current = m_window.selection().current();
    if (!m_window.models().head(current)) return;  // painted without its report
    const double took = static_cast<double>(m_timer.isValid() ? m_timer.nsecsElapsed() : 0) / 1e6;
    switch (m_phase) {
        case Phase::FirstHeads:
            m_times["first_heads"] = sinceStart();
            m_phase = Phase::Settle;
            QTimer::singleShot(1000, this, [this] {  // the devices' answer loads LibTorch in the meantime
                m_phase = Phase::OtherHeads;
                nextHead();
            });
            break;
        case Phase::OtherHeads:
            if (!m_timer.isValid()) break;
            m_timer.invalidate();
            m_samples.push_back(took);
            QTimer::singleShot(20, this, &Measure::nextHead);
            break;
        case Phase::Drag:
        case Phase::DragGenerating:
            if (!m_timer.isValid()) break;
            m_timer.invalidate();
            m_samples.push_back(took);
            QTimer::singleShot(5, this, &Measure::dragOnce);
            break;
        case Phase::Settle:
        case Phase::Done:
            break;
    }
}

/// Heads in the order of the file, those not asked for before.
void Measure::nextHead() {
    const HeadRef current = m_window.selection().current();
    const OpenModel* model = m_window.models().find(current.model);
    const int count = model ? model->card.layers * model->card.heads : 0;
    while (m_head < count) {
        const HeadRef head{current.model, {m_head / model->card.heads, m_head % model->card.heads}};
        ++m_head;
        if (m_window.models().head(head)) continue;
        if (static_cast<int>(m_samples.size()) >= kOtherHeads) break;
        m_timer.start();
        return m_window.selection().select(head);
    }
    if (!m_samples.empty()) m_times["another_head"] = percentile(m_samples, 0.5);
    if (!m_replies.empty()) m_times["another_head_report"] = percentile(m_replies, 0.5);
    prepareDrag();
}

void Measure::prepareDrag() {
    m_phase = Phase::Settle;
    std::vector<HeadRef> heads;
    const HeadRef current = m_window.selection().current();
    for (const auto& entry : m_window.models().find(current.model)->heads) {
        if (static_cast<int>(heads.size()) < kDragHeads) heads.push_back({current.model, entry.first});
    }
    m_window.setLayout(Layout::Generate);
    m_window.goTo(m_window.docks().of(m_window.panels().view<FieldsView>()));
    m_window.selection().selectAll(heads);
    m_window.panels().view<FieldsView>()->setAnalytic(FieldsView::Analytic::Softmax);
    m_window.panels().view<FieldsView>()->setGrid(kDragGrid);
    QTimer::singleShot(500, this, [this] { startDrag(false); });
}

void Measure::startDrag(bool generating) {
    m_samples.clear();
    m_drags = 0;
    m_phase = generating ? Phase::DragGenerating : Phase::Drag;
    if (generating) {
        GenerateRequest request = m_window.panels().generate->request();
        request.steps = kGenerateSteps;
        m_window.generation().run(request);
    }
    QTimer::singleShot(generating ? 1500 : 0, this, &Measure::dragOnce);
}

/// One mouse move on the slider, as the window system would send it.
void Measure::dragOnce() {
    QSlider* slider = m_window.panels().view<FieldsView>()->betaSlider();
    const bool generating = m_phase == Phase::DragGenerating;
    if (m_drags == kDragEvents || (generating && !m_window.generation().isRunning())) {
        if (!m_samples.empty()) m_times[generating ? "drag_p95_generating" : "drag_p95"] = percentile(m_samples, 0.95);
        m_phase = Phase::Settle;
        return generating ? finish() : startDrag(true);
    }
    const auto send = [&](QEvent::Type type, int x) {
        const QPointF at(x, slider->height() / 2.0);
        QMouseEvent event(type, at, slider->mapToGlobal(at), type == QEvent::MouseMove ? Qt::NoButton : Qt::LeftButton,
                          Qt::LeftButton, Qt::NoModifier);
        QApplication::sendEvent(slider, &event);
    };
    const int span = std::max(2, slider->width() - 20);
    const int x = 10 + (m_drags * 37) % span;
    if (m_drags == 0) {
        const QPoint handle(
            10 + span * (slider->value() - slider->minimum()) / std::max(1, slider->maximum() - slider->minimum()), 0);
        send(QEvent::MouseButtonPress, handle.x());
    }
    ++m_drags;
    const int before = slider->value();
    m_timer.start();
    send(QEvent::MouseMove, x);
    if (slider->value() == before) {  // no change, no paint: not a sample
        m_timer.invalidate();
        QTimer::singleShot(1, this, &Measure::dragOnce);
    }
}

void Measure::finish() {
    if (m_phase == Phase::Done) return;
    m_phase = Phase::Done;
    QFile file(m_file);
    if (file.open(QFile::WriteOnly)) file.write(QJsonDocument(m_times).toJson());
    m_window.closeNow();
}

}  // namespace ropescope
