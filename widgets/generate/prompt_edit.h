// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <QWidget>

#include "core/data/error.h"
#include "core/data/joint_attention.h"

class QPlainTextEdit;
class QPushButton;

namespace ropescope {

class ElidedLabel;

/// Prompt and negative prompt, and below them what the text encoders make of the prompt: how many tokens, and where it
/// is cut.
class PromptEdit : public QWidget {
    Q_OBJECT
public:
    explicit PromptEdit(QWidget* parent = nullptr);

    [[nodiscard]] QString prompt() const;
    [[nodiscard]] QString negative() const;
    void setTexts(const QString& prompt, const QString& negative);
    void setNegativeUsed(bool used);  ///< whether the model has a use for a negative prompt
    /// `off`: not empty where the prompt is not looked at, and why.
    void setOff(const QString& off);

    void showTokens(const TokensReport& tokens);
    void showProblem(const Error& error);
    [[nodiscard]] QString tokensText() const;
    [[nodiscard]] QString missing() const { return m_missing; }  ///< what no prompt can be read without; empty: nothing

signals:
    void missingChanged();
    void encodersWanted();                     ///< the user wants to choose text encoders
    void changed();                            ///< one of the texts
    void entered();                            ///< Ctrl+Return in a text
    void tokensWanted(const QString& prompt);  ///< the prompt has changed and typing rests

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void say(const QString& text, bool warning, const QString& more = {});
    void setMissing(const QString& missing);

    QPlainTextEdit* m_prompt;
    QPlainTextEdit* m_negative;
    ElidedLabel* m_tokens;
    QPushButton* m_choose;
    QString m_missing;
    QTimer m_pause;
};

}  // namespace ropescope
