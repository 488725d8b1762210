// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/view.h"

#include <QApplication>
#include <QBuffer>
#include <QClipboard>
#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QPainter>
#include <QPushButton>
#include <QStackedLayout>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "core/data/command_line.h"
#include "widgets/frame/figure_export.h"
#include "widgets/frame/message_bar.h"
#include "widgets/frame/number_table.h"
#include "widgets/frame/plot_style.h"
#include "widgets/frame/tool_row.h"

namespace ropescope {
namespace {

constexpr int kWidestLine = 480;  // of a command line in the menu, in pixels

constexpr int kEmptyWidth = 250;
constexpr int kAccent = 3;  // pixels of the active view's line

/// Dims what lies below it and lets the mouse through.
class Veil : public QWidget {
public:
    explicit Veil(QWidget* parent) : QWidget(parent) { setAttribute(Qt::WA_TransparentForMouseEvents); }

protected:
    void paintEvent(QPaintEvent*) override {
        QColor colour = palette().color(QPalette::Base);
        colour.setAlpha(130);
        QPainter(this).fillRect(rect(), colour);
    }
};

}  // namespace

View::View(OpenModels& models, Selection& selection, const QString& title, QWidget* parent)
    : QWidget(parent),
      m_models(models),
      m_selection(selection),
      m_title(title),
      m_controls(new ToolRow(this)),
      m_messages(new MessageBar(this)),
      m_body(new QWidget(this)),
      m_emptyText(new QLabel(this)),
      m_emptyAction(new QPushButton(this)) {
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->setSpacing(8);
    auto* row = new QHBoxLayout;
    row->setSpacing(8);
    row->addWidget(m_controls, 1);
    layout->addLayout(row);
    layout->addWidget(m_body, 1);

    auto* empty = new QWidget(this);
    auto* emptyLayout = new QVBoxLayout(empty);
    m_emptyText->setWordWrap(true);
    m_emptyText->setTextFormat(Qt::PlainText);
    m_emptyText->setAlignment(Qt::AlignCenter);
    m_emptyText->setForegroundRole(QPalette::PlaceholderText);
    emptyLayout->addStretch();
    emptyLayout->addWidget(m_emptyText, 0, Qt::AlignCenter);
    emptyLayout->addSpacing(8);
    emptyLayout->addWidget(m_emptyAction, 0, Qt::AlignCenter);
    emptyLayout->addStretch();
    m_stack = new QStackedLayout(m_body);
    m_stack->addWidget(empty);
    connect(m_emptyAction, &QPushButton::clicked, this, &View::emptyActionRequested);
    m_emptyAction->hide();
    m_messages->floatOver(m_body);
    connect(&m_models, &OpenModels::openingChanged, this, [this] { showEmpty(isShowingEmpty()); });
    buildCorner();
}

void View::buildCorner() {
    auto* corner = new QToolButton(this);
    corner->setText(QStringLiteral("\u22ef"));
    corner->setAutoRaise(true);
    corner->setToolTip(tr("Copy, export, equal command line"));
    auto* menu = new QMenu(corner);
    menu->setToolTipsVisible(true);
    menu->addAction(tr("Copy figure"), this, &View::copyFigure);
    menu->addAction(tr("Copy numbers (TSV)"), this, &View::copyNumbers);
    menu->addSeparator();
    menu->addAction(tr("Export figure ..."), this, [this] { requestExport(FigureFormat::Svg); });
    menu->addAction(tr("Export numbers ..."), this, [this] { requestExport(FigureFormat::Csv); });
    menu->addSeparator();
    QAction* line = menu->addAction(tr("Copy equal command line"), this, &View::copyCommandLine);
    QAction* text = menu->addAction(QString());
    text->setEnabled(false);
    connect(menu, &QMenu::aboutToShow, this, [this, line, text] {
        line->setEnabled(!m_commandLine.isEmpty());
        text->setVisible(!m_commandLine.isEmpty());
        text->setText(fontMetrics().elidedText(m_commandLine, Qt::ElideMiddle, kWidestLine));
        const QString variation = QLatin1String(kVariationWord);
        text->setToolTip(m_commandLine.contains(variation)
                             ? tr("%1 holds the changes of heads (Save variation ... writes it)").arg(variation)
                             : QString());
    });
    // Opened by hand: a menu of the button's own would draw an arrow over the dots.
    connect(corner, &QToolButton::clicked, menu, [corner, menu] {
        menu->popup(corner->mapToGlobal(QPoint(corner->width() - menu->sizeHint().width(), corner->height())));
    });
    m_limit = new QLabel(this);
    m_limit->setForegroundRole(QPalette::PlaceholderText);
    m_limit->setMinimumWidth(1);  // its coming must not move the views
    m_limit->hide();
    connect(&m_selection, &Selection::changed, this, [this] {
        const std::size_t drawn = m_selection.shown().size(), chosen = m_selection.heads().size();
        m_limit->setVisible(chosen > drawn);
        m_limit->setText(tr("%1 of %2 heads").arg(drawn).arg(chosen));
        m_limit->setToolTip(tr("%1 heads are selected; the first %2 are drawn side by side").arg(chosen).arg(drawn));
    });
    auto* row = static_cast<QHBoxLayout*>(layout()->itemAt(0)->layout());
    row->addWidget(m_limit);
    row->addWidget(corner);
}

void View::setCommandLine(const QString& line) {
    m_commandLine = line;
}

void View::setEmptyText(const QString& what, const QString& action) {
    m_emptyText->setWhatsThis(what);
    m_emptyAction->setText(action);
    showEmpty(isShowingEmpty());
}

bool View::isShowingEmpty() const {
    return m_stack->currentIndex() == 0;
}

void View::setStale(bool stale) {
    if (m_veil == nullptr && !stale) return;
    if (m_veil == nullptr) m_veil = new Veil(m_body);
    m_veil->setGeometry(m_body->rect());
    m_veil->setVisible(stale);
    m_veil->raise();
}

void View::setContent(QWidget* content) {
    m_stack->addWidget(content);
}

void View::showEmpty(bool empty) {
    m_emptyText->setText(emptyReason(m_emptyText->whatsThis()));
    // A wrapped label in a centred cell does not find its own height.
    m_emptyText->setFixedSize(kEmptyWidth, m_emptyText->heightForWidth(kEmptyWidth));
    // With a model open the way on is a selection, which the text says.
    m_emptyAction->setVisible(offersAction() && !m_emptyAction->text().isEmpty() && m_models.opening().isEmpty());
    m_stack->setCurrentIndex(empty ? 0 : 1);
    setStale(false);
}

/// Marked heads say why they are not drawn, heads on their way say so, and models why they have none.
QString View::emptyReason(const QString& otherwise) const {
    QStringList marked;
    const std::vector<HeadRef> shown = m_selection.shown();
    for (HeadRef head : shown) {
        const HeadReport* report = m_models.head(head);
        if (report == nullptr || report->problem.empty()) continue;
        marked << m_models.headName(head) + QStringLiteral("  ") + QString::fromStdString(report->problem);
    }
    if (!marked.isEmpty()) return marked.mid(0, 4).join(QStringLiteral("\n\n"));
    if (const std::vector<HeadRef> missing = m_models.missing(shown); !missing.empty())
        return tr("Reading %1 ...").arg(m_models.headName(missing.front()));
    if (const QStringList& opening = m_models.opening(); !opening.isEmpty())
        return tr("Opening %1 ...").arg(opening.mid(0, 3).join(QStringLiteral(", ")));
    const auto& all = m_models.all();
    if (all.empty() || std::ranges::any_of(all, [](const auto& entry) { return entry.second.hasHeads(); }))
        return otherwise;
    const OpenModel& latest = all.rbegin()->second;
    return latest.runs() ? tr("%1 has no attention heads.").arg(latest.name())
                         : tr("No heads of %1 can be shown: %2").arg(latest.name(), problemOf(latest.card));
}

bool View::keepsOldContent() {
    const std::vector<HeadRef> shown = m_selection.shown();
    if (isShowingEmpty() || shown.empty() || m_models.missing(shown).size() < shown.size()) return false;
    setStale(true);
    return true;
}

QPushButton* View::newMeasureButton() {
    auto* button = new QPushButton(tr("Measure data ..."), this);
    connect(button, &QPushButton::clicked, this, &View::measureRequested);
    const auto show = [this, button] {
        const OpenModel* open = m_models.find(m_selection.current().model);
        const bool able = open == nullptr || open->runs();
        button->setEnabled(able);
        button->setToolTip(able ? tr("Run the model on images and measure what its queries and keys really hold")
                                : plainTip(tr("%1 cannot be run: %2").arg(open->name(), problemOf(open->card))));
    };
    connect(&m_selection, &Selection::changed, button, show);
    show();
    return button;
}

void View::setActive(bool active) {
    if (m_active == active) return;
    m_active = active;
    update();
}

QString View::helpText() const {
    return m_help.isEmpty() ? m_emptyText->whatsThis() : m_emptyText->whatsThis() + QStringLiteral("\n\n") + m_help;
}

void View::paintEvent(QPaintEvent* event) {
    QWidget::paintEvent(event);
    if (m_active) QPainter(this).fillRect(QRect(0, 0, width(), kAccent), palette().color(QPalette::Highlight));
}

void View::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    if (m_veil != nullptr) m_veil->setGeometry(m_body->rect());
}

