// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/rounded.h"

#include <algorithm>
#include <cmath>

#include "widgets/frame/plot_style.h"

namespace ropescope {
namespace {

constexpr int kMostDecimals = 6;

QString joined(const QString& value, const QString& error) {
    return value + QStringLiteral(" \u00b1 ") + error;
}

/// Power of ten of the first significant digit; `size` > 0.
int decade(double size) {
    return static_cast<int>(std::floor(std::log10(size)));
}

/// Decimals that show the error's significant digits; negative where it is rounded to tens or more.
int decimalsOf(double error) {
    const int first = decade(error);
    return error / std::pow(10.0, first) < 3 - 1e-9 ? 1 - first : -first;
}

QString fixed(double value, int decimals) {
    if (decimals < 0) value = std::round(value * std::pow(10.0, decimals)) * std::pow(10.0, -decimals);
    QString text = QString::number(value, 'f', std::max(0, decimals));
    const bool zero =
        std::all_of(text.begin(), text.end(), [](QChar c) { return !c.isDigit() || c == QLatin1Char('0'); });
    if (zero && text.startsWith(QLatin1Char('-'))) text.remove(0, 1);
    return text;
}

}  // namespace

QString rounded(double value, double error) {
    if (!std::isfinite(value) || !std::isfinite(error)) return shortNumber(value);
    error = std::abs(error);
    const double size = std::max(std::abs(value), error);
    const double small = 1e-12;  // round-off of float64 is no finding
    if (error < small) return joined(shortNumber(value), QStringLiteral("0"));
    if (size >= 1e5 || size < 1e-3) {
        const int power = decade(size);
        const double unit = std::pow(10.0, power);
        return QStringLiteral("(%1)e%2").arg(rounded(value / unit, error / unit)).arg(power);
    }
    const int decimals = decimalsOf(error);
    if (decimals > kMostDecimals) return joined(shortNumber(value), shortNumber(error));
    return joined(fixed(value, decimals), fixed(error, decimals));
}

}  // namespace ropescope
