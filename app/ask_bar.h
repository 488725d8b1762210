// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <QWidget>
#include <functional>

class QHBoxLayout;
class QLabel;

namespace ropescope {

/// A question with buttons above the views, never a dialog. Questions wait for each other in the order they came.
class AskBar : public QWidget {
    Q_OBJECT
public:
    explicit AskBar(QWidget* parent = nullptr);

    struct Question {
        QString text;
        QStringList answers;
        std::function<void(int answer)> done;  ///< not called when the question is closed
    };
    void ask(Question question);
    [[nodiscard]] QString text() const;
    /// Presses an answer's button.
    void answer(int index);

private:
    void showNext();

    QLabel* m_text;
    QHBoxLayout* m_row;
    QList<QWidget*> m_buttons;
    std::vector<Question> m_questions;  ///< the first one is shown
};

}  // namespace ropescope
