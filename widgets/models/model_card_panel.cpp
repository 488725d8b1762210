// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/models/model_card_panel.h"

#include <QAbstractButton>
#include <QApplication>
#include <QClipboard>
#include <QEvent>
#include <QHBoxLayout>
#include <QPainter>
#include <QScrollBar>
#include <QTextBrowser>
#include <QToolButton>
#include <QVBoxLayout>
#include <utility>

#include "widgets/frame/lamp.h"
#include "widgets/frame/plot_style.h"
#include "widgets/models/model_card_text.h"

namespace ropescope {

/// Arrow, lamp, the model's name and the lamp in words; checked while the card is open.
class CardTitle : public QAbstractButton {
public:
    /// `beside` stands at the end of the line of the name.
    CardTitle(QWidget* beside, QWidget* parent) : QAbstractButton(parent), m_beside(beside) {
        setCheckable(true);
        setChecked(true);
        setFocusPolicy(Qt::TabFocus);
        auto* layout = new QHBoxLayout(this);
        layout->setContentsMargins(0, 0, 0, 0);
        layout->addStretch();
        layout->addWidget(m_beside, 0, Qt::AlignTop);
    }
    void say(const QString& name, const QString& words, const QColor& lamp) {
        setText(name);
        setAccessibleDescription(words);
        setToolTip(plainTip(name + QLatin1Char('\n') + words));
        m_words = words;
        m_lamp = lamp;
        update();
    }
    [[nodiscard]] QSize sizeHint() const override { return {120, 2 * fontMetrics().lineSpacing() + 4}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {60, sizeHint().height()}; }

protected:
    void paintEvent(QPaintEvent*) override {
        const Looks looks = looksOf(palette(), font());
        const int line = fontMetrics().lineSpacing();
        QPainter painter(this);
        painter.setRenderHint(QPainter::Antialiasing);
        if (hasFocus()) {
            painter.setPen(QPen(looks.accent, 1));
            painter.drawRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5));
        }
        painter.setPen(Qt::NoPen);
        painter.setBrush(looks.muted);
        const QPolygonF closed{QPointF(-3, -4), QPointF(-3, 4), QPointF(3, 0)};
        const QPolygonF open{QPointF(-4, -3), QPointF(4, -3), QPointF(0, 3)};
        painter.drawPolygon((isChecked() ? open : closed).translated(8, 2 + line / 2.0));
        QFont bold = font();
        bold.setBold(true);
        painter.setFont(bold);
        painter.setPen(palette().color(QPalette::WindowText));
        const QRect name(18, 2, m_beside->x() - 18 - 4, line);
        painter.drawText(name, Qt::AlignVCenter | Qt::AlignLeft,
                         QFontMetrics(bold).elidedText(text(), Qt::ElideMiddle, name.width()));
        painter.setPen(Qt::NoPen);
        painter.setBrush(m_lamp);
        painter.drawEllipse(QPointF(23, 2 + line * 1.5), 4.5, 4.5);
        painter.setFont(font());
        painter.setPen(looks.muted);
        const QRect words(32, 2 + line, width() - 32, line);
        painter.drawText(words, Qt::AlignVCenter | Qt::AlignLeft, m_words);
    }

private:
    QWidget* m_beside;
    QString m_words;
    QColor m_lamp;
};

ModelCardPanel::ModelCardPanel(OpenModels& models, QWidget* parent)
    : QWidget(parent),
      m_models(models),
      m_copy(new QToolButton),
      m_title(new CardTitle(m_copy, this)),
      m_body(new QTextBrowser(this)) {
    m_copy->setText(tr("Copy"));
    m_copy->setAutoRaise(true);
    m_copy->setToolTip(tr("Copy this card as text"));
    m_body->setOpenLinks(false);
    m_body->setFrameShape(QFrame::NoFrame);
    m_body->setWordWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
    m_body->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_body->setAccessibleName(tr("What is known of the model"));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addWidget(m_title);
    layout->addWidget(m_body, 1);
    connect(m_title, &QAbstractButton::toggled, this, [this](bool open) { setFolded(!open); });
    connect(m_copy, &QToolButton::clicked, this, [this] { QApplication::clipboard()->setText(text()); });
    connect(m_body, &QTextBrowser::anchorClicked, this, [this] { emit problemActivated(m_model); });
    const auto follow = [this](int model) {
        if (model == m_model) refresh();
    };
    connect(&m_models, &OpenModels::checkChanged, this, follow);
    connect(&m_models, &OpenModels::atlasChanged, this, follow);
    connect(&m_models, &OpenModels::modelsChanged, this, &ModelCardPanel::refresh);
    refresh();
}

void ModelCardPanel::setModel(int model) {
    if (std::exchange(m_model, model) == model) return;
    refresh();
    m_body->verticalScrollBar()->setValue(0);
}

void ModelCardPanel::refresh() {
    const OpenModel* model = m_models.find(m_model);
    if (model == nullptr) return m_body->clear();
    m_title->say(model->name(), stateWords(*model), lampColour(lampOf(*model)));
    const int place = m_body->verticalScrollBar()->value();
    m_body->setHtml(modelCardHtml(*model, looksOf(palette(), font()).muted));
    m_body->verticalScrollBar()->setValue(place);
}

void ModelCardPanel::setFolded(bool fold) {
    if (fold == m_body->isHidden()) return;
    m_title->setChecked(!fold);
    m_body->setVisible(!fold);
    setMaximumHeight(fold ? m_title->sizeHint().height() : QWIDGETSIZE_MAX);
    emit folded(fold);
}

bool ModelCardPanel::isFolded() const {
    return m_body->isHidden();
}

QString ModelCardPanel::text() const {
    const OpenModel* model = m_models.find(m_model);
    if (model == nullptr) return {};
    return model->name() + QStringLiteral(": ") + stateWords(*model) + QLatin1Char('\n') + m_body->toPlainText() +
           QLatin1Char('\n');
}

void ModelCardPanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) refresh();
}

}  // namespace ropescope
