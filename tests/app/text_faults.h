// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QRectF>
#include <QString>
#include <vector>

class QWidget;

namespace ropescope::test {

/// Elided: holds an ellipsis. Cut: part of the ink is outside the clip. Covered: part is below another widget.
enum class TextFault { Elided, Cut, Covered, Overlapping, OutsideWindow };

struct FaultyText {
    TextFault kind = TextFault::Elided;
    QString text;
    QRectF ink;                      ///< in the window
    const QWidget* owner = nullptr;  ///< painted it
    QString other;                   ///< the text it overlaps
};

/// What a reader of the window cannot read. Checked by tests/app/text_census_test.cpp.
[[nodiscard]] std::vector<FaultyText> faultyTexts(QWidget& window);
[[nodiscard]] QString describe(const FaultyText& fault);
/// "CompareMatrix \"matrix\" in CompareView": enough to find it in the source.
[[nodiscard]] QString nameOf(const QWidget& widget);

}  // namespace ropescope::test
