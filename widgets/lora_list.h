// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <vector>

#include "core/data/model.h"

class QDoubleSpinBox;
class QHBoxLayout;
class QPushButton;

namespace ropescope {

/// LoRA files with their strengths, in the order in which they are added to the weights.
class LoraList : public QWidget {
    Q_OBJECT
public:
    explicit LoraList(QWidget* parent = nullptr);

    [[nodiscard]] std::vector<LoraRef> loras() const;
    void setLoras(const std::vector<LoraRef>& loras);
    void add(const QString& path, double strength = 1);

signals:
    void changed();

private:
    struct Row {
        QWidget* widget;
        LoraRef lora;  ///< as it was given until its control is changed
    };
    void browse();
    void remove(QWidget* widget);

    std::vector<Row> m_rows;
    QHBoxLayout* m_layout;
    QPushButton* m_add;
};

}  // namespace ropescope
