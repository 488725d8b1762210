// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <vector>

#include "core/data/classification.h"

namespace ropescope {

/// The best classes, each a name, a bar from 0 to 1 and its probability.
class ClassBars : public QWidget {
    Q_OBJECT
public:
    explicit ClassBars(QWidget* parent = nullptr);

    void setScores(std::vector<ClassScore> scores);
    void setHint(const QString& text);  ///< what is said while there are none; empty: the usual
    [[nodiscard]] const std::vector<ClassScore>& scores() const { return m_scores; }
    [[nodiscard]] QSize sizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    std::vector<ClassScore> m_scores;
    QString m_hint;
};

}  // namespace ropescope