void View::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    restyle();  // plots are not drawn while they are hidden
}

void View::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() != QEvent::PaletteChange && event->type() != QEvent::FontChange) return;
    QTimer::singleShot(0, this, [this] { restyle(); });  // the plots inside hear of the change after this
}

QSize View::figureSize() const {
    return m_body->size().expandedTo(QSize(320, 240));
}

QImage View::figureImage(qreal scale) const {
    return paintImage(figureSize(), scale, [this](QCPPainter& painter, QSize size) { drawFigure(painter, size); });
}

QByteArray View::figure(FigureFormat format) const {
    const FigurePainter paint = [this](QCPPainter& painter, QSize size) { drawFigure(painter, size); };
    switch (format) {
        case FigureFormat::Png:
            return paintPng(figureSize(), paint);
        case FigureFormat::Svg:
            return paintSvg(figureSize(), m_title, SvgText::Text, paint);
        case FigureFormat::SvgOutlines:
            return paintSvg(figureSize(), m_title, SvgText::Outlines, paint);
        case FigureFormat::Pdf:
            return paintPdf(figureSize(), m_title, paint);
        case FigureFormat::Csv:
            break;
    }
    return numbers(QLatin1Char(',')).toUtf8();
}

QString View::numbers(QChar separator) const {
    NumberTable table(separator);
    writeNumbers(table);
    return table.text();
}

