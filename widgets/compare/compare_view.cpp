// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/compare/compare_view.h"

#include <qcustomplot.h>

#include <QComboBox>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "widgets/compare/compare_matrix.h"
#include "widgets/compare/head_map.h"
#include "widgets/frame/key_line.h"
#include "widgets/frame/message_bar.h"
#include "widgets/frame/tool_row.h"
#include "widgets/frame/two_parts.h"

namespace ropescope {
namespace {

constexpr int kShown = -1;
constexpr int kEveryModel = -2;
constexpr QSize kLeastMatrix(220, 200), kLeastMap(200, 160);
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

/// The same question: what it is measured with does not change which heads are compared how.
bool same(const std::optional<CompareRequest>& a, const CompareRequest& b) {
    return a && a->models == b.models && a->heads == b.heads && a->metric == b.metric && a->content == b.content;
}

}  // namespace

CompareView::CompareView(OpenModels& models, Selection& selection, QWidget* parent)
    : View(models, selection, tr("Compare"), parent),
      m_metric(new QComboBox(this)),
      m_which(new QComboBox(this)),
      m_range(new QComboBox(this)),
      m_measure(new QPushButton(tr("Measure and compare"), this)),
      m_about(new QLabel(this)),
      m_matrix(new CompareMatrix(this)),
      m_map(new HeadMap(this)),
      m_parts(new TwoParts(m_matrix, m_map, tr("Map"), this)),
      m_key(new KeyLine(this)),
      m_note(new QLabel(this)) {
    setEmptyText(tr("Every head against every other: which ones look the same way, which stand alone. What the weights "
                    "decide is compared at once; what needs images waits for \"Measure and compare\"."),
                 tr("Open a model ..."));
    setHelp(tr(
        "The map places the heads by classical scaling: heads that are alike in the matrix lie close. Each axis says "
        "which share of the variance it holds; what is not held cannot be seen in the map."));
    m_parts->setLeast(kLeastMatrix, kLeastMap);
    m_parts->setExtent([this](QSize place, Qt::Orientation along) { return m_matrix->extentIn(place, along); });
    auto* content = new QWidget(this);
    auto* layout = new QVBoxLayout(content);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(8);
    layout->addWidget(m_parts, 1);
    layout->addWidget(m_key);
    m_note->setWordWrap(true);
    m_note->setTextFormat(Qt::PlainText);
    layout->addWidget(m_note);
    setContent(content);
    buildControls();
    fillHeads();
    draw();
}

void CompareView::buildControls() {
    m_metric->addItems({tr("kernel correlation, weights"), tr("kernel correlation, data"),
                        tr("frequency distance, weights"), tr("frequency distance, data"),
                        tr("field correlation, data"), tr("plane overlap, two states")});
    m_metric->setToolTip(tr(
        "Kernel correlation: of two heads' mean logits over all offsets, 1 = the same shape.\n"
        "Frequency distance: 1-Wasserstein over ln |\u03c9| between the energies, 0 = the same.\n"
        "Field correlation: of two heads' measured attention by offset.\n"
        "Plane overlap: how much of each query plane is still where it was, 1 = all; two checkpoints of one training.\n"
        "Weights: white input through the projections. Data: measured on images."));
    m_which->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    m_measure->setToolTip(tr("Makes images and measures the heads on them; Cancel keeps what was there"));
    m_about->setForegroundRole(QPalette::PlaceholderText);
    controls().addGroup(tr("Metric"), {m_metric});
    controls().addWidget(m_measure);
    controls().addWidget(m_parts->turnButton());
    m_parts->turnButton()->setToolTip(tr("Show the map of heads in the place of the matrix"));
    controls().addGroup(tr("Heads"), {m_which});
    m_range->addItems({tr("whole"), tr("data")});
    m_range->setToolTip(tr(
        "Range of the colours. Whole: all that the number can be, -1 to 1 for correlations, 0 to 1 for overlaps.\n"
        "Data: from the smallest to the largest that is drawn, the diagonal left out; around zero where signs differ.\n"
        "Distances always reach from 0 to the largest."));
    controls().addGroup(tr("Range"), {m_range});
    controls().addWidget(m_about);
    connect(m_metric, &QComboBox::currentIndexChanged, this, [this](int metric) {
        if (metric == static_cast<int>(Metric::PlaneOverlap))
            setHeads(kEveryModel);  // of two models, where two are open
        onChoice();
    });
    connect(m_which, &QComboBox::currentIndexChanged, this, &CompareView::onChoice);
    connect(m_range, &QComboBox::currentIndexChanged, this, &CompareView::draw);
    connect(m_which, &QComboBox::activated, this, [this] { m_chosen = true; });
    connect(&m_selection, &Selection::changed, this, &CompareView::followModel);
    connect(m_measure, &QPushButton::clicked, this, [this] { ask(true); });
    connect(&messages(), &MessageBar::cancelRequested, this, &CompareView::cancelRequested);
    connect(&m_models, &OpenModels::modelsChanged, this, [this] {
        emit hovered({});
        fillHeads();
        onChoice();
    });
    connect(&m_models, &OpenModels::atlasChanged, this, &CompareView::onChoice);
    connect(&m_selection, &Selection::changed, this, &CompareView::onChoice);
    connect(m_matrix, &CompareMatrix::hovered, this, [this](int row, int column) {
        const QString text = row < 0 ? QString() : pairText(row, column);
        m_matrix->setToolTip(text);
        emit hovered(text);
    });
    connect(m_matrix, &CompareMatrix::picked, this, [this](int row, int column, Qt::KeyboardModifiers keys) {
        pick({isOverlap() ? row + static_cast<int>(m_heads.size()) / 2 : column, row}, keys);
    });
    connect(m_map, &HeadMap::hovered, this, [this](int index) {
        const QString text = index < 0 ? QString() : m_models.headName(m_heads[index]);
        m_map->setToolTip(text);
        emit hovered(text);
    });
    connect(m_map, &HeadMap::picked, this, [this](int index, Qt::KeyboardModifiers keys) { pick({index}, keys); });
}

void CompareView::setMetric(Metric metric) {
    m_metric->setCurrentIndex(static_cast<int>(metric));
}

void CompareView::setRange(Range range) {
    m_range->setCurrentIndex(static_cast<int>(range));
}

void CompareView::setHeads(int which) {
    m_chosen = true;
    if (const int index = m_which->findData(which); index >= 0) m_which->setCurrentIndex(index);
}

/// Until somebody chooses, the heads of the current model are those to compare.
void CompareView::followModel() {
    const int index = m_chosen ? -1 : m_which->findData(m_selection.current().model);
    if (index > 0) m_which->setCurrentIndex(index);
}

void CompareView::fillHeads() {
    const QSignalBlocker block(m_which);
    const QVariant kept = m_which->currentData();
    m_which->clear();
    m_which->addItem(tr("shown heads"), kShown);
    for (const auto& [key, model] : m_models.all()) {
        if (model.hasHeads()) m_which->addItem(tr("all of %1").arg(model.name()), key);
    }
    if (m_which->count() == 3) m_which->addItem(tr("all of both models"), kEveryModel);
    const int found = m_which->findData(kept);
    m_which->setCurrentIndex(found > 0 ? found : std::min(1, m_which->count() - 1));
    if (found <= 0) m_chosen = false;  // what was chosen is closed
    followModel();
}

CompareRequest CompareView::request() const {
    CompareRequest request;
    const int which = m_which->currentData().toInt();
    std::set<int> keys;
    std::set<HeadId> heads;
    if (which == kShown) {
        for (HeadRef head : m_selection.shown()) {
            keys.insert(head.model);
            heads.insert(head.id);
        }
    } else {
        for (const auto& [key, model] : m_models.all()) {
            if (model.hasHeads() && (which == kEveryModel || key == which)) keys.insert(key);
        }
    }
    for (int key : keys) {
        if (const OpenModel* open = m_models.find(key)) request.models.push_back(open->ref);
    }
    request.heads.assign(heads.begin(), heads.end());
    const auto metric = static_cast<Metric>(m_metric->currentIndex());
    request.metric = metric == Metric::PlaneOverlap ? CompareMetric::PlaneOverlap
                     : metric == Metric::FieldData  ? CompareMetric::FieldCorrelation
                     : metric == Metric::KernelWeights || metric == Metric::KernelData
                         ? CompareMetric::KernelCorrelation
                         : CompareMetric::FrequencyWasserstein;
    const bool data = metric == Metric::KernelData || metric == Metric::FrequencyData || metric == Metric::FieldData;
    request.content = data ? ContentSource::Data : ContentSource::Weights;
    return request;
}

void CompareView::onChoice() {
    const CompareRequest wanted = request();
    m_measure->setVisible(wanted.needsData() && !same(m_drawn, wanted));
    if (!wanted.needsData()) ask(false);
    draw();
}

void CompareView::ask(bool measure) {
    const CompareRequest wanted = request();
    // One head alone has nothing to be compared with; heads are asked for only while somebody looks.
    if (wanted.models.empty() || wanted.heads.size() * wanted.models.size() == 1 || (!measure && !isVisible())) return;
    if (lacksSecondState()) return;  // the empty view says so
    if (same(m_drawn, wanted) || same(m_asked, wanted)) return;
    m_asked = wanted;
    emit compareRequested(wanted);
}

void CompareView::showProgress(const QString& words, double share) {
    messages().showProgress(words, share, -1);
}

std::vector<int> CompareView::keysOf(const CompareRequest& request) const {
    std::vector<int> keys;
    for (const ModelRef& ref : request.models) {
        for (const auto& [key, model] : m_models.all()) {
            if (model.ref == ref) keys.push_back(key);
        }
    }
    return keys;
}

void CompareView::take(const CompareRequest& request, const CompareReport& report) {
    m_asked.reset();
    messages().clear();
    const std::vector<int> keys = keysOf(request);
    if (keys.size() != request.models.size()) return;  // a model was closed meanwhile
    m_drawn = request;
    m_report = report;
    m_heads.clear();
    for (std::size_t i = 0; i < report.heads.size(); ++i) m_heads.push_back({keys[report.models[i]], report.heads[i]});
    m_measure->setVisible(this->request().needsData() && !same(m_drawn, this->request()));
    draw();
}

void CompareView::fail(const Error& error) {
    m_asked.reset();
    messages().showError(error);
}

void CompareView::cancelled() {
    m_asked.reset();
    messages().clear();
}

/// Draws the report that came last; it stays, dimmed, until another one comes.
void CompareView::draw() {
    const bool gone =
        std::any_of(m_heads.begin(), m_heads.end(), [&](HeadRef head) { return m_models.find(head.model) == nullptr; });
    if (gone) {
        m_report.reset();
        m_drawn.reset();
        m_heads.clear();
    }
    const bool empty = !m_report || lacksSecondState();
    // What stands beside the chosen metric is said of it alone, not of an older figure that is still seen.
    const bool current = !empty && same(m_drawn, request());
    m_about->setText(!current ? QString() : m_report->about == About::Map ? tr("of the map") : tr("of the head"));
    m_about->setToolTip(current ? QString::fromStdString(m_report->definition) : QString());
    m_note->setText(m_report ? QString::fromStdString(m_report->note) : QString());
    m_note->setVisible(!m_note->text().isEmpty());
    showKey();
    showCommand(current);
    showEmpty(empty);
    if (empty) return;
    m_range->setEnabled(m_report->similarity || isOverlap());
    isOverlap() ? drawOverlaps() : drawMatrix();
    drawMap();
    setStale(!same(m_drawn, request()));
}

void CompareView::pick(const std::vector<int>& indices, Qt::KeyboardModifiers modifiers) {
    std::vector<HeadRef> heads;
    if (modifiers & Qt::ControlModifier) heads = m_selection.heads();
    for (int index : indices) heads.push_back(m_heads[index]);
    m_selection.selectAll(heads);
}

int CompareView::indexOf(HeadRef head) const {
    const auto found = std::find(m_heads.begin(), m_heads.end(), head);
    return found == m_heads.end() ? -1 : static_cast<int>(found - m_heads.begin());
}

double CompareView::drawnValue(HeadRef row, HeadRef column) const {
    const int r = indexOf(row), c = indexOf(column);
    return r < 0 || c < 0 ? kUnknown : m_matrix->figure().values[r * m_heads.size() + c];
}

QPointF CompareView::drawnPlace(HeadRef head) const {
    const int index = indexOf(head);
    return index < 0 ? QPointF(kUnknown, kUnknown) : m_map->figure().places[index];
}

void CompareView::drawFigure(QCPPainter& painter, QSize size) const {
    const Looks looks = paperLooks(font());
    const int width = size.width() - 16, key = m_key->heightForWidth(width);
    const QString note = wrapped(m_note->text(), looks.font, width);
    const int noteHigh = note.isEmpty() ? 0 : QFontMetrics(looks.font).size(0, note).height();
    const auto [matrix, map] = m_parts->partsIn(QSize(size.width(), size.height() - key - noteHigh - 16));
    if (!matrix.isEmpty()) m_matrix->draw(painter, matrix, looks);
    if (!map.isEmpty()) {
        painter.save();
        painter.translate(map.topLeft());
        m_map->draw(painter, map.size());
        painter.restore();
    }
    m_key->draw(painter, QRectF(8, size.height() - key - noteHigh - 8, width, 0), looks);
    painter.setPen(looks.text);
    painter.setFont(looks.font);
    painter.drawText(QRectF(8, size.height() - noteHigh - 4, width, noteHigh), Qt::AlignLeft | Qt::AlignTop, note);
}

void CompareView::restyle() {
    ask(false);
    m_matrix->update();
    m_map->restyle();
}

}  // namespace ropescope
