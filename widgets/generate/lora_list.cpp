// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/generate/lora_list.h"

#include <QDoubleSpinBox>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QToolButton>
#include <algorithm>

#include "widgets/frame/plot_style.h"

namespace ropescope {
namespace {

constexpr int kNameWidth = 160;

}  // namespace

LoraList::LoraList(QWidget* parent)
    : QWidget(parent), m_layout(new QHBoxLayout(this)), m_add(new QPushButton(tr("Add..."), this)) {
    m_layout->setContentsMargins(0, 0, 0, 0);
    m_layout->setSpacing(8);
    m_layout->addWidget(m_add);
    m_add->setToolTip(tr("Low-rank changes of the weights, while pictures are made; the opened file stays as it is"));
    connect(m_add, &QPushButton::clicked, this, &LoraList::browse);
}

std::vector<LoraRef> LoraList::loras() const {
    std::vector<LoraRef> all;
    for (const Row& row : m_rows) all.push_back(row.lora);
    return all;
}

void LoraList::setLoras(const std::vector<LoraRef>& loras) {
    while (!m_rows.empty()) remove(m_rows.back().widget);
    for (const LoraRef& lora : loras) add(QString::fromStdString(lora.path), lora.strength);
}

void LoraList::add(const QString& path, double strength) {
    auto* widget = new QWidget(this);
    auto* row = new QHBoxLayout(widget);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(4);
    auto* name = new QLabel(widget);
    name->setText(fontMetrics().elidedText(QFileInfo(path).completeBaseName(), Qt::ElideMiddle, kNameWidth));
    name->setTextFormat(Qt::PlainText);
    name->setToolTip(path);
    auto* value = new QDoubleSpinBox(widget);
    value->setRange(-100, 100);
    value->setSingleStep(0.05);
    value->setDecimals(2);
    value->setValue(strength);
    value->setToolTip(tr("Strength; 0 leaves the weights as they are"));
    auto* away = new QToolButton(widget);
    away->setText(QStringLiteral("\u00d7"));
    away->setAutoRaise(true);
    away->setToolTip(tr("Take this LoRA away"));
    auto* match = new QLabel(widget);
    row->addWidget(name);
    row->addWidget(match);
    row->addWidget(value);
    row->addWidget(away);
    m_layout->insertWidget(static_cast<int>(m_rows.size()), widget);
    m_rows.push_back({widget, match, {path.toStdString(), strength}});
    connect(value, &QDoubleSpinBox::valueChanged, this, [this, widget](double changedTo) {
        std::ranges::find(m_rows, widget, &Row::widget)->lora.strength = changedTo;
        emit changed();
    });
    connect(away, &QToolButton::clicked, this, [this, widget] { remove(widget); });
    emit changed();
    emit filesChanged();
}

void LoraList::showMatches(const LorasReport& report) {
    for (std::size_t i = 0; i < m_rows.size() && i < report.loras.size(); ++i) {
        const LoraMatch& match = report.loras[i];
        if (match.path != m_rows[i].lora.path) continue;
        const bool fits = match.problem.empty() && match.matched == match.all;
        QLabel& label = *m_rows[i].match;
        label.setText(match.problem.empty() ? tr("%1 of %2 layers").arg(match.matched).arg(match.all)
                                            : tr("does not fit"));
        QStringList more;
        if (!match.problem.empty()) more.append(QString::fromStdString(match.problem));
        if (!match.unmatched.empty())
            more.append(tr("Not in this model: %1").arg(QString::fromStdString(match.unmatched)));
        if (!match.kinds.empty()) more.append(tr("Among them: %1").arg(QString::fromStdString(match.kinds)));
        if (match.ofText > 0) more.append(tr("Left out: %1 for text encoders").arg(match.ofText));
        if (match.maps > 0)
            more.append(tr("%1 tensors of HARoPE maps: choose the file as adapter too").arg(match.maps));
        label.setToolTip(plainTip(more.join(QLatin1Char('\n'))));
        label.setForegroundRole(fits ? QPalette::PlaceholderText : QPalette::WindowText);
        QFont font = this->font();
        font.setBold(!fits);
        label.setFont(font);
    }
}

QString LoraList::matchText(int row) const {
    return m_rows.at(static_cast<std::size_t>(row)).match->text();
}

void LoraList::browse() {
    const QStringList chosen = QFileDialog::getOpenFileNames(
        this, tr("LoRA files"), m_rows.empty() ? QString() : QString::fromStdString(m_rows.back().lora.path),
        tr("LoRA weights (*.safetensors *.pt *.pth *.bin)"));
    for (const QString& path : chosen) add(path);
}

void LoraList::remove(QWidget* widget) {
    std::erase_if(m_rows, [&](const Row& row) { return row.widget == widget; });
    m_layout->removeWidget(widget);
    widget->hide();
    widget->deleteLater();
    emit changed();
    emit filesChanged();
}

}  // namespace ropescope
