// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/number_table.h"

#include <algorithm>

namespace ropescope {

void NumberTable::next() {
    if (!m_fresh) m_text += m_separator;
    m_fresh = false;
}

NumberTable& NumberTable::label(const QString& text) {
    next();
    // Spaces and signs are quoted in commas too: names of models and files hold them.
    const auto plain = [](QChar c) { return c.isLetterOrNumber() || QStringLiteral("._-+").contains(c); };
    const bool needed =
        m_separator == QLatin1Char(',')
            ? !std::all_of(text.begin(), text.end(), plain)
            : text.contains(m_separator) || text.contains(QLatin1Char('"')) || text.contains(QLatin1Char('\n'));
    if (!needed) {
        m_text += text;
        return *this;
    }
    m_text += QLatin1Char('"') + QString(text).replace(QLatin1Char('"'), QStringLiteral("\"\"")) + QLatin1Char('"');
    return *this;
}

NumberTable& NumberTable::number(double value) {
    next();
    m_text += QString::number(value, 'g', 10);
    ++m_numbers;
    return *this;
}

void NumberTable::endRow() {
    m_text += QLatin1Char('\n');
    m_fresh = true;
}

}  // namespace ropescope
