// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "widgets/state/open_models.h"

class QPushButton;

namespace ropescope {

class ElidedLabel;

/// Beside the run bar, in its height: that the heads of the current model are not as stored, and the way back. Hidden
/// where they are.
class ChangesLine : public QWidget {
    Q_OBJECT
public:
    explicit ChangesLine(OpenModels& models, QWidget* parent = nullptr);

    void setModel(int model);
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QString text() const;
    [[nodiscard]] QPushButton* asStoredButton() const { return m_asStored; }

signals:
    void asStoredRequested(int model);

private:
    void refresh();

    OpenModels& m_models;
    int m_model = -1;
    ElidedLabel* m_text;
    QPushButton* m_asStored;
};

}  // namespace ropescope