QString View::subject() const {
    const auto heads = static_cast<int>(m_selection.shown().size());
    return heads == 0 ? QString() : heads == 1 ? tr("1 head") : tr("%1 heads").arg(heads);
}

QString View::contents(FigureFormat format) const {
    QStringList parts{m_title};
    if (const QString of = subject(); !of.isEmpty()) parts << of;
    if (format == FigureFormat::Csv) {
        NumberTable table(QLatin1Char('\t'));
        writeNumbers(table);
        parts << tr("%1 numbers").arg(table.numbers());
    }
    return parts.join(QStringLiteral(", "));
}

void View::copyFigure() {
    QApplication::clipboard()->setImage(figureImage(2));
    emit copied(tr("%1, as a picture").arg(contents(FigureFormat::Png)));
}

void View::copyNumbers() {
    QApplication::clipboard()->setText(numbers(QLatin1Char('\t')));
    emit copied(contents(FigureFormat::Csv));
}

void View::copyCommandLine() {
    if (m_commandLine.isEmpty())
        return m_messages->showNote(tr("No command line computes exactly what is shown here."));
    QApplication::clipboard()->setText(m_commandLine);
    emit copied(tr("the command line of %1").arg(m_title));
}

void View::requestExport(FigureFormat preferred) {
    emit exportRequested(preferred);
}

}  // namespace ropescope
