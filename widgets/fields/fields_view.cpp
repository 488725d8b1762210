// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/fields/fields_view.h"

#include <qcustomplot.h>

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QSlider>
#include <algorithm>
#include <cmath>

#include "widgets/fields/fields_canvas.h"
#include "widgets/frame/number_table.h"
#include "widgets/frame/run_text.h"
#include "widgets/frame/tool_row.h"
#include "widgets/state/command_lines.h"
#include "widgets/state/runs.h"

namespace ropescope {
namespace {

constexpr int kLargestSide = 31;
constexpr int kBetaSteps = 120;  ///< slider positions over four decades
constexpr int kAskPauseMs = 60;  ///< of a drag, before changed frequencies are asked for

int positionOf(double beta) {
    return std::clamp(static_cast<int>(std::lround(std::log10(std::max(beta, 0.01) / 0.01) * kBetaSteps / 4.0)), 0,
                      kBetaSteps);
}

QSlider* newSlider(QWidget* parent, int low, int high, const QString& tip) {
    auto* slider = new QSlider(Qt::Horizontal, parent);
    slider->setRange(low, high);
    slider->setMinimumWidth(112);
    slider->setMaximumWidth(160);
    slider->setToolTip(tip);
    return slider;
}

QDoubleSpinBox* newRangeBox(QWidget* parent, const QString& tip) {
    auto* box = new QDoubleSpinBox(parent);
    box->setRange(1e-6, 1e6);
    box->setDecimals(4);
    box->setStepType(QAbstractSpinBox::AdaptiveDecimalStepType);
    box->setToolTip(tip);
    box->hide();
    return box;
}

}  // namespace

FieldsView::FieldsView(OpenModels& models, Selection& selection, Runs& runs, QWidget* parent)
    : View(models, selection, tr("Fields"), parent),
      m_runs(runs),
      m_analytic(new QComboBox(this)),
      m_content(new QComboBox(this)),
      m_measured(new QComboBox(this)),
      m_scale(new QComboBox(this)),
      m_difference(new QCheckBox(tr("Difference"), this)),
      m_rows(newSlider(this, 2, kLargestSide, tr("Rows of the grid that the analytic field is drawn on"))),
      m_cols(newSlider(this, 2, kLargestSide, tr("Columns of the grid"))),
      m_square(new QCheckBox(tr("square"), this)),
      m_gridText(new QLabel(this)),
      m_method(new QComboBox(this)),
      m_beta(newSlider(this, 0, kBetaSteps, tr("Content strength of the softmax: E|q||k| / sqrt(D)"))),
      m_betaText(new QLabel(this)),
      m_fixed(new QCheckBox(tr("Fixed range"), this)),
      m_highAnalytic(newRangeBox(this, tr("End of the analytic field's colours"))),
      m_highMeasured(newRangeBox(this, tr("End of the measured field's colours"))),
      m_canvas(new FieldsCanvas(this)) {
    setEmptyText(tr("Where the selected heads look, by offset from the query: what the weights allow beside what was "
                    "measured while an image was made. Select a head."),
                 tr("Open a model ..."));
    setHelp(tr(
        "The query stands in the middle of every map, and a cell is the offset of a key from it. Kernel: mean logit as "
        "a share of the energy of all planes, from -1 to 1; it is negative where the mean logit is. Measured, mean per "
        "pair: attention over the number of pairs of tokens with this offset; sum of attention: share of attention by "
        "offset.\nDistance: mean over the attention, in tokens, from the query; the dashed circle has it as its "
        "radius. "
        "The solid ellipse lies around the centre of the attention and reaches one standard deviation along its two "
        "main axes; anisotropy is 0 for a circle and 1 for a line."));
    buildControls();
    connect(&m_selection, &Selection::changed, this, &FieldsView::refresh);
    connect(&m_models, &OpenModels::headChanged, this, &FieldsView::refresh);
    connect(&m_models, &OpenModels::modelsChanged, this, &FieldsView::refresh);
    connect(&m_models, &OpenModels::changesChanged, this, [this](int model) {
        std::erase_if(m_scaled, [model](const auto& scaled) { return scaled.first.model == model; });
    });
    connect(&m_runs, &Runs::selected, this, &FieldsView::refresh);
    connect(&m_runs, &Runs::changed, this, &FieldsView::refresh);
    connect(&m_runs, &Runs::stepChanged, this, &FieldsView::refresh);
    connect(&m_models, &OpenModels::calibrationChanged, this, &FieldsView::refresh);
    connect(m_canvas, &FieldsCanvas::repainted, this, &FieldsView::repainted);
    connect(m_canvas, &FieldsCanvas::hovered, this, &FieldsView::showHover);
    refresh();
}

void FieldsView::buildControls() {
    m_analytic->addItems({tr("Kernel"), tr("Softmax of kernel"), tr("Sensitivity")});
    m_analytic->setToolTip(
        tr("Kernel: mean logit by offset for the chosen content, in [-1, 1].\n"
           "Softmax: attention that such logits alone would give, seen from the centre.\n"
           "Sensitivity: how much the offset can change a logit."));
    m_content->addItems({tr("weights (of the head)"), tr("white (of the map)"), tr("data (of the head)")});
    m_content->setToolTip(
        tr("Content at both tokens. Weights: the same white input through the head's projections.\n"
           "White: key equals query; the same picture for every orthogonal map.\n"
           "Data: the mean queries and keys of images; needs a measurement."));
    m_measured->addItems({tr("mean per pair"), tr("sum of attention")});
    m_measured->setToolTip(
        tr("Mean: attention per pair of tokens, free of the border's bias; its corners rest on single "
           "pairs.\nSum: share of attention by offset; every number comes from it."));
    m_scale->addItems({tr("linear"), tr("log")});
    m_difference->setToolTip(tr("The first head minus the second, offset by offset; for two shown heads"));
    m_fixed->setToolTip(
        tr("Colours keep their range when other heads are selected. Without it they span all steps of "
           "the picture for the shown heads."));
    m_measure = newMeasureButton();  // where its result is asked for
    m_measure->hide();
    m_square->setChecked(true);
    m_gridText->setMinimumWidth(fontMetrics().horizontalAdvance(QStringLiteral("Grid 128 \u00d7 128")));
    controls().addGroup(tr("Analytic"), {m_analytic});
    controls().addGroup({}, {m_content, m_measure});
    controls().addGroup({}, {m_betaText, m_beta});
    controls().addGroup(tr("Measured"), {m_measured, m_scale});
    controls().addGroup({}, {m_difference});
    controls().addGroup({}, {m_fixed, m_highAnalytic, m_highMeasured});
    controls().addGroup({}, {m_gridText, m_rows, m_cols, m_square, m_method});
    auto* area = new QScrollArea(this);  // many heads need more height than there is
    area->setWidget(m_canvas);
    area->setWidgetResizable(true);
    area->setFrameShape(QFrame::NoFrame);
    area->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setContent(area);
    connect(m_difference, &QCheckBox::toggled, this, &FieldsView::refresh);
    connect(m_fixed, &QCheckBox::toggled, this, [this](bool fixed) {
        m_highAnalytic->setVisible(fixed);
        m_highMeasured->setVisible(fixed);
        refresh();
    });
    for (QDoubleSpinBox* box : {m_highAnalytic, m_highMeasured})
        connect(box, &QDoubleSpinBox::valueChanged, this, &FieldsView::refresh);
    for (QComboBox* combo : {m_analytic, m_content, m_measured, m_scale}) {
        connect(combo, &QComboBox::currentIndexChanged, this, &FieldsView::refresh);
    }
    connect(m_rows, &QSlider::valueChanged, this, [this](int rows) {
        if (m_square->isChecked() && m_cols->value() != rows) {
            m_cols->setValue(rows);  // draws through the columns' own signal
        } else {
            refresh();
        }
    });
    connect(m_cols, &QSlider::valueChanged, this, &FieldsView::refresh);
    connect(m_square, &QCheckBox::toggled, this, [this](bool on) {
        m_cols->setVisible(!on);
        if (on) m_cols->setValue(m_rows->value());
    });
    m_cols->hide();
    m_method->addItems(extrapolationNames());
    m_method->setToolTip(extrapolationTip());
    connect(m_method, &QComboBox::currentIndexChanged, this, &FieldsView::refresh);
    m_askPause.setSingleShot(true);
    m_askPause.setInterval(kAskPauseMs);
    connect(&m_askPause, &QTimer::timeout, this, &FieldsView::askScaled);
    connect(m_beta, &QSlider::valueChanged, this, &FieldsView::refresh);
    connect(m_beta, &QSlider::sliderPressed, this, [this] { m_betaChosen = true; });
}

void FieldsView::setAnalytic(Analytic analytic) {
    m_analytic->setCurrentIndex(static_cast<int>(analytic));
}
void FieldsView::setContentKind(Content content) {
    m_content->setCurrentIndex(static_cast<int>(content));
}
void FieldsView::setMeasured(Measured measured) {
    m_measured->setCurrentIndex(static_cast<int>(measured));
}
void FieldsView::setScale(Scale scale) {
    m_scale->setCurrentIndex(static_cast<int>(scale));
}

void FieldsView::setDifference(bool on) {
    m_difference->setChecked(on);
}

void FieldsView::setGrid(Grid grid) {
    const QSignalBlocker rows(m_rows), cols(m_cols);
    m_square->setChecked(grid.rows == grid.cols);
    m_rows->setValue(grid.rows);
    m_cols->setValue(grid.cols);
    refresh();
}

Grid FieldsView::grid() const {
    return {m_rows->value(), m_square->isChecked() ? m_rows->value() : m_cols->value()};
}

void FieldsView::setExtrapolation(Extrapolation method) {
    m_method->setCurrentIndex(static_cast<int>(method));
}

Extrapolation FieldsView::extrapolation() const {
    const OpenModel* model = m_models.find(m_selection.current().model);
    if (model == nullptr || grid() == model->card.grid) return Extrapolation::None;
    return static_cast<Extrapolation>(m_method->currentIndex());
}

/// Offered where it means something: on another grid, for positions that turn.
void FieldsView::refreshMethod() {
    const OpenModel* model = m_models.find(m_selection.current().model);
    m_method->setVisible(model != nullptr && model->card.axes > 0 && !(grid() == model->card.grid));
    if (extrapolation() != Extrapolation::None) m_askPause.start();
}

void FieldsView::askScaled() {
    const Extrapolation method = extrapolation();
    std::map<int, std::vector<HeadId>> wanted;
    for (HeadRef head : m_selection.shown()) {
        const auto found = m_scaled.find(head);
        const bool there = found != m_scaled.end() && found->second.grid == grid() && found->second.method == method;
        if (m_models.head(head) != nullptr && !there) wanted[head.model].push_back(head.id);
    }
    if (method == Extrapolation::None) return;
    for (const auto& [model, heads] : wanted) emit scaledRequested(model, heads, grid(), method);
}

void FieldsView::takeScaled(int model, Grid grid, Extrapolation method, const HeadsReport& report) {
    for (const HeadReport& head : report.heads) m_scaled[{model, head.id}] = {grid, method, head};
    refresh();
}

void FieldsView::setBeta(double beta) {
    m_betaChosen = true;
    m_beta->setValue(positionOf(beta));
}

double FieldsView::beta() const {
    return 0.01 * std::pow(10.0, 4.0 * m_beta->value() / kBetaSteps);
}

void FieldsView::setFixedRange(bool fixed) {
    m_fixed->setChecked(fixed);
}

double FieldsView::highMeasured() const {
    return m_canvas->figure().measured.high;
}

/// The grid is that of the selected picture, made with the model of a shown head, else the model's own; positions
/// change as they did for the picture. The content strength is the head's own.
void FieldsView::takeDefaults() {
    const HeadRef current = m_selection.current();
    const OpenModel* model = m_models.find(current.model);
    const Run* run = m_runs.current();
    const bool own = run != nullptr && run->patches.tokens() > 0 &&
                     std::ranges::count(m_selection.shown(), run->model, &HeadRef::model) > 0;
    const std::pair<int, int> source{current.model, own ? run->key : -1};
    if (model != nullptr && m_gridOf != source && (own || model->card.grid.tokens() > 0)) {
        m_gridOf = source;
        const Grid grid = own ? run->patches : model->card.grid;
        const QSignalBlocker rows(m_rows), cols(m_cols), square(m_square), method(m_method);
        for (QSlider* side : {m_rows, m_cols}) side->setMaximum(std::max({kLargestSide, grid.rows, grid.cols}));
        m_square->setChecked(grid.rows == grid.cols);
        m_cols->setVisible(!m_square->isChecked());
        m_rows->setValue(grid.rows);
        m_cols->setValue(grid.cols);
        if (own) m_method->setCurrentIndex(static_cast<int>(run->asked.extrapolate.method));
    }
    const HeadReport* report = m_models.head(current);
    const HeadCalibration* data = m_models.calibration(current);
    const bool measured = m_content->currentIndex() == static_cast<int>(Content::Data) && data != nullptr;
    const double strength = measured ? data->contentStrength : report == nullptr ? 0 : report->contentStrength;
    if (!m_betaChosen && strength > 0) {
        const QSignalBlocker block(m_beta);
        m_beta->setValue(positionOf(strength));
    }
}

/// Why no measured field is drawn.
QString FieldsView::noFieldText() const {
    const OpenModel* model = m_models.find(m_selection.current().model);
    const Run* run = m_runs.current();
    if (run != nullptr && model != nullptr && run->model != m_selection.current().model)
        return tr("The selected picture is of %1").arg(run->modelName);
    if (run != nullptr && run->state != Run::State::Running && run->fields.empty())
        return run->steps() > 0 ? tr("This picture was made without measuring fields")
                                : tr("The fields of this picture are gone: \"Make again\" below brings them back");
    return model != nullptr && model->card.objective == "classify"
               ? tr("Measured field: it fills in when %1 is shown a picture").arg(model->name())
               : tr("Measured field: it fills in while an image is generated");
}

void FieldsView::refresh() {
    if (keepsOldContent()) return;
    takeDefaults();
    FieldsFigure figure;
    figure.noField = noFieldText();
    figure.source = sourceTexts();
    figure.letters = m_models.modelLetters(m_selection.shown());
    const bool data = m_content->currentIndex() == static_cast<int>(Content::Data);
    bool turns = false, normed = false;
    for (HeadRef head : m_selection.shown()) {
        const HeadReport* report = m_models.head(head);
        if (report == nullptr) continue;
        figure.panels.push_back(panelOf(head, *report));
        if (report->kernelWhite.a.empty()) continue;
        turns = true;
        normed |= report->kernelWeights.a.empty();
    }
    m_measure->setVisible(data || normed);
    figure.noAnalytic = !turns ? tr("Nothing turns here: there is no kernel")
                        : data ? tr("Nothing measured yet: \"Measure data ...\" above fills this in")
                                        : tr("Norms of queries and keys stand before the map: the weights alone say "
                                             "nothing. \"Measure data ...\" above fills this in (of the head); "
                                             "\"white\" shows what the map does (of the map)");
    showEmpty(figure.panels.empty());
    subtract(figure);
    setScales(figure);
    const bool softmax = m_analytic->currentIndex() == static_cast<int>(Analytic::Softmax);
    m_beta->setVisible(softmax);
    m_betaText->setVisible(softmax);
    m_betaText->setText(QStringLiteral("\u03b2 %1").arg(shortNumber(beta())));
    refreshMethod();
    m_gridText->setText(tr("Grid %1 \u00d7 %2").arg(grid().rows).arg(grid().cols));
    m_canvas->setFigure(std::move(figure));
    showCommand();
}

/// One line for each kind of map that is drawn.
void FieldsView::showCommand() {
    const OpenModel* model = m_models.find(m_selection.current().model);
    const Run* run = m_runs.current();
    QStringList lines;
    if (model != nullptr) {
        const bool data = m_content->currentIndex() == static_cast<int>(Content::Data);
        lines << (data ? model->calibrationLine : inspectLine(*model, grid(), extrapolation()));
        if (run != nullptr && run->model == m_selection.current().model) lines << fieldLine(*run);
    }
    lines.removeAll(QString());
    lines.removeDuplicates();
    setCommandLine(lines.join(QLatin1Char('\n')));
}

void FieldsView::showHover(int index, QPoint offset) {
    QString text;
    if (index >= 0 && !m_canvas->figure().panels[index].problem.isEmpty()) {
        const FieldsPanel& panel = m_canvas->figure().panels[index];
        text = panel.name + QStringLiteral("  ") + panel.problem;
        m_canvas->setToolTip(text);
    } else if (index >= 0) {
        m_canvas->setToolTip({});
        text = tr("offset row %1, column %2: ").arg(offset.y()).arg(offset.x());
        QStringList parts;
        for (const FieldsPanel& panel : m_canvas->figure().panels) {
            QString part = panel.name;
            if (panel.analytic.holds(offset.y(), offset.x())) {
                part += QLatin1Char(' ') + shortNumber(panel.analytic.at(offset.y(), offset.x()));
            }
            if (panel.measured.holds(offset.y(), offset.x())) {
                part += tr(", measured ") + shortNumber(panel.measured.at(offset.y(), offset.x()));
            }
            parts << part;
        }
        text += parts.join(QStringLiteral("; "));
    }
    emit hovered(text);
}

std::vector<double> FieldsView::drawnAnalytic(HeadRef head) const {
    for (const FieldsPanel& panel : m_canvas->figure().panels) {
        if (panel.head == head) return panel.analytic.values;
    }
    return {};
}

std::vector<double> FieldsView::drawnMeasured(HeadRef head) const {
    for (const FieldsPanel& panel : m_canvas->figure().panels) {
        if (panel.head == head) return panel.measured.values;
    }
    return {};
}

QWidget* FieldsView::canvas() const {
    return m_canvas;
}

void FieldsView::writeNumbers(NumberTable& table) const {
    for (const char* title :
         {"model", "head", "picture", "step", "kind", "row_offset_tokens", "column_offset_tokens", "value_share"})
        table.label(QLatin1String(title));
    table.endRow();
    const Run* run = m_runs.current();
    for (const FieldsPanel& panel : m_canvas->figure().panels) {
        for (const OffsetMap* map : {&panel.analytic, &panel.measured}) {
            if (map->values.empty()) continue;
            const bool measured = map == &panel.measured;
            const QString kind = (measured ? m_measured : m_analytic)->currentText();
            const OpenModel* model = m_models.find(panel.head.model);
            const QString picture = !measured        ? QString()
                                    : run != nullptr ? runName(*run)
                                                     : tr("mean over %1 images").arg(model->calibration->images);
            const QString step =
                measured && run != nullptr && !run->isClassified() ? QString::number(m_runs.step() + 1) : QString();
            for (int row = 1 - map->grid.rows; row < map->grid.rows; ++row) {
                for (int col = 1 - map->grid.cols; col < map->grid.cols; ++col)
                    table.label(model->name())
                        .label(panel.name)
                        .label(picture)
                        .label(step)
                        .label(kind)
                        .label(row)
                        .label(col)
                        .number(map->at(row, col))
                        .endRow();
            }
        }
    }
}

QSize FieldsView::figureSize() const {
    return m_canvas->size().expandedTo(View::figureSize());
}

void FieldsView::drawFigure(QCPPainter& painter, QSize size) const {
    m_canvas->draw(painter, QRectF(QPointF(0, 0), QSizeF(size)), paperLooks(font()));
}

}  // namespace ropescope
