// SPDX-License-Identifier: GPL-3.0-or-later
// What Compare says in words and tables.
#include <cmath>

#include "widgets/compare_view.h"
#include "widgets/plot_style.h"

namespace ropescope {

QString CompareView::pairText(int row, int column) const {
    if (isOverlap()) {
        const std::size_t heads = m_heads.size() / 2, planes = m_report->perPlane.size() / heads;
        return tr("%1  plane %2: overlap %3; mean over turning planes %4")
            .arg(QString::fromStdString(m_heads[row].id.name()))
            .arg(column)
            .arg(shortNumber(m_report->perPlane[row * planes + column]),
                 shortNumber(m_report->matrix[row * 2 * heads + row + heads]));
    }
    const QString pair = tr("%1 with %2").arg(m_models.headName(m_heads[row]), m_models.headName(m_heads[column]));
    const double value = m_report->matrix[row * m_heads.size() + column];
    if (std::isnan(value)) return pair + tr("  cannot be compared: one is marked or has no such curve");
    return QStringLiteral("%1  %2 %3")
        .arg(pair, QString::fromStdString(m_report->title), numberText(value, m_report->unit));
}

QString CompareView::numbers(QChar separator) const {
    if (!m_report) return {};
    QString text = QStringLiteral("head");
    if (isOverlap()) {
        const std::size_t heads = m_heads.size() / 2, planes = m_report->perPlane.size() / heads;
        for (std::size_t p = 0; p < planes; ++p) text += separator + QStringLiteral("plane%1").arg(p);
        for (std::size_t i = 0; i < m_report->perPlane.size(); ++i) {
            if (i % planes == 0) text += QLatin1Char('\n') + QString::fromStdString(m_heads[i / planes].id.name());
            text += separator + QString::number(m_report->perPlane[i], 'g', 10);
        }
        return text + QLatin1Char('\n');
    }
    for (HeadRef head : m_heads) text += separator + m_models.headName(head);
    const bool placed = m_report->embedding.size() == 2 * m_heads.size();
    if (placed) text += separator + QStringLiteral("coordinate1") + separator + QStringLiteral("coordinate2");
    text += QLatin1Char('\n');
    for (std::size_t row = 0; row < m_heads.size(); ++row) {
        text += m_models.headName(m_heads[row]);
        for (std::size_t column = 0; column < m_heads.size(); ++column) {
            text += separator + QString::number(m_report->matrix[row * m_heads.size() + column], 'g', 10);
        }
        for (std::size_t k = 0; placed && k < 2; ++k) {
            text += separator + QString::number(m_report->embedding[2 * row + k], 'g', 10);
        }
        text += QLatin1Char('\n');
    }
    return text;
}

}  // namespace ropescope
