// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QLineEdit;

namespace ropescope {

/// A path to type, with a button that asks for a file or a folder.
class PathChoice : public QWidget {
    Q_OBJECT
public:
    enum class Kind { File, Folder };
    /// `title` of the dialog; `filter` of files.
    PathChoice(Kind kind, const QString& title, const QString& filter = {}, QWidget* parent = nullptr);

    [[nodiscard]] QString path() const;  ///< without space around it
    void setPath(const QString& path);
    void setHint(const QString& placeholder, const QString& toolTip);
    void browse();  ///< asks with a dialog

signals:
    void changed();
    void entered();  ///< Return was pressed in the text

private:
    Kind m_kind;
    QString m_title, m_filter;
    QLineEdit* m_text;
};

}  // namespace ropescope
