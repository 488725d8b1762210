// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/tensors/tensor_list.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "widgets/frame/plot_style.h"

namespace ropescope {
namespace {

constexpr std::size_t kLongest = 64;  // texts of a column that are measured

QString cellText(const TensorRow& row, int column) {
    switch (column) {
        case TensorList::Name:
            return QString::fromStdString(row.name);
        case TensorList::Type:
            return QString::fromStdString(row.dtype);
        case TensorList::ShapeColumn:
            return shapeText(row.shape);
        case TensorList::Size:
            return bytesText(row.bytes);
        default:
            return QString::fromStdString(row.use);
    }
}

std::int64_t elementsOf(const TensorRow& row) {
    return std::accumulate(row.shape.begin(), row.shape.end(), std::int64_t{1}, std::multiplies<>());
}

bool lies(const TensorRow& a, const TensorRow& b, int column) {
    if (column == TensorList::ShapeColumn) return elementsOf(a) < elementsOf(b);
    if (column == TensorList::Size) return a.bytes < b.bytes;
    return column == TensorList::Name   ? a.name < b.name
           : column == TensorList::Type ? a.dtype < b.dtype
                                        : a.use < b.use;
}

}  // namespace

bool isNotUnderstood(const TensorRow& row) {
    return row.use == "not understood";
}

QString shapeText(const std::vector<std::int64_t>& shape) {
    QStringList sides;
    for (std::int64_t side : shape) sides << QString::number(side);
    return sides.isEmpty() ? QObject::tr("one number") : sides.join(QStringLiteral(" \u00d7 "));
}

QString bytesText(std::uint64_t bytes) {
    static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
    auto value = static_cast<double>(bytes);
    int unit = 0;
    for (; value >= 1000 && unit < 4; ++unit) value /= 1000;
    return shortNumber(value) + QLatin1Char(' ') + QLatin1String(kUnits[unit]);
}

void TensorList::setRows(std::vector<TensorRow> rows) {
    beginResetModel();
    m_rows = std::move(rows);
    findLongest();
    arrange();
    endResetModel();
}

void TensorList::setFilter(const QString& text) {
    beginResetModel();
    m_words = text.split(QLatin1Char(' '), Qt::SkipEmptyParts);
    arrange();
    endResetModel();
}

void TensorList::sort(int column, Qt::SortOrder order) {
    beginResetModel();
    m_column = column;
    m_order = order;
    arrange();
    endResetModel();
}

void TensorList::arrange() {
    m_shown.clear();
    for (std::size_t i = 0; i < m_rows.size(); ++i) {
        QString all;
        for (int column = 0; column < Columns && !m_words.isEmpty(); ++column)
            all += cellText(m_rows[i], column) + QLatin1Char('\n');
        const auto holds = [&all](const QString& word) { return all.contains(word, Qt::CaseInsensitive); };
        if (std::all_of(m_words.begin(), m_words.end(), holds)) m_shown.push_back(i);
    }
    if (m_column < 0) return;
    std::stable_sort(m_shown.begin(), m_shown.end(), [this](std::size_t a, std::size_t b) {
        return m_order == Qt::AscendingOrder ? lies(m_rows[a], m_rows[b], m_column)
                                             : lies(m_rows[b], m_rows[a], m_column);
    });
}

/// Letters are of different width, so that the longest few are kept; to measure all would take too long.
void TensorList::findLongest() {
    const auto lengthOf = [](const TensorRow& row, int column) {
        if (column == Name) return row.name.size();
        if (column == Type) return row.dtype.size();
        if (column == Use) return row.use.size();
        std::size_t length = 0;
        for (std::int64_t side : row.shape)
            length += 3 + static_cast<std::size_t>(std::log10(std::max<double>(1, side)));
        return length;
    };
    for (const int column : {Name, Type, ShapeColumn, Use}) {
        std::vector<std::pair<std::size_t, std::size_t>> lengths;  // and the row
        for (std::size_t i = 0; i < m_rows.size(); ++i) lengths.emplace_back(lengthOf(m_rows[i], column), i);
        const std::size_t kept = std::min(kLongest, lengths.size());
        std::partial_sort(lengths.begin(), lengths.begin() + static_cast<std::ptrdiff_t>(kept), lengths.end(),
                          std::greater<>());
        m_longest[column].clear();
        for (std::size_t i = 0; i < kept; ++i) m_longest[column] << cellText(m_rows[lengths[i].second], column);
    }
    m_longest[Size] = QStringList{QStringLiteral("88.88 MB")};
}

int TensorList::widest(int column, const QFontMetrics& metrics) const {
    int width = 0;
    for (const QString& text : m_longest[column]) width = std::max(width, metrics.horizontalAdvance(text));
    return width;
}

int TensorList::rowOf(const std::string& name) const {
    const auto found =
        std::find_if(m_shown.begin(), m_shown.end(), [&](std::size_t i) { return m_rows[i].name == name; });
    return found == m_shown.end() ? -1 : static_cast<int>(found - m_shown.begin());
}

int TensorList::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_shown.size());
}

int TensorList::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : Columns;
}

QVariant TensorList::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || index.row() >= rowCount()) return {};
    const TensorRow& row = at(index.row());
    switch (role) {
        case Qt::DisplayRole:
            return cellText(row, index.column());
        case Qt::ToolTipRole:
            return plainTip(cellText(row, index.column()));
        case Qt::TextAlignmentRole:
            return index.column() == Size ? QVariant(Qt::AlignRight | Qt::AlignVCenter) : QVariant();
        case Qt::ForegroundRole:
            return isNotUnderstood(row) ? QVariant(warningColour()) : QVariant();
        default:
            return {};
    }
}

QVariant TensorList::headerData(int section, Qt::Orientation orientation, int role) const {
    static const QString kTitles[] = {tr("Name"), tr("Type"), tr("Shape"), tr("Size"), tr("Use")};
    if (orientation != Qt::Horizontal || section < 0 || section >= Columns) return {};
    if (role == Qt::TextAlignmentRole)
        return QVariant((section == Size ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    return role == Qt::DisplayRole ? QVariant(kTitles[section]) : QVariant();
}

}  // namespace ropescope
