// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <optional>

#include "widgets/frame/view.h"

namespace ropescope {

/// What the dialog that saves a figure offers, one filter a format.
[[nodiscard]] QStringList exportFilters();
[[nodiscard]] QString filterOf(FigureFormat format);
[[nodiscard]] QString endingOf(FigureFormat format);  ///< without the dot

/// The ending decides; of an SVG the filter tells whether text stays text; without an ending the filter decides.
/// Nothing for another ending. Checked by tests/app/export_format_test.cpp.
[[nodiscard]] std::optional<FigureFormat> formatOf(const QString& path, const QString& filter);

}  // namespace ropescope
