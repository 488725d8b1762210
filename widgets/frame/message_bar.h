// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <QWidget>
#include <functional>

#include "core/data/error.h"

class QLabel;
class QProgressBar;
class QToolButton;

namespace ropescope {

/// What a message belongs to, with which it goes, and what can be done about it.
struct MessageAbout {
    int model = -1;  ///< shown while this model is the current one
    QString cause;   ///< for clearCause(): "engine", "opening", ...
    QString action;  ///< text of a button; empty: none
    std::function<void()> run;
};
[[nodiscard]] MessageAbout ofModel(int model);
[[nodiscard]] MessageAbout causedBy(const QString& cause);
[[nodiscard]] MessageAbout withAction(const QString& action, std::function<void()> run);

/// A bar over the view that is concerned: an error with "Copy details", a note, or progress with time left and Cancel.
/// Hidden when there is nothing to say; never a dialog, and nothing moves when it comes. Notes go by themselves.
/// Checked by tests/widgets/panels_test.cpp.
class MessageBar : public QWidget {
    Q_OBJECT
public:
    explicit MessageBar(QWidget* parent = nullptr);

    /// Lies over the lower edge of `place` from now on, in no layout.
    void floatOver(QWidget* place);

    void showError(const Error& error, const MessageAbout& about = {});
    void showError(const QString& text, const QString& details, const MessageAbout& about = {});
    void showNote(const QString& text, const MessageAbout& about = {});
    /// `share` in [0,1], negative when unknown; `secondsLeft` negative when unknown.
    void showProgress(const QString& text, double share, double secondsLeft);
    void clear();
    void clearCause(const QString& cause);  ///< a message with this cause, if it is the one shown
    void setCurrentModel(int model);        ///< what belongs to another model goes
    [[nodiscard]] QString text() const;
    [[nodiscard]] bool showsError() const { return m_kind == Kind::Error; }
    [[nodiscard]] bool showsProgress() const { return m_kind == Kind::Progress; }
    [[nodiscard]] QToolButton* actionButton() const { return m_action; }

signals:
    void cancelRequested();
    void changed();  ///< comes, goes or needs another height

protected:
    void paintEvent(QPaintEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    enum class Kind { Nothing, Error, Note, Progress };
    void show(Kind kind, const QString& text, const QString& details, const MessageAbout& about);
    void place();

    Kind m_kind = Kind::Nothing;
    QString m_details;
    MessageAbout m_about;
    QTimer m_end;
    QWidget* m_place = nullptr;
    QLabel* m_text;
    QProgressBar* m_progress;
    QToolButton* m_action;
    QToolButton* m_copy;
    QToolButton* m_cancel;
    QToolButton* m_close;
};

}  // namespace ropescope
