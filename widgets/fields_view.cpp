// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/fields_view.h"

#include <qcustomplot.h>

#include <QCheckBox>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QSlider>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "widgets/fields_canvas.h"
#include "widgets/flow_layout.h"

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

}  // namespace

FieldsView::FieldsView(OpenModels& models, Selection& selection, QWidget* parent)
    : View(models, selection, tr("Fields"), parent),
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
      m_step(newSlider(this, 0, 0, tr("Sampling step of the measured field"))),
      m_stepText(new QLabel(this)),
      m_canvas(new FieldsCanvas(this)) {
    setEmptyText(tr("Where the selected heads look, by offset from the query: what the weights allow beside what was "
                    "measured while an image was made. Select a head."),
                 tr("Open a model ..."));
    buildControls();
    connect(&m_selection, &Selection::changed, this, &FieldsView::refresh);
    connect(&m_models, &OpenModels::headChanged, this, &FieldsView::refresh);
    connect(&m_models, &OpenModels::modelsChanged, this, &FieldsView::refresh);
    connect(&m_models, &OpenModels::fieldsChanged, this, &FieldsView::refresh);
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
    addLabel(tr("Analytic"));
    controls().addWidget(m_analytic);
    controls().addWidget(m_content);
    addLabel(tr("Measured"));
    controls().addWidget(m_measured);
    controls().addWidget(m_scale);
    m_difference->setToolTip(tr("The first head minus the second, offset by offset; for two shown heads"));
    controls().addWidget(m_difference);
    connect(m_difference, &QCheckBox::toggled, this, &FieldsView::refresh);

    QPushButton* measure = addMeasureButton();  // where its result is asked for: the row is full
    measure->hide();
    connect(m_content, &QComboBox::currentIndexChanged, measure,
            [measure](int content) { measure->setVisible(content == static_cast<int>(Content::Data)); });
    connect(m_content, &QComboBox::activated, this, [this] { m_contentChosen = true; });
    auto* sliders = new FlowLayout;
    m_square->setChecked(true);
    m_gridText->setMinimumWidth(fontMetrics().horizontalAdvance(QStringLiteral("Grid 31 \u00d7 31")));
    // A label and its slider stay in one row.
    const std::vector<std::vector<QWidget*>> groups = {
        {m_gridText, m_rows, m_cols, m_square, m_method}, {m_betaText, m_beta}, {m_stepText, m_step}};
    for (const std::vector<QWidget*>& group : groups) {
        auto* together = new QWidget(this);
        auto* row = new QHBoxLayout(together);
        row->setContentsMargins(0, 0, 8, 0);
        for (QWidget* widget : group) row->addWidget(widget);
        sliders->addWidget(together);
    }
    auto* content = new QWidget(this);
    auto* layout = new QVBoxLayout(content);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(8);
    layout->addLayout(sliders);
    layout->addWidget(m_canvas, 1);
    setContent(content);

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
    connect(m_step, &QSlider::valueChanged, this, [this](int step) {
        refresh();
        emit stepChanged(step);
    });
}

