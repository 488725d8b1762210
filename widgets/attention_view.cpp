// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/attention_view.h"

#include <qcustomplot.h>

#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QPushButton>
#include <QSlider>
#include <algorithm>
#include <climits>

#include "widgets/attention_canvas.h"
#include "widgets/flow_layout.h"
#include "widgets/message_bar.h"

namespace ropescope {
namespace {

constexpr int kPauseMs = 40;
constexpr int kPatienceMs = 150;  // shorter answers come without a bar before them
constexpr int kMostShown = 200;   // words; the rest are numbers in the table

}  // namespace

AttentionView::AttentionView(OpenModels& models, Selection& selection, QWidget* parent)
    : View(models, selection, tr("Attention"), parent),
      m_direction(new QComboBox(this)),
      m_step(new QSlider(Qt::Horizontal, this)),
      m_stepText(new QLabel(this)),
      m_opacity(new QSlider(Qt::Horizontal, this)),
      m_fixed(new QCheckBox(tr("keep range"), this)),
      m_all(new QPushButton(tr("All patches"), this)),
      m_canvas(new AttentionCanvas(this)) {
    buildControls();
    setContent(m_canvas);
    m_pause.setSingleShot(true);
    m_pause.setInterval(kPauseMs);
    connect(&m_pause, &QTimer::timeout, this, &AttentionView::ask);
    m_patience.setSingleShot(true);
    m_patience.setInterval(kPatienceMs);
    connect(&m_patience, &QTimer::timeout, this, [this] { setStale(m_report.has_value()); });
    connect(&m_selection, &Selection::changed, this, [this] {
        refresh();
        askSoon();
    });
    connect(&m_models, &OpenModels::modelsChanged, this, [this] {
        if (m_models.find(m_model) == nullptr) endRun(0);
        if (m_steps == 0) showNothing();
    });
    connect(m_canvas, &AttentionCanvas::chosen, this, &AttentionView::choose);
    connect(m_canvas, &AttentionCanvas::hovered, this, &AttentionView::hovered);
    connect(&messages(), &MessageBar::cancelRequested, this, &AttentionView::cancelRequested);
    showNothing();
}

void AttentionView::showNothing() {
    setEmptyText(
        tr("Where a head looks, from a patch or a word that you click, over the picture and the words. It needs "
           "a picture that is made here."),
        m_models.all().empty() ? tr("Open a model ...") : tr("Make a picture"));
    showEmpty(true);
}

void AttentionView::buildControls() {
    m_direction->addItems({tr("What it looks at"), tr("Who looks at it")});
    m_direction->setToolTip(tr(
        "The chosen patches and words as queries: where their attention goes (mean over them, sums to 1 over picture "
        "and text).\nAs keys: how much of every token's attention goes to them together."));
    m_step->setMinimumWidth(112);
    m_step->setMaximumWidth(200);
    m_step->setToolTip(tr("Sampling step; the network is evaluated on the latents before it"));
    m_stepText->setMinimumWidth(fontMetrics().horizontalAdvance(tr("Step 888 of 888")));
    m_opacity->setRange(0, 100);
    m_opacity->setValue(65);
    m_opacity->setMaximumWidth(96);
    m_opacity->setToolTip(tr("How much of the picture the attention covers"));
    m_fixed->setToolTip(tr("The colours keep their range from step to step and head to head"));
    m_canvas->setWhatsThis(tr("Click a patch or a word to choose it; Shift adds to the choice, a drag takes an area"));
    m_all->setToolTip(tr("Choose no token: the mean over all patches of the picture"));
    controls().addWidget(m_direction);
    controls().addWidget(m_stepText);
    controls().addWidget(m_step);
    addLabel(tr("Over the picture"));
    controls().addWidget(m_opacity);
    controls().addWidget(m_fixed);
    controls().addWidget(m_all);
    connect(m_direction, &QComboBox::currentIndexChanged, this, &AttentionView::refresh);
    connect(m_step, &QSlider::valueChanged, this, [this] {
        refresh();
        askSoon();
    });
    connect(m_opacity, &QSlider::valueChanged, this, &AttentionView::refresh);
    connect(m_fixed, &QCheckBox::toggled, this, &AttentionView::refresh);
    connect(m_all, &QPushButton::clicked, this, [this] { choose({}, {}); });
}

void AttentionView::beginRun(int model, const GenerateRequest& request) {
    m_model = model;
    m_run = request;
    m_steps = 0;
    m_pictures.clear();
    m_report.reset();
    m_patches.clear(), m_words.clear();
    m_pause.stop(), m_patience.stop();
    setRunCommand({});
    messages().clear();
    showEmpty(false);
    refresh();
}

void AttentionView::addStep(int step, const QImage& picture) {
    if (picture.isNull()) return;
    m_pictures[step] = picture;
    refresh();
}

void AttentionView::endRun(int steps) {
    m_steps = steps;
    const QSignalBlocker block(m_step);
    m_step->setRange(0, std::max(0, steps - 1));
    m_step->setValue(steps / 2);
    m_report.reset();
    showEmpty(steps == 0);
    if (steps == 0) return;
    refresh();
    askSoon();
}

void AttentionView::setRunCommand(const QString& line) {
    m_runCommand = line;
    showCommand();
}

void AttentionView::showCommand() {
    if (m_runCommand.isEmpty() || !m_report) return setCommandLine({});
    QString line = m_runCommand;
    line.replace(QStringLiteral("ropescope generate "), QStringLiteral("ropescope attention "));
    line.replace(QStringLiteral(" --out IMAGE.png"), QString());
    line +=
        QStringLiteral(" --head %1 --step %2").arg(QString::fromStdString(m_answered.head.name())).arg(m_answered.step);
    QStringList patches, words;
    for (const int patch : m_answered.patches)
        patches.append(QStringLiteral("%1:%2").arg(patch / m_report->grid.cols).arg(patch % m_report->grid.cols));
    for (const int word : m_answered.words) words.append(QString::number(word));
    if (!patches.isEmpty()) line += QStringLiteral(" --patches ") + patches.join(QLatin1Char(','));
    if (!words.isEmpty()) line += QStringLiteral(" --words ") + words.join(QLatin1Char(','));
    setCommandLine(line + QStringLiteral(" --out attention.safetensors"));
}

void AttentionView::choose(const std::set<int>& patches, const std::set<int>& words) {
    m_patches = patches, m_words = words;
    refresh();
    askSoon();
}

void AttentionView::setDirection(Direction direction) {
    m_direction->setCurrentIndex(static_cast<int>(direction));
}

void AttentionView::setStep(int step) {
    m_step->setValue(step);
}

int AttentionView::step() const {
    return m_step->value();
}

/// What was not asked while nobody looked.
void AttentionView::showEvent(QShowEvent* event) {
    View::showEvent(event);
    askSoon();
}

/// Only what can be seen is computed.
void AttentionView::ask() {
    const HeadRef head = m_selection.current();
    if (m_steps == 0 || head.model != m_model || !isVisible()) return;
    AttentionRequest request;
    request.run = m_run;
    request.step = step();
    request.head = head.id;
    request.patches.assign(m_patches.begin(), m_patches.end());
    request.words.assign(m_words.begin(), m_words.end());
    m_asked.start();
    m_patience.start();
    emit attentionRequested(request);
}

void AttentionView::showProgress(const QString& words, double share) {
    if (m_asked.isValid() && m_asked.elapsed() < kPatienceMs) return;
    messages().showProgress(words, share, -1);
}

void AttentionView::take(const AttentionRequest& request, const AttentionReport& report) {
    if (m_steps == 0) return;  // of a run before
    messages().clear();
    m_answered = request;
    m_report = report;
    m_patience.stop();
    setStale(false);
    refresh();
}

void AttentionView::fail(const Error& error) {
    cancelled();
    messages().showError(error);
}

void AttentionView::cancelled() {
    m_patience.stop();
    setStale(false);
    messages().clear();
}

QImage AttentionView::pictureOf(int step) const {
    if (m_pictures.empty()) return {};
    auto later = m_pictures.upper_bound(step);
    return later == m_pictures.begin() ? later->second : std::prev(later)->second;
}

QString AttentionView::wordText(int number) const {
    for (const EncodedText& part : m_report->tokens.parts) {
        const int own = number - part.first;
        if (part.first < 0 || own < 0 || own >= part.length) continue;
        if (own < static_cast<int>(part.pieces.size())) {
            QString piece = QString::fromStdString(part.pieces[own]);
            return piece.replace(QStringLiteral("</w>"), QString());
        }
        return tr("padding %1").arg(own);
    }
    return tr("token %1").arg(number);
}

/// Where the words of another encoder begin; both CLIPs of SD3 stand in the same tokens.
std::vector<std::pair<int, QString>> AttentionView::encoderGroups(const std::vector<int>& numbers) const {
    std::map<int, QStringList> names;  // by the number of their first token
    for (const EncodedText& part : m_report->tokens.parts)
        if (part.first >= 0 && part.length > 0) names[part.first].append(QString::fromStdString(part.encoder));
    std::vector<std::pair<int, QString>> groups;
    for (int i = 0; i < static_cast<int>(numbers.size()); ++i)
        if (const auto found = names.find(numbers[i]); found != names.end())
            groups.emplace_back(i, found->second.join(QStringLiteral(" + ")));
    return groups;
}

QString AttentionView::chosenText() const {
    QStringList parts;
    const std::vector<int>& patches = m_answered.patches;
    if (patches.size() == 1)
        parts.append(tr("the patch in row %1, column %2")
                         .arg(patches.front() / m_report->grid.cols)
                         .arg(patches.front() % m_report->grid.cols));
    if (patches.size() > 1) parts.append(tr("%1 patches").arg(patches.size()));
    for (const int word : m_answered.words)
        if (parts.size() < 4) parts.append(QLatin1Char('"') + wordText(word) + QLatin1Char('"'));
    return parts.isEmpty() ? tr("all patches") : parts.join(tr(", "));
}

void AttentionView::refresh() {
    m_stepText->setText(m_steps == 0 ? QString() : tr("Step %1 of %2").arg(step() + 1).arg(m_steps));
    m_step->setEnabled(m_steps > 1);
    const double kept = m_canvas->figure().high;
    AttentionFigure figure;
    figure.picture = pictureOf(m_report ? m_answered.step : m_steps == 0 ? INT_MAX : step());
    if (!m_report) figure.title = m_steps == 0 ? tr("The picture is being made") : tr("Being computed");
    figure.opacity = m_opacity->value() / 100.0;
    figure.patches = m_patches, figure.chosenWords = m_words;
    if (m_report) {
        const bool looks = m_direction->currentIndex() == static_cast<int>(Direction::Looks);
        const TokenWeights& weights = looks ? m_report->looks : m_report->seen;
        figure.grid = m_report->grid;
        figure.image = weights.image, figure.text = weights.text;
        figure.shares = m_report->shares;
        const double own = figure.image.empty() ? 0 : *std::max_element(figure.image.begin(), figure.image.end());
        figure.high = m_fixed->isChecked() && kept > 0 ? kept : own;
        figure.title = tr("%1, step %2 of %3, time %4")
                           .arg(m_models.headName({m_model, m_answered.head}))
                           .arg(m_answered.step + 1)
                           .arg(m_steps)
                           .arg(shortNumber(m_report->time));
        figure.hint = (looks ? tr("From %1") : tr("To %1")).arg(chosenText());
        figure.scaleTitle = looks ? tr("Attention (share)") : tr("Share of attention");
        std::set<int> drawn;
        for (const EncodedText& part : m_report->tokens.parts)
            for (int i = 0; part.first >= 0 && i < part.used; ++i) drawn.insert(part.first + i);
        for (int i = 0; m_report->tokens.parts.empty() && i < static_cast<int>(figure.text.size()); ++i)
            drawn.insert(i);
        // Padding attends and is attended to; it has no words to show it on.
        double padding = 0;
        for (int i = 0; i < static_cast<int>(figure.text.size()); ++i)
            if (!drawn.contains(i)) padding += figure.text[i];
        if (!looks && m_answered.patches.empty() && m_answered.words.empty())
            figure.hint += tr("; choose a patch or a word to see who looks at it");
        if (looks && m_answered.patches.empty() && m_answered.words.empty())
            figure.hint += tr("; click a patch or a word to ask about it (Shift adds, a drag takes an area)");
        if (looks && padding > 0) figure.hint += tr("; %1 % on padding").arg(100 * padding, 0, 'f', 1);
        for (const int number : drawn) {
            if (static_cast<int>(figure.words.size()) >= kMostShown) break;
            figure.words.push_back(wordText(number));
            figure.wordNumber.push_back(number);
        }
        figure.groups = encoderGroups(figure.wordNumber);
    }
    if (const OpenModel* made = m_models.find(m_model); made != nullptr && m_selection.current().model != m_model)
        figure.hint = tr("Select a head of %1, which made the picture").arg(QString::fromStdString(made->card.name));
    m_canvas->setFigure(std::move(figure));
    showCommand();
}

QString AttentionView::numbers(QChar separator) const {
    QString table =
        QStringList{"token", "kind", "what", "attention_from_chosen", "attention_to_chosen"}.join(separator) + '\n';
    if (!m_report) return table;
    const auto line = [&](int number, const QString& kind, const QString& what, float looks, float seen) {
        table += QStringList{QString::number(number), kind, '"' + QString(what).replace('"', "\"\"") + '"',
                             QString::number(looks), QString::number(seen)}
                     .join(separator) +
                 '\n';
    };
    const AttentionReport& r = *m_report;
    for (int i = 0; i < static_cast<int>(r.looks.text.size()); ++i)
        line(i, "text", wordText(i), r.looks.text[i], r.seen.text[i]);
    for (int i = 0; i < static_cast<int>(r.looks.image.size()); ++i)
        line(i, "picture", tr("row %1 column %2").arg(i / r.grid.cols).arg(i % r.grid.cols), r.looks.image[i],
             r.seen.image[i]);
    return table;
}

void AttentionView::drawFigure(QCPPainter& painter, QSize size) const {
    m_canvas->draw(painter, QRectF(QPointF(0, 0), QSizeF(size)), paperLooks(font()));
}

}  // namespace ropescope
