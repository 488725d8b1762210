// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <QWidget>
#include <functional>

class QBoxLayout;
class QLabel;

namespace ropescope {

class FlowLayout;

/// A question with buttons above the views, never a dialog. Questions wait for each other in the order they came.
class AskBar : public QWidget {
    Q_OBJECT
public:
    explicit AskBar(QWidget* parent = nullptr);

    struct Question {
        QString text;
        QStringList answers;
        std::function<void(int answer)> done;  ///< not called when the question is closed
        int model = -1;                        ///< an open one that it is about: a newer question takes its place
    };
    void ask(Question question);
    void withdraw(int model);  ///< the question about it, where there is one
    [[nodiscard]] QString text() const;
    /// Presses an answer's button.
    void answer(int index);

private:
    void showNext();

    QLabel* m_text;
    QBoxLayout* m_row;  ///< text and buttons side by side; many buttons below the text
    FlowLayout* m_answers;
    QList<QWidget*> m_buttons;
    std::vector<Question> m_questions;  ///< the first one is shown
};

}  // namespace ropescope
