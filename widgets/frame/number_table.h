// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

namespace ropescope {

/// The numbers of a figure as a table of text, one line a row: tab-separated for spreadsheets, comma-separated as in
/// RFC 4180. Names are quoted where they need it. Counts the numbers that are data, not those that say where.
class NumberTable {
public:
    explicit NumberTable(QChar separator) : m_separator(separator) {}

    NumberTable& label(const QString& text);
    NumberTable& label(int number) { return label(QString::number(number)); }
    NumberTable& number(double value);  ///< ten significant digits
    NumberTable& blank() { return label(QString()); }
    void endRow();

    [[nodiscard]] const QString& text() const { return m_text; }
    [[nodiscard]] int numbers() const { return m_numbers; }

private:
    void next();

    QChar m_separator;
    QString m_text;
    bool m_fresh = true;  ///< the row has no cell yet
    int m_numbers = 0;
};

}  // namespace ropescope
