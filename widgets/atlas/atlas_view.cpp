// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/atlas/atlas_view.h"

#include <qcustomplot.h>

#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QPushButton>
#include <algorithm>
#include <cmath>
#include <set>

#include "widgets/atlas/atlas_figure.h"
#include "widgets/atlas/atlas_grid.h"
#include "widgets/atlas/scatter_plot.h"
#include "widgets/frame/number_table.h"
#include "widgets/frame/tool_row.h"
#include "widgets/frame/two_parts.h"

namespace ropescope {
namespace {

constexpr const char* kFirstNumber = "cross_axis_mixing";
constexpr QSize kLeastScatter(220, 160);

}  // namespace

AtlasView::AtlasView(OpenModels& models, Selection& selection, QWidget* parent)
    : View(models, selection, tr("Atlas"), parent),
      m_number(new QComboBox(this)),
      m_marks(new QLabel(this)),
      m_minus(new QComboBox(this)),
      m_sort(new QComboBox(this)),
      m_lock(new QCheckBox(tr("Fixed range"), this)),
      m_grid(new AtlasGrid(this)),
      m_scatter(new ScatterPlot(this)),
      m_parts(new TwoParts(m_grid, m_scatter, tr("Scatter"), this)) {
    setEmptyText(tr("Every attention head of the model, coloured by one number: how far it is from plain rotary "
                    "positions, how it mixes the axes, how far it looks."),
                 tr("Open a model ..."));
    setContent(m_parts);
    buildControls();
    connectSignals();
    if (!m_models.all().empty()) m_model = m_models.all().begin()->first;
    if (m_models.find(m_selection.current().model) != nullptr) m_model = m_selection.current().model;
    fillNumbers();
    refresh();
}

void AtlasView::buildControls() {
    m_number->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    m_marks->setForegroundRole(QPalette::PlaceholderText);
    controls().addGroup(tr("Colour"), {m_number});
    controls().addWidget(m_parts->turnButton());
    m_parts->turnButton()->setToolTip(tr("Show the scatter of two numbers in the place of the grid"));
    controls().addWidget(m_marks);
    m_minus->setToolTip(tr("Draw the difference to another open model, centred on zero"));
    m_minus->addItem(tr("as it is"), -1);
    controls().addWidget(m_minus);
    m_sort->addItems({tr("as stored"), tr("layers sorted"), tr("heads sorted"), tr("both sorted")});
    m_sort->setToolTip(tr("Order of rows and columns: by their mean of the shown number, largest first"));
    controls().addWidget(m_sort);
    m_lock->setToolTip(tr("Keep the colour range when the model changes, so that pictures can be compared"));
    controls().addWidget(m_lock);
    controls().addGroup(tr("Scatter x"), {m_scatter->xChoice()});
    controls().addGroup(tr("y"), {m_scatter->yChoice()});
}

void AtlasView::connectSignals() {
    connect(&m_models, &OpenModels::modelsChanged, this, [this] {
        if (m_models.find(m_model) == nullptr) m_model = m_models.all().empty() ? -1 : m_models.all().begin()->first;
        showHover(std::nullopt);
        fillNumbers();
        refresh();
    });
    connect(&m_models, &OpenModels::atlasChanged, this, [this](int model) {
        const OpenModel* shown = m_models.find(m_model);
        if (shown == nullptr || !shown->hasHeads()) m_model = model;
        fillNumbers();
        refresh();
    });
    connect(&m_selection, &Selection::changed, this, [this] {
        const int model = m_selection.current().model;
        if (model >= 0 && model != m_model) {
            setModel(model);
        } else {
            refreshMarks();
        }
    });
    connect(m_number, &QComboBox::currentIndexChanged, this, &AtlasView::refresh);
    connect(m_minus, &QComboBox::currentIndexChanged, this, &AtlasView::refresh);
    connect(m_sort, &QComboBox::currentIndexChanged, this, &AtlasView::refresh);
    connect(m_lock, &QCheckBox::toggled, this, [this] {
        m_fixed.clear();
        refresh();
    });
    connect(m_grid, &AtlasGrid::hovered, this, &AtlasView::showHover);
    connect(m_grid, &AtlasGrid::picked, this,
            [this](HeadId head, Qt::KeyboardModifiers modifiers) { take({head}, modifiers); });
    connect(m_grid, &AtlasGrid::brushed, this, &AtlasView::take);
    connect(m_grid, &AtlasGrid::moved, this, &AtlasView::move);
    connect(m_scatter, &ScatterPlot::hovered, this, &AtlasView::showHover);
    connect(m_scatter, &ScatterPlot::picked, this,
            [this](HeadId head, Qt::KeyboardModifiers modifiers) { take({head}, modifiers); });
    connect(m_scatter, &ScatterPlot::brushed, this, &AtlasView::take);
}

void AtlasView::setModel(int model) {
    if (m_model == model) return;
    m_model = model;
    fillNumbers();
    refresh();
}

void AtlasView::setNumber(const QString& key) {
    if (const int index = m_number->findData(key); index >= 0) m_number->setCurrentIndex(index);
}

QString AtlasView::number() const {
    return m_number->currentData().toString();
}

void AtlasView::setSort(Sort sort) {
    m_sort->setCurrentIndex(static_cast<int>(sort));
}

void AtlasView::sortFigure(AtlasFigure& figure) const {
    const auto sort = static_cast<Sort>(m_sort->currentIndex());
    if (sort == Sort::Layers || sort == Sort::Both) figure.layerOrder = descending(meansOf(figure, true));
    if (sort == Sort::Heads || sort == Sort::Both) figure.headOrder = descending(meansOf(figure, false));
}

void AtlasView::setScatter(const QString& keyX, const QString& keyY) {
    m_scatter->setAxes(keyX, keyY);
    showKnown();
}

const AtlasReport* AtlasView::report() const {
    const OpenModel* model = m_models.find(m_model);
    return model != nullptr && model->atlas ? &*model->atlas : nullptr;
}

const HeadNumber* AtlasView::find(const QString& key) const {
    const AtlasReport* atlas = report();
    if (atlas == nullptr) return nullptr;
    for (const HeadNumber& number : atlas->numbers) {
        if (QString::fromStdString(number.key) == key) return &number;
    }
    return nullptr;
}

/// The choices follow the model; what was chosen stays chosen.
void AtlasView::fillNumbers() {
    const AtlasReport* atlas = report();
    if (atlas == nullptr && !m_models.all().empty()) return;  // the model's numbers are on their way
    const QSignalBlocker blockNumber(m_number), blockMinus(m_minus);
    const QVariant kept = m_number->currentData(), keptMinus = m_minus->currentData();
    m_number->clear();
    m_minus->clear();
    m_minus->addItem(tr("as it is"), -1);
    if (atlas != nullptr) {
        for (const HeadNumber& number : atlas->numbers) {
            m_number->addItem(QString::fromStdString(number.title), QString::fromStdString(number.key));
            m_number->setItemData(m_number->count() - 1, definitionText(number), Qt::ToolTipRole);
        }
        for (const auto& [key, model] : m_models.all()) {
            if (key == m_model || !model.atlas) continue;
            if (model.atlas->layers != atlas->layers || model.atlas->heads != atlas->heads) continue;
            m_minus->addItem(tr("minus %1").arg(QString::fromStdString(model.card.name)), key);
        }
        const int first = std::max(0, m_number->findData(QLatin1String(kFirstNumber)));
        m_number->setCurrentIndex(kept.isValid() ? std::max(0, m_number->findData(kept)) : first);
        m_minus->setCurrentIndex(std::max(0, m_minus->findData(keptMinus)));
        m_scatter->setReport(*atlas);
        showKnown();
    }
    m_minus->setVisible(m_minus->count() > 1);
}

/// Numbers that this model does not have give way to some that it has.
void AtlasView::showKnown() {
    const auto known = [this](const QString& key) {
        const HeadNumber* n = find(key);
        return n != nullptr &&
               std::any_of(n->values.begin(), n->values.end(), [](double v) { return std::isfinite(v); });
    };
    for (const char* key : {kFirstNumber, "image_to_text"})
        if (!known(number()) && known(QLatin1String(key))) m_number->setCurrentIndex(m_number->findData(key));
    const std::pair<const char*, const char*> pairs[] = {{"condition", kFirstNumber},
                                                         {"text_to_image", "image_to_text"}};
    for (const auto& [x, y] : pairs)
        if (m_scatter->points().empty() && known(QLatin1String(x)) && known(QLatin1String(y)))
            m_scatter->setAxes(QLatin1String(x), QLatin1String(y));
}

std::vector<double> AtlasView::values() const {
    const HeadNumber* chosen = find(number());
    if (chosen == nullptr) return {};
    std::vector<double> values = chosen->values;
    const OpenModel* other = m_models.find(m_minus->currentData().toInt());
    if (other == nullptr || !other->atlas) return values;
    for (const HeadNumber& candidate : other->atlas->numbers) {
        if (candidate.key != chosen->key || candidate.values.size() != values.size()) continue;
        for (std::size_t i = 0; i < values.size(); ++i) values[i] -= candidate.values[i];
    }
    return values;
}

void AtlasView::refresh() {
    const AtlasReport* atlas = report();
    const HeadNumber* chosen = find(number());
    showEmpty(atlas == nullptr || chosen == nullptr);
    if (atlas == nullptr || chosen == nullptr) return;
    const bool difference = m_minus->currentData().toInt() >= 0;
    AtlasFigure figure;
    figure.layers = atlas->layers;
    figure.heads = atlas->heads;
    figure.values = values();
    for (const std::string& problem : atlas->problems) figure.problems.push_back(QString::fromStdString(problem));
    const bool sound = atlas->problems.empty() || std::ranges::any_of(atlas->problems, &std::string::empty);
    if (sound && std::ranges::none_of(figure.values, [](double v) { return std::isfinite(v); }))
        figure.nothing = tr("%1 has no such number").arg(QString::fromStdString(m_models.find(m_model)->card.name));
    const OpenModel& shown = *m_models.find(m_model);
    if (!difference && chosen->about == About::Map && shown.card.convention == Convention::None)
        figure.nothing = tr("%1 has no HARoPE map: of every head this is the value of plain rotary positions, %2")
                             .arg(shown.name(), numberText(chosen->neutral, chosen->unit));
    figure.title = (difference ? tr("Difference: ") : QString()) + titleWithUnit(*chosen);
    const QString kept = figure.title;  // a locked range holds for all models
    if (m_models.all().size() > 1) figure.title += tr(" of %1").arg(shown.name());
    auto [low, high] = rangeOf(figure.values);
    if (difference) {
        high = std::max({std::abs(low), std::abs(high), 1e-9});
        low = -high;
        figure.map = ColourMap::Diverging;
    }
    if (m_lock->isChecked()) {
        const auto held = m_fixed.try_emplace(kept, low, high).first;
        std::tie(low, high) = held->second;
    }
    figure.low = low;
    figure.high = high;
    sortFigure(figure);
    m_marks->setText(marksText(*chosen));
    m_number->setToolTip(definitionText(*chosen));
    m_marks->setToolTip(definitionText(*chosen));
    m_grid->setFigure(std::move(figure));
    m_parts->setLeast(m_grid->least(), kLeastScatter);
    refreshMarks();
}

void AtlasView::refreshMarks() {
    std::vector<AtlasFigure::Mark> marks;
    std::vector<HeadRef> all = m_selection.shown();
    all.insert(all.end(), m_selection.heads().begin(), m_selection.heads().end());
    std::set<HeadRef> done;
    for (HeadRef head : all) {
        if (head.model != m_model || !done.insert(head).second) continue;
        marks.push_back(
            {head.id, m_selection.colourIndex(head), head == m_selection.current(), m_selection.isPinned(head)});
    }
    AtlasFigure figure = m_grid->figure();
    figure.marks = marks;
    m_grid->setFigure(std::move(figure));
    m_scatter->setMarks(marks);
}

void AtlasView::showHover(std::optional<HeadId> head) {
    const HeadNumber* chosen = find(number());
    if (!head || chosen == nullptr) {
        emit hovered({});
        m_grid->setToolTip({});
        m_scatter->setToolTip({});
        return;
    }
    const QString& problem = m_grid->figure().problems[head->layer * m_grid->figure().heads + head->head];
    const QString name = m_models.headName({m_model, *head});
    const QString text = problem.isEmpty() ? name + QStringLiteral("  ") + QString::fromStdString(chosen->title) +
                                                 QLatin1Char(' ') + numberText(drawnValue(*head), chosen->unit)
                                           : name + QStringLiteral("  ") + problem;
    m_grid->setToolTip(text);
    m_scatter->setToolTip(text);
    emit hovered(text);
}

void AtlasView::take(const std::vector<HeadId>& heads, Qt::KeyboardModifiers modifiers) {
    std::vector<HeadRef> refs;
    for (HeadId id : heads) refs.push_back({m_model, id});
    const HeadRef current = m_selection.current();
    if (modifiers & Qt::ControlModifier) {
        if (refs.size() == 1) {
            m_selection.toggle(refs.front());
            return;
        }
        std::vector<HeadRef> all = m_selection.heads();
        all.insert(all.end(), refs.begin(), refs.end());
        m_selection.selectAll(all);
    } else if ((modifiers & Qt::ShiftModifier) && refs.size() == 1 && current.model == m_model) {
        std::vector<HeadRef> block = m_selection.heads();
        for (HeadId id : m_grid->block(current.id, refs.front().id)) block.push_back({m_model, id});
        block.push_back(refs.front());
        m_selection.selectAll(block);
    } else {
        m_selection.selectAll(refs);
    }
}

void AtlasView::move(int layers, int heads, Qt::KeyboardModifiers modifiers) {
    const AtlasReport* atlas = report();
    if (atlas == nullptr || m_grid->figure().layers == 0) return;
    const HeadId from = m_selection.current().model == m_model ? m_selection.current().id : HeadId{};
    const HeadRef to{m_model, m_grid->neighbour(from, layers, heads)};
    if (modifiers & Qt::ShiftModifier) {
        m_selection.add(to);
    } else {
        m_selection.select(to);
    }
}

double AtlasView::drawnValue(HeadId head) const {
    const AtlasFigure& figure = m_grid->figure();
    return figure.values.at(head.layer * figure.heads + head.head);
}

QColor AtlasView::drawnColour(HeadId head) const {
    return m_grid->colour(head);
}

QRect AtlasView::cellRect(HeadId head) const {
    return m_grid->cell(head).toAlignedRect();
}

QWidget* AtlasView::grid() const {
    return m_grid;
}

std::vector<double> AtlasView::layerMeans() const {
    std::vector<double> means;
    for (int layer = 0; layer < m_grid->figure().layers; ++layer) means.push_back(m_grid->meanOfLayer(layer));
    return means;
}

std::vector<double> AtlasView::headMeans() const {
    std::vector<double> means;
    for (int head = 0; head < m_grid->figure().heads; ++head) means.push_back(m_grid->meanOfHead(head));
    return means;
}

std::vector<QPointF> AtlasView::scatterPoints() const {
    return m_scatter->points();
}

void AtlasView::writeNumbers(NumberTable& table) const {
    const AtlasReport* atlas = report();
    if (atlas == nullptr) return;
    table.label(QStringLiteral("head"));
    for (const HeadNumber& number : atlas->numbers) table.label(QString::fromStdString(number.key));
    table.endRow();
    for (int i = 0; i < atlas->layers * atlas->heads; ++i) {
        table.label(QString::fromStdString(HeadId{i / atlas->heads, i % atlas->heads}.name()));
        for (const HeadNumber& number : atlas->numbers) table.number(number.values[i]);
        table.endRow();
    }
}

QString AtlasView::subject() const {
    const AtlasReport* atlas = report();
    if (atlas == nullptr) return {};
    return tr("%1, %2 heads").arg(m_models.find(m_model)->name()).arg(atlas->layers * atlas->heads);
}

void AtlasView::drawFigure(QCPPainter& painter, QSize size) const {
    const auto [grid, scatter] = m_parts->partsIn(size);
    if (!grid.isEmpty()) m_grid->draw(painter, grid, paperLooks(font()));
    if (scatter.isEmpty()) return;
    painter.save();
    painter.translate(scatter.topLeft());
    m_scatter->draw(painter, scatter.size());
    painter.restore();
}

void AtlasView::restyle() {
    m_grid->update();
    m_scatter->restyle();
}

}  // namespace ropescope
