// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/attention/attention_view.h"

#include <qcustomplot.h>

#include <QCheckBox>
#include <QComboBox>
#include <QGridLayout>
#include <QPushButton>
#include <QSlider>
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/data/codec.h"
#include "widgets/attention/attention_canvas.h"
#include "widgets/attention/attention_text.h"
#include "widgets/frame/message_bar.h"
#include "widgets/frame/number_table.h"
#include "widgets/frame/run_text.h"
#include "widgets/frame/status_text.h"
#include "widgets/frame/tool_row.h"
#include "widgets/state/change_text.h"
#include "widgets/state/runs.h"

namespace ropescope {
namespace {

constexpr int kPauseMs = 40;
constexpr int kPatienceMs = 150;                      // shorter answers come without a bar before them
constexpr int kMostWords = 200;                       // drawn; the rest are numbers in the table
constexpr int kLeastWords = 160, kWidestWords = 240;  // pixels of the words beside several pictures

const TokenWeights& weightsOf(const AttentionReport& report, bool looks) {
    return looks ? report.looks : report.seen;
}

/// Columns that make squares side by side largest.
int columnsFor(int count, double width, double height) {
    int best = 1;
    double largest = 0;
    for (int columns = 1; columns <= count; ++columns) {
        const int rows = (count + columns - 1) / columns;
        const double side = std::min(width / columns, height / rows);
        if (side > largest * 1.001) largest = side, best = columns;
    }
    return best;
}

}  // namespace

AttentionView::AttentionView(OpenModels& models, Selection& selection, Runs& runs, QWidget* parent)
    : View(models, selection, tr("Attention"), parent),
      m_runs(runs),
      m_direction(new QComboBox(this)),
      m_opacity(new QSlider(Qt::Horizontal, this)),
      m_fixed(new QCheckBox(tr("Fixed range"), this)),
      m_all(new QPushButton(tr("All patches"), this)),
      m_grid(new QGridLayout),
      m_hint(new StatusText(this)),
      m_wordsBeside(newCanvas()) {
    setHelp(tr(
        "What it looks at: where the attention of the chosen tokens goes, the mean over them, which sums to 1 over "
        "picture and text. Who looks at it: how much of every token's attention goes to the chosen ones together. The "
        "two bars tell what share of their attention the picture's and the other tokens give to the text or the "
        "class token."));
    buildControls();
    auto* content = new QWidget(this);
    auto* column = new QVBoxLayout(content);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(4);
    auto* row = new QHBoxLayout;
    row->setSpacing(4);
    row->addLayout(m_grid, 1);
    row->addWidget(m_wordsBeside);
    m_wordsBeside->hide();
    column->addLayout(row, 1);
    column->addWidget(m_hint);
    m_grid->setSpacing(4);
    m_hint->setForegroundRole(QPalette::PlaceholderText);
    setContent(content);
    placeCanvases(1);
    m_pause.setSingleShot(true);
    m_pause.setInterval(kPauseMs);
    connect(&m_pause, &QTimer::timeout, this, &AttentionView::ask);
    m_patience.setSingleShot(true);
    m_patience.setInterval(kPatienceMs);
    connect(&m_patience, &QTimer::timeout, this, [this] { setStale(!m_answers.empty()); });
    const auto again = [this] {
        refresh();
        askSoon();
    };
    connect(&m_selection, &Selection::changed, this, again);
    connect(&m_runs, &Runs::stepChanged, this, again);
    connect(&m_runs, &Runs::selected, this, &AttentionView::followRun);
    connect(&m_runs, &Runs::changed, this, [this, again](int run) {
        if (m_runs.current() != nullptr && m_runs.current()->key == run) again();
    });
    connect(&m_models, &OpenModels::modelsChanged, this, &AttentionView::refresh);
    connect(&messages(), &MessageBar::cancelRequested, this, &AttentionView::cancelRequested);
    refresh();
}

void AttentionView::buildControls() {
    m_direction->addItems({tr("What it looks at"), tr("Who looks at it")});
    m_direction->setToolTip(tr(
        "The chosen patches and words as queries: where their attention goes (mean over them, sums to 1 over picture "
        "and text).\nAs keys: how much of every token's attention goes to them together."));
    m_opacity->setRange(0, 100);
    m_opacity->setValue(65);
    m_opacity->setFixedWidth(96);
    m_opacity->setToolTip(tr("How much of the picture the attention covers"));
    m_fixed->setToolTip(tr("The colours keep their range from step to step and head to head"));
    m_all->setToolTip(tr("Choose no token: the mean over all patches of the picture"));
    controls().addGroup({}, {m_direction});
    controls().addGroup({}, {m_all});
    controls().addGroup(tr("Cover"), {m_opacity});
    controls().addGroup({}, {m_fixed});
    connect(m_direction, &QComboBox::currentIndexChanged, this, &AttentionView::refresh);
    connect(m_opacity, &QSlider::valueChanged, this, &AttentionView::refresh);
    connect(m_fixed, &QCheckBox::toggled, this, &AttentionView::refresh);
    connect(m_all, &QPushButton::clicked, this, [this] { choose({}, {}); });
}

AttentionCanvas* AttentionView::newCanvas() {
    auto* canvas = new AttentionCanvas(this);
    canvas->setWhatsThis(tr("Click a patch or a word to choose it; Shift adds to the choice, a drag takes an area"));
    connect(canvas, &AttentionCanvas::chosen, this, &AttentionView::choose);
    connect(canvas, &AttentionCanvas::hovered, this, &AttentionView::hovered);
    return canvas;
}

int AttentionView::wordsWidth(int width) const {
    const std::vector<HeadRef> drawn = heads();
    const bool any = std::ranges::any_of(drawn, [this](HeadRef head) {
        const auto found = m_answers.find(head);
        return found != m_answers.end() && found->second.report.shares.text > 0;
    });
    return drawn.size() > 1 && any ? std::clamp(width / 4, kLeastWords, kWidestWords) : 0;
}

/// As many canvases as heads are drawn, in the columns that make them largest.
void AttentionView::placeCanvases(int count) {
    while (static_cast<int>(m_canvases.size()) < count) m_canvases.push_back(newCanvas());
    const int beside = wordsWidth(width());
    m_wordsBeside->setVisible(beside > 0);
    m_wordsBeside->setFixedWidth(std::max(1, beside));
    const int columns = columnsFor(count, width() - beside, height() - 80);
    if (std::exchange(m_placed, {count, columns}) == std::pair{count, columns}) return;
    for (int i = 0; i < static_cast<int>(m_canvases.size()); ++i) {
        m_grid->removeWidget(m_canvases[i]);
        m_canvases[i]->setVisible(i < count);
        if (i < count) m_grid->addWidget(m_canvases[i], i / columns, i % columns);
    }
    for (int i = 0; i < m_grid->columnCount(); ++i) m_grid->setColumnStretch(i, i < columns ? 1 : 0);
    for (int i = 0; i < m_grid->rowCount(); ++i) m_grid->setRowStretch(i, i < (count + columns - 1) / columns ? 1 : 0);
}

void AttentionView::followRun() {
    const Run* run = m_runs.current();
    if (run == nullptr || run->key != m_run) {
        m_run = run == nullptr ? -1 : run->key;
        m_answers.clear();
        m_high = 0;
        const Grid grid = run == nullptr ? Grid{} : run->patches;
        if (grid != m_chosenOn) m_patches.clear();  // on the same grid the choice stays
        m_words.clear();
        m_chosenOn = grid;
        m_patience.stop();
        setStale(false);
        messages().clear();
    }
    refresh();
    askSoon();
}

bool AttentionView::canAsk() const {
    const Run* run = m_runs.current();
    if (run == nullptr || run->state == Run::State::Running || m_models.find(run->model) == nullptr) return false;
    return run->isClassified() || run->asked.steps > 0;
}

/// Of the slider; where previews are gone the last one, as the engine can make all of them again.
int AttentionView::step() const {
    const Run* run = m_runs.current();
    if (run == nullptr || run->isClassified()) return 0;
    return run->steps() > 0 ? m_runs.step() : std::max(0, run->asked.steps - 1);
}

std::vector<HeadRef> AttentionView::heads() const {
    const Run* run = m_runs.current();
    const HeadRef current = m_selection.current();
    if (run == nullptr || run->model < 0 || current.model != run->model) return {};
    std::vector<HeadRef> all;
    for (HeadRef head : m_selection.shown())
        if (head.model == run->model && all.size() < kMostHeads) all.push_back(head);
    if (std::ranges::find(all, current) != all.end()) return all;
    if (all.size() == kMostHeads) all.pop_back();
    all.push_back(current);
    return all;
}

AttentionRequest AttentionView::question(HeadRef head) const {
    const Run& run = *m_runs.current();
    AttentionRequest request;
    request.run = run.asked;
    request.image = run.file.toStdString();
    request.step = step();
    request.head = head.id;
    request.patches.assign(m_patches.begin(), m_patches.end());
    request.words.assign(m_words.begin(), m_words.end());
    return request;
}

bool AttentionView::answers(HeadRef head) const {
    const auto found = m_answers.find(head);
    if (found == m_answers.end()) return false;
    const AttentionRequest wanted = question(head), &had = found->second.request;
    return had.step == wanted.step && had.patches == wanted.patches && had.words == wanted.words;
}

void AttentionView::choose(const std::set<int>& patches, const std::set<int>& words) {
    m_patches = patches, m_words = words;
    refresh();
    askSoon();
}

void AttentionView::setDirection(Direction direction) {
    m_direction->setCurrentIndex(static_cast<int>(direction));
}

/// What was not asked while nobody looked.
void AttentionView::showEvent(QShowEvent* event) {
    View::showEvent(event);
    askSoon();
}

void AttentionView::resizeEvent(QResizeEvent* event) {
    View::resizeEvent(event);
    placeCanvases(std::max<int>(1, static_cast<int>(heads().size())));
}

/// Only what can be seen is computed, one head after the other.
void AttentionView::ask() {
    if (!canAsk() || !isVisible()) return;
    std::vector<HeadRef> order = heads();
    std::ranges::stable_partition(order, [this](HeadRef head) { return head == m_selection.current(); });
    for (HeadRef head : order) {
        if (answers(head)) continue;
        m_asked.start();
        m_patience.start();
        emit attentionRequested(question(head));
        return;
    }
}

void AttentionView::showProgress(const QString& words, double share) {
    if (m_asked.isValid() && m_asked.elapsed() < kPatienceMs) return;
    messages().showProgress(words, share, -1);
}

void AttentionView::take(const AttentionRequest& request, const AttentionReport& report) {
    const Run* run = m_runs.current();
    if (run == nullptr || run->model < 0 || settingsJson(run->asked) != settingsJson(request.run) ||
        run->file.toStdString() != request.image)
        return;  // about another picture
    messages().clear();
    m_patience.stop();
    setStale(false);
    m_answers[{run->model, request.head}] = {request, report};
    refresh();
    ask();
}

void AttentionView::fail(const Error& error) {
    cancelled();
    messages().showError(error, ofModel(m_runs.current() == nullptr ? -1 : m_runs.current()->model));
}

void AttentionView::cancelled() {
    m_patience.stop();
    setStale(false);
    messages().clear();
}

QString AttentionView::emptyText() const {
    const Run* run = m_runs.current();
    if (run != nullptr && m_models.find(run->model) == nullptr)
        return tr("%1 was made with %2, which is not open. Making it again opens it.")
            .arg(runName(*run), run->modelName);
    const OpenModel* model = m_models.find(m_selection.current().model);
    if (model != nullptr && model->card.objective == "classify")
        return tr("Where a head of %1 looks, from a patch or its class token, over the picture that it is shown.")
            .arg(model->name());
    return tr(
        "Where heads look, from a patch or a word that you click, over the picture and the words. It needs a picture "
        "that is made here, or one of the gallery.");
}

double AttentionView::largestOf(HeadRef head) const {
    const auto found = m_answers.find(head);
    if (found == m_answers.end()) return 0;
    const bool looks = m_direction->currentIndex() == static_cast<int>(Direction::Looks);
    const std::vector<float>& image = weightsOf(found->second.report, looks).image;
    return image.empty() ? 0 : *std::max_element(image.begin(), image.end());
}

AttentionFigure AttentionView::figureOf(HeadRef head, double high) const {
    const Run& run = *m_runs.current();
    AttentionFigure figure;
    figure.opacity = m_opacity->value() / 100.0;
    figure.patches = m_patches, figure.chosenWords = m_words;
    figure.colour = m_selection.colourIndex(head);
    figure.high = high;
    const auto found = m_answers.find(head);
    figure.picture = run.pictureAt(found == m_answers.end() ? step() : found->second.request.step);
    const QString id = QString::fromStdString(head.id.name());
    figure.titles = {m_models.headName(head), m_models.shortHeadName(head), id};
    if (found == m_answers.end()) return figure;
    const AttentionReport& report = found->second.report;
    const bool looks = m_direction->currentIndex() == static_cast<int>(Direction::Looks);
    if (!run.isClassified())
        figure.titles.prepend(m_models.headName(head) + QStringLiteral(", ") +
                              stepText(run, found->second.request.step));
    figure.grid = report.grid;
    figure.image = weightsOf(report, looks).image, figure.text = weightsOf(report, looks).text;
    figure.scaleTitle = looks ? tr("Attention (share)") : tr("Share of attention");
    if (!looks && found->second.request.patches.empty() && found->second.request.words.empty())
        figure.image.clear();  // all patches together get all attention that stays in the picture
    if (heads().size() == 1) addWords(figure, report);
    return figure;
}

void AttentionView::addWords(AttentionFigure& figure, const AttentionReport& report) const {
    const bool classified = m_runs.current()->isClassified();
    figure.shares = report.shares;
    figure.other = !classified ? tr("text") : report.shares.text == 1 ? tr("class token") : tr("prefix tokens");
    for (const int number : drawnWords(report)) {
        if (static_cast<int>(figure.words.size()) >= kMostWords) break;
        figure.words.push_back(wordText(report, number));
        figure.wordNumber.push_back(number);
    }
    figure.groups = encoderGroups(report, figure.wordNumber);
}

/// Those of the current head, as beside a picture of its own.
void AttentionView::showWords() {
    if (m_wordsBeside->isHidden()) return;
    const HeadRef current = m_selection.current();
    AttentionFigure figure = figureOf(current, m_high);
    figure.onlyWords = true;
    figure.picture = {}, figure.grid = {}, figure.image.clear();
    if (const auto found = m_answers.find(current); found != m_answers.end()) addWords(figure, found->second.report);
    m_wordsBeside->setFigure(std::move(figure));
}

QString AttentionView::leftOutText(const Run& run) const {
    const std::vector<HeadRef> shown = m_selection.shown();
    const auto own = std::ranges::count(shown, run.model, &HeadRef::model);
    const auto others = static_cast<int>(static_cast<std::ptrdiff_t>(shown.size()) - own);
    QString text;
    if (others > 0)
        text = others == 1 ? tr("1 head of another model is not drawn. ")
                           : tr("%1 heads of other models are not drawn. ").arg(others);
    if (static_cast<std::size_t>(own) > kMostHeads) text += tr("%1 of %2 heads are drawn. ").arg(kMostHeads).arg(own);
    return text;
}

QString AttentionView::hintText(const Run& run) const {
    if (m_selection.current().model != run.model)
        return tr("Select a head of %1, which the selected picture is of.").arg(run.modelName);
    QString text = leftOutText(run);
    const QString heads = otherHeadsText(*m_models.find(run.model), run.asked.model.changes);
    if (!heads.isEmpty()) text += tr("The picture was %1, and this is its attention. ").arg(heads);
    const auto found = m_answers.find(m_selection.current());
    if (found == m_answers.end())
        return text + (run.state == Run::State::Running ? tr("The picture is being made.") : tr("Being computed."));
    const auto& [request, report] = found->second;
    const bool looks = m_direction->currentIndex() == static_cast<int>(Direction::Looks);
    const bool all = request.patches.empty() && request.words.empty();
    if (!looks && all)
        return text + (report.shares.text == 0
                           ? tr("Averaged over all patches every patch gives 1: choose a patch.")
                           : tr("Together all patches get all attention that stays in the picture: choose a patch."));
    text += (looks ? tr("From %1") : tr("To %1")).arg(chosenText(request, report));
    const double padding = paddingShare(report, report.looks.text);
    if (looks && padding > 0) text += tr("; %1 % on padding").arg(100 * padding, 0, 'f', 1);
    if (all)
        text += run.isClassified() ? tr("; click a patch or the class token") : tr("; click a patch or a word");
    return text + QLatin1Char('.');
}

void AttentionView::refresh() {
    const Run* run = m_runs.current();
    const bool open = run != nullptr && m_models.find(run->model) != nullptr;
    const OpenModel* chosen = m_models.find(m_selection.current().model);
    setEmptyText(emptyText(), run != nullptr                                              ? tr("Make again")
                              : m_models.all().empty()                                    ? tr("Open a model ...")
                              : chosen != nullptr && chosen->card.objective == "classify" ? tr("Show it a picture ...")
                                                                                          : tr("Make a picture"));
    showEmpty(!open);
    if (!open) {
        setCommandLine({});
        return;
    }
    const std::vector<HeadRef> drawn = heads();
    double own = 0;
    for (HeadRef head : drawn) own = std::max(own, largestOf(head));
    // From step to step the range only grows; other heads, tokens or another direction have one of their own.
    const Scaled scaled{drawn, m_patches, m_words, m_direction->currentIndex()};
    if (std::exchange(m_scaled, scaled) != scaled && !m_fixed->isChecked()) m_high = 0;
    if (!m_fixed->isChecked() || m_high == 0) m_high = std::max(m_high, own);
    placeCanvases(std::max<int>(1, static_cast<int>(drawn.size())));
    if (drawn.empty()) {
        AttentionFigure figure;
        figure.picture = run->pictureAt(step());
        m_canvases.front()->setFigure(std::move(figure));
    }
    for (std::size_t i = 0; i < drawn.size(); ++i) m_canvases[i]->setFigure(figureOf(drawn[i], m_high));
    showWords();
    m_hint->say(hintText(*run));
    showCommand();
}

void AttentionView::showCommand() {
    const auto found = m_answers.find(m_selection.current());
    if (found == m_answers.end()) return setCommandLine({});
    setCommandLine(attentionCommand(m_runs.current()->command, found->second.request, found->second.report.grid));
}

AttentionCanvas* AttentionView::canvas() const {
    AttentionCanvas* own = canvasOf(m_selection.current());
    return own == nullptr ? m_canvases.front() : own;
}

AttentionCanvas* AttentionView::canvasOf(HeadRef head) const {
    const std::vector<HeadRef> drawn = heads();
    const auto found = std::ranges::find(drawn, head);
    return found == drawn.end() ? nullptr : m_canvases[static_cast<std::size_t>(found - drawn.begin())];
}

AttentionCanvas* AttentionView::words() const {
    return m_wordsBeside->isHidden() ? canvas() : m_wordsBeside;
}

QString AttentionView::hint() const {
    return m_hint->said();
}

QString AttentionView::subject() const {
    const auto count = static_cast<int>(heads().size());
    return count == 1 ? tr("1 head") : tr("%1 heads").arg(count);
}

void AttentionView::writeNumbers(NumberTable& table) const {
    for (const char* title : {"model", "head", "picture", "step", "token", "kind", "what",
                              "attention_from_chosen_share", "attention_to_chosen_share"})
        table.label(QLatin1String(title));
    table.endRow();
    const Run* run = m_runs.current();
    for (HeadRef head : heads()) {
        const auto found = m_answers.find(head);
        if (found == m_answers.end()) continue;
        const AttentionReport& r = found->second.report;
        const auto begin = [&](int token) -> NumberTable& {
            table.label(run->modelName).label(QString::fromStdString(head.id.name())).label(runName(*run));
            run->isClassified() ? table.blank() : table.label(found->second.request.step + 1);
            return table.label(token);
        };
        for (int i = 0; i < static_cast<int>(r.looks.text.size()); ++i)
            begin(i)
                .label(QStringLiteral("text"))
                .label(wordText(r, i))
                .number(r.looks.text[i])
                .number(r.seen.text[i])
                .endRow();
        for (int i = 0; i < static_cast<int>(r.looks.image.size()); ++i)
            begin(i)
                .label(QStringLiteral("picture"))
                .label(tr("row %1 column %2").arg(i / r.grid.cols).arg(i % r.grid.cols))
                .number(r.looks.image[i])
                .number(r.seen.image[i])
                .endRow();
    }
}

void AttentionView::drawFigure(QCPPainter& painter, QSize size) const {
    const int count = std::max<int>(1, static_cast<int>(heads().size()));
    const int beside = wordsWidth(size.width()), width = size.width() - beside;
    const int columns = columnsFor(count, width, size.height());
    const int rows = (count + columns - 1) / columns;
    const QSizeF cell(static_cast<double>(width) / columns, static_cast<double>(size.height()) / rows);
    for (int i = 0; i < count; ++i) {
        const QPointF at(i % columns * cell.width(), i / columns * cell.height());
        m_canvases[i]->draw(painter, QRectF(at, cell), paperLooks(font()));
    }
    if (beside > 0) m_wordsBeside->draw(painter, QRectF(width, 0, beside, size.height()), paperLooks(font()));
}

}  // namespace ropescope
