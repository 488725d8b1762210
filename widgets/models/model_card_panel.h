// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "widgets/state/open_models.h"

class QTextBrowser;
class QToolButton;

namespace ropescope {

class CardTitle;

/// All that is known of one model, below the tree: name and lamp as a title that folds the rest, then sections to read,
/// select and copy.
class ModelCardPanel : public QWidget {
    Q_OBJECT
public:
    explicit ModelCardPanel(OpenModels& models, QWidget* parent = nullptr);

    void setModel(int model);  ///< one that is not open: nothing is shown
    [[nodiscard]] int model() const { return m_model; }
    void setFolded(bool folded);
    [[nodiscard]] bool isFolded() const;
    [[nodiscard]] QString text() const;  ///< as it is copied
    [[nodiscard]] QTextBrowser& body() const { return *m_body; }

signals:
    void problemActivated(int model);
    void folded(bool folded);

protected:
    void changeEvent(QEvent* event) override;

private:
    void refresh();

    OpenModels& m_models;
    int m_model = -1;
    QToolButton* m_copy;
    CardTitle* m_title;
    QTextBrowser* m_body;
};

}  // namespace ropescope
