// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>

namespace ropescope {

/// Two lines of quiet text that never change their place or size; what does not fit is whole in the tool tip.
class StatusText : public QLabel {
    Q_OBJECT
public:
    explicit StatusText(QWidget* parent = nullptr);

    void say(const QString& text);
    [[nodiscard]] const QString& said() const { return m_said; }

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    void fit();

    QString m_said;
};

}  // namespace ropescope
