// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pictures.h"

#include <QDir>
#include <QDockWidget>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QHash>
#include <QTimer>
#include <algorithm>
#include <cstdio>

#include "app/main_window.h"
#include "app/resources.h"
#include "widgets/attention/attention_canvas.h"
#include "widgets/attention/attention_view.h"
#include "widgets/compare/compare_view.h"
#include "widgets/fields/fields_view.h"
#include "widgets/frame/view.h"
#include "widgets/frequencies/frequencies_view.h"
#include "widgets/gallery/gallery.h"
#include "widgets/generate/generate_view.h"
#include "widgets/measure/measure_bar.h"
#include "widgets/planes/planes_view.h"
#include "widgets/tensors/tensor_list.h"
#include "widgets/tensors/tensor_panel.h"
#include "widgets/tensors/tensors_view.h"

namespace ropescope {
namespace {

constexpr int kPatienceMs = 60'000;
constexpr int kPaintMs = 400;
constexpr double kLeastInk = 0.02;  // share of pixels that are not of the most frequent colour

}  // namespace

bool isBlank(const QImage& image) {
    QHash<QRgb, int> count;
    const QImage pixels = image.convertToFormat(QImage::Format_RGB32);
    for (int y = 0; y < pixels.height(); ++y) {
        const auto* line = reinterpret_cast<const QRgb*>(pixels.constScanLine(y));
        for (int x = 0; x < pixels.width(); ++x) ++count[line[x]];
    }
    int most = 0;
    for (int n : count) most = std::max(most, n);
    const double all = static_cast<double>(pixels.width()) * pixels.height();
    return all == 0 || count.size() < 16 || all - most < kLeastInk * all;
}

Pictures::Pictures(MainWindow& window, const QString& folder) : m_window(window), m_folder(folder) {
    QDir().mkpath(folder);
}

int Pictures::take() {
    m_window.resize(1440, 900);
    const auto headIsThere = [this] {
        const HeadRef current = m_window.selection().current();
        return current.model >= 0 && m_window.models().head(current) != nullptr;
    };
    if (waitFor("the first head", kPatienceMs, headIsThere)) {
        settle(kPaintMs);
        save(m_window, "window");
        takeGeneration();
        takeViews();
        takeMeasurement();
        takeComparison();
    }
    for (const QString& failure : m_failures) std::fprintf(stderr, "pictures: %s\n", qPrintable(failure));
    return m_failures.isEmpty() ? 0 : 1;
}

bool Pictures::waitFor(const char* what, int milliseconds, const std::function<bool()>& condition) {
    QElapsedTimer timer;
    timer.start();
    while (!condition()) {
        if (timer.elapsed() > milliseconds) {
            m_failures.append(QString("%1 did not come within %2 s").arg(what).arg(milliseconds / 1000));
            return false;
        }
        settle(10);
    }
    return true;
}

void Pictures::settle(int milliseconds) {
    QEventLoop loop;
    QTimer::singleShot(milliseconds, &loop, &QEventLoop::quit);
    loop.exec();
}

void Pictures::save(QWidget& widget, const QString& name) {
    const QImage image = widget.grab().toImage();
    if (isBlank(image)) m_failures.append(name + " is blank");
    if (!image.save(QDir(m_folder).filePath(name + ".png"))) m_failures.append(name + " could not be written");
}

/// The current head, pinned, and heads of other layers beside it.
void Pictures::selectFour() {
    const HeadRef current = m_window.selection().current();
    const OpenModel* model = m_window.models().find(current.model);
    std::vector<HeadRef> heads;
    const int layers = model->card.layers;
    for (int i = 1; i < std::min(4, layers); ++i) {
        heads.push_back(
            {current.model, {(current.id.layer + i * layers / 4) % layers, (current.id.head + i) % model->card.heads}});
    }
    heads.push_back(current);
    m_window.selection().selectAll(heads);
    waitFor("four heads", kPatienceMs, [&] { return m_window.models().missing(heads).empty(); });
}

/// From one patch inside the picture.
void Pictures::askAttention() {
    AttentionView* view = m_window.panels().view<AttentionView>();
    const auto answered = [view] { return !view->canvas()->figure().image.empty(); };
    if (!waitFor("an answer about attention", kPatienceMs, answered)) return;
    const Grid grid = view->canvas()->figure().grid;
    view->choose({grid.rows / 2 * grid.cols + grid.cols / 3}, {});
    settle(kPaintMs);
}

/// The projections of a block in the middle.
void Pictures::chooseTensor() {
    TensorsView* view = m_window.panels().view<TensorsView>();
    if (!waitFor("the list of tensors", kPatienceMs, [view] { return !view->list().all().empty(); })) return;
    const OpenModel* model = m_window.models().find(view->model());
    const std::string name = model->card.attention(model->card.layers / 2) + "qkv.weight";
    view->choose(QString::fromStdString(name));
    waitFor("the values of a tensor", kPatienceMs, [&] { return view->panel().shown().name == name; });
    settle(kPaintMs);
}

void Pictures::takeViews() {
    selectFour();
    m_window.setLayout(Layout::Publish);
    for (QDockWidget* dock : m_window.docks().views) {
        dock->raise();
        settle(kPaintMs);
        auto* view = qobject_cast<View*>(dock->widget());
        if (view == m_window.panels().view<CompareView>())
            waitFor("a comparison", kPatienceMs, [&] { return !view->isShowingEmpty(); });
        if (view == m_window.panels().view<AttentionView>()) askAttention();
        if (view == m_window.panels().view<TensorsView>()) chooseTensor();
        if (view->isShowingEmpty()) m_failures.append(dock->windowTitle() + " is empty");
        // "compare" is the name of the picture of two models.
        save(*view,
             view == m_window.panels().view<CompareView>() ? QString("heads-compared") : dock->windowTitle().toLower());
    }
}

void Pictures::takeGeneration() {
    m_window.setLayout(Layout::Explore);
    settle(kPaintMs);
    int step = 0;
    QObject listener;  // the connection ends with this function
    QObject::connect(&m_window.generation(), &Generation::progressed, &listener,
                     [&](const GenerateProgress& progress) { step = progress.step; });
    GenerateView* view = m_window.panels().generate;
    const int half = view->request().steps / 2;
    view->requestGenerate();
    if (waitFor("a picture half done", kPatienceMs, [&] { return step >= half || view->gallery().count() > 0; })) {
        save(m_window, "generating");
    }
    for (int picture = 1; picture <= 4; ++picture) {
        if (!waitFor("a finished picture", kPatienceMs, [&] { return view->gallery().count() >= picture; })) return;
        if (picture == 4) break;
        GenerateRequest next = view->request();
        const OpenModel* model = m_window.models().find(view->model());
        const int classes = std::max(1, model ? model->card.classes : 1);
        next.labels = {(next.labels.front() + classes - 1) % classes};
        view->restore(next);
        view->requestGenerate();
    }
    settle(kPaintMs);
    save(m_window, "generated");
    m_window.setLayout(Layout::Generate);
    settle(kPaintMs);
    save(*view, "generate");
}

/// A few images are enough for a picture: what they say about the shown heads, and two heads subtracted.
void Pictures::takeMeasurement() {
    const HeadRef current = m_window.selection().current();
    m_window.offerMeasurement();
    CalibrateRequest settings = m_window.panels().measure->settings();
    settings.images = 8;
    settings.steps = 10;
    m_window.dataJobs().measure(settings);
    const auto done = [&] { return m_window.models().calibration(current) != nullptr; };
    if (!waitFor("a measurement", kPatienceMs, done)) return;
    m_window.panels().view<FrequenciesView>()->setEnergy(FrequenciesView::Energy::Data);
    m_window.goTo(m_window.docks().of(m_window.panels().view<FrequenciesView>()));
    settle(kPaintMs);
    save(*m_window.panels().view<FrequenciesView>(), "frequencies-data");
    m_window.panels().view<FrequenciesView>()->setEnergy(FrequenciesView::Energy::Weights);
    const std::vector<HeadRef> four = m_window.selection().heads();
    m_window.selection().selectAll({four.front(), four.back()});
    m_window.panels().view<PlanesView>()->setDifference(true);
    m_window.goTo(m_window.docks().of(m_window.panels().view<PlanesView>()));
    settle(kPaintMs);
    save(*m_window.panels().view<PlanesView>(), "planes-difference");
    m_window.panels().view<PlanesView>()->setDifference(false);
    m_window.setLayout(Layout::Explore);
    settle(kPaintMs);
    save(m_window, "measured");
}

/// A second shipped model beside the first, and the dark colours.
void Pictures::takeComparison() {
    const QStringList shipped = shippedModels();
    if (shipped.size() > 1) {
        m_window.openFiles({shipped.at(1)});
        if (!waitFor("a second model", kPatienceMs, [this] { return m_window.models().all().size() > 1; })) return;
        const int first = m_window.models().all().begin()->first;
        const int second = m_window.models().all().rbegin()->first;
        const HeadId id = m_window.selection().current().id;
        const std::vector<HeadRef> pair = {{first, id}, {second, id}};
        m_window.selection().selectAll(pair);
        waitFor("heads of two models", kPatienceMs, [&] { return m_window.models().missing(pair).empty(); });
        m_window.setLayout(Layout::Compare);
        settle(kPaintMs);
        save(m_window, "compare");
    }
    m_window.setLayout(Layout::Explore);
    m_window.setAppearance(Appearance::Dark);
    settle(kPaintMs);
    save(m_window, "dark");
}

}  // namespace ropescope
