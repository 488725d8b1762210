// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <vector>

#include "core/data/lora_match.h"

class QDoubleSpinBox;
class QHBoxLayout;
class QLabel;
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
    /// How well each fits the model at hand, beside its name; of files that are no longer listed nothing is shown.
    void showMatches(const LorasReport& report);
    [[nodiscard]] QString matchText(int row) const;

signals:
    void changed();
    void filesChanged();  ///< other files, not only strengths

private:
    struct Row {
        QWidget* widget;
        QLabel* match;
        LoraRef lora;  ///< as it was given until its control is changed
    };
    void browse();
    void remove(QWidget* widget);

    std::vector<Row> m_rows;
    QHBoxLayout* m_layout;
    QPushButton* m_add;
};

}  // namespace ropescope
