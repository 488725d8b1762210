// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <vector>

#include "core/data/tensors_report.h"

namespace ropescope {

/// "used", or why it does no harm, come from the engine as words; these are the ones that are marked.
[[nodiscard]] bool isNotUnderstood(const TensorRow& row);
/// "768 x 3072", "one number".
[[nodiscard]] QString shapeText(const std::vector<std::int64_t>& shape);
[[nodiscard]] QString bytesText(std::uint64_t bytes);

/// The tensors of a file as rows: those that hold every word of the filter, in file order or sorted by a column.
class TensorList : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { Name, Type, ShapeColumn, Size, Use, Columns };
    explicit TensorList(QObject* parent = nullptr) : QAbstractTableModel(parent) {}

    void setRows(std::vector<TensorRow> rows);
    void setFilter(const QString& text);
    [[nodiscard]] const std::vector<TensorRow>& all() const { return m_rows; }
    [[nodiscard]] const TensorRow& at(int row) const { return m_rows[m_shown[row]]; }
    /// Pixels that the longest text of a column takes, over all rows.
    [[nodiscard]] int widest(int column, const QFontMetrics& metrics) const;
    [[nodiscard]] int rowOf(const std::string& name) const;  ///< -1: not shown

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
    void sort(int column, Qt::SortOrder order) override;  ///< -1: file order

private:
    void arrange();
    void findLongest();

    std::vector<TensorRow> m_rows;
    std::vector<std::size_t> m_shown;
    QStringList m_longest[Columns];  ///< texts of a column among which its widest one is
    QStringList m_words;
    int m_column = -1;
    Qt::SortOrder m_order = Qt::AscendingOrder;
};

}  // namespace ropescope
