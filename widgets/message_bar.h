// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "core/data/error.h"

class QLabel;
class QProgressBar;
class QToolButton;

namespace ropescope {

/// A bar inside the view that is concerned: an error with "Copy details", a note, or progress with time left and
/// Cancel. Hidden when there is nothing to say; never a dialog. Checked by tests/widgets/panels_test.cpp.
class MessageBar : public QWidget {
    Q_OBJECT
public:
    explicit MessageBar(QWidget* parent = nullptr);

    void showError(const Error& error);
    void showError(const QString& text, const QString& details);
    void showNote(const QString& text);
    /// `share` in [0,1], negative when unknown; `secondsLeft` negative when unknown.
    void showProgress(const QString& text, double share, double secondsLeft);
    void clear();
    [[nodiscard]] QString text() const;
    [[nodiscard]] bool showsError() const { return m_kind == Kind::Error; }
    [[nodiscard]] bool showsProgress() const { return m_kind == Kind::Progress; }

signals:
    void cancelRequested();

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    enum class Kind { Nothing, Error, Note, Progress };
    void show(Kind kind, const QString& text, const QString& details);

    Kind m_kind = Kind::Nothing;
    QString m_details;
    QLabel* m_text;
    QProgressBar* m_progress;
    QToolButton* m_copy;
    QToolButton* m_cancel;
    QToolButton* m_close;
};

}  // namespace ropescope