void FieldsView::setAnalytic(Analytic analytic) {
    m_analytic->setCurrentIndex(static_cast<int>(analytic));
}
void FieldsView::setContentKind(Content content) {
    m_contentChosen = true;
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

void FieldsView::setStep(int step) {
    m_step->setValue(step);
}

int FieldsView::step() const {
    return m_step->value();
}

/// The grid and the content strength start as the model's own.
void FieldsView::takeDefaults() {
    const HeadRef current = m_selection.current();
    const OpenModel* model = m_models.find(current.model);
    if (model != nullptr && m_gridOf != current.model && model->card.grid.tokens() > 0) {
        m_gridOf = current.model;
        const QSignalBlocker rows(m_rows), cols(m_cols), square(m_square);
        m_square->setChecked(model->card.grid.rows == model->card.grid.cols);
        m_cols->setVisible(!m_square->isChecked());
        m_rows->setValue(model->card.grid.rows);
        m_cols->setValue(model->card.grid.cols);
    }
    const HeadReport* report = m_models.head(current);
    if (report != nullptr && !m_contentChosen) {
        const QSignalBlocker block(m_content);
        const bool white = report->kernelWeights.a.empty() && !report->kernelWhite.a.empty();
        m_content->setCurrentIndex(static_cast<int>(white ? Content::White : Content::Weights));
    }
    const HeadCalibration* data = m_models.calibration(current);
    const bool measured = m_content->currentIndex() == static_cast<int>(Content::Data) && data != nullptr;
    const double strength = measured ? data->contentStrength : report == nullptr ? 0 : report->contentStrength;
    if (!m_betaChosen && strength > 0) {
        const QSignalBlocker block(m_beta);
        m_beta->setValue(positionOf(strength));
    }
}

/// The slider covers the recorded steps and follows the newest while it stands on the newest.
void FieldsView::refreshSteps() {
    const OpenModel* model = m_models.find(m_selection.current().model);
    const int last = model == nullptr || model->fields.empty() ? -1 : model->fields.back().step;
    const bool follows = m_step->value() == m_step->maximum();
    const QSignalBlocker block(m_step);
    m_step->setMaximum(std::max(0, last));
    if (follows) m_step->setValue(last);
    m_step->setVisible(last > 0);
    const bool averaged = last < 0 && model != nullptr && model->calibration;
    m_stepText->setVisible(last >= 0 || averaged);
    if (averaged) m_stepText->setText(tr("Measured: mean over %1 images").arg(model->calibration->images));
    if (last < 0) return;
    for (const StepFields& fields : model->fields) {
        if (fields.step != m_step->value()) continue;
        if (fields.steps == 1 && model->card.objective == "classify") {
            m_stepText->setText(tr("Measured on the classified image"));
            continue;
        }
        m_stepText->setText(
            tr("Step %1 of %2, t = %3").arg(fields.step + 1).arg(fields.steps).arg(shortNumber(fields.time)));
    }
}

void FieldsView::refresh() {
    if (keepsOldContent()) return;
    takeDefaults();
    refreshSteps();
    FieldsFigure figure;
    const OpenModel* model = m_models.find(m_selection.current().model);
    figure.noField = model != nullptr && model->card.objective == "classify"
                         ? tr("Measured field: open an image in Classify and it fills in")
                         : tr("Measured field: it fills in while an image is generated");
    figure.noAnalytic =
        m_content->currentIndex() == static_cast<int>(Content::Data)
            ? tr("Nothing measured yet: \"Measure data ...\" above fills this in")
            : tr("The weights alone say nothing here: nothing turns, or norms of queries and keys stand "
                 "before the map. \"white\" shows what the map does");
    for (HeadRef head : m_selection.shown()) {
        if (const HeadReport* report = m_models.head(head)) figure.panels.push_back(panelOf(head, *report));
    }
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

QString FieldsView::numbers(QChar separator) const {
    QString text = QStringLiteral("head") + separator + QStringLiteral("kind") + separator +
                   QStringLiteral("row_offset") + separator + QStringLiteral("column_offset") + separator +
                   QStringLiteral("value\n");
    for (const FieldsPanel& panel : m_canvas->figure().panels) {
        for (const OffsetMap* map : {&panel.analytic, &panel.measured}) {
            if (map->values.empty()) continue;
            const QString kind = map == &panel.analytic ? QStringLiteral("analytic") : QStringLiteral("measured");
            for (int row = 1 - map->grid.rows; row < map->grid.rows; ++row) {
                for (int col = 1 - map->grid.cols; col < map->grid.cols; ++col) {
                    text += panel.name + separator + kind + separator + QString::number(row) + separator +
                            QString::number(col) + separator + QString::number(map->at(row, col), 'g', 10) +
                            QLatin1Char('\n');
                }
            }
        }
    }
    return text;
}

void FieldsView::drawFigure(QCPPainter& painter, QSize size) const {
    m_canvas->draw(painter, QRectF(QPointF(0, 0), QSizeF(size)), paperLooks(font()));
}

}  // namespace ropescope
