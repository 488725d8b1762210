// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>

namespace ropescope {

/// One line of plain text that never widens its window: what does not fit gives way to dots and is whole in the tool
/// tip.
class ElidedLabel : public QLabel {
    Q_OBJECT
public:
    explicit ElidedLabel(QWidget* parent = nullptr, Qt::TextElideMode mode = Qt::ElideRight);

    void say(const QString& text, const QString& more = {});  ///< `more`: for the tool tip instead of the text
    [[nodiscard]] const QString& said() const { return m_said; }

protected:
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void elide();

    Qt::TextElideMode m_mode;
    QString m_said;
};

}  // namespace ropescope
