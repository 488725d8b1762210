// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <vector>

#include "widgets/frame/plot_style.h"
#include "widgets/state/open_models.h"
#include "widgets/state/selection.h"

namespace ropescope {

/// The legend of heads: line sample, name and state of every shown head, the same in every view. Click makes a head the
/// current one; a marked head is hatched and tells its problem on hover.
class HeadChips : public QWidget {
    Q_OBJECT
public:
    enum class Which { Shown, Pinned };
    HeadChips(OpenModels& models, Selection& selection, Which which, QWidget* parent = nullptr);

    [[nodiscard]] QString text(HeadRef head) const;  ///< "L4.H2", "L4.H2 identity", "L4.H2 marked"
    /// Draws into `place` and returns the height that was used.
    qreal draw(QPainter& painter, const QRectF& place, const Looks& looks) const;
    [[nodiscard]] bool hasHeightForWidth() const override { return true; }
    [[nodiscard]] int heightForWidth(int width) const override;
    [[nodiscard]] QSize sizeHint() const override;

signals:
    void hovered(const QString& text);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;

private:
    struct Chip {
        HeadRef head;  ///< model -1: stands for those that are not drawn
        QRectF place;
    };
    [[nodiscard]] QString othersText() const;  ///< "and 12 others"; empty where all are drawn
    [[nodiscard]] std::vector<HeadRef> heads() const;
    [[nodiscard]] std::vector<Chip> chipsIn(const QRectF& place, const QFont& font) const;
    [[nodiscard]] const Chip* at(const std::vector<Chip>& chips, QPointF position) const;

    OpenModels& m_models;
    Selection& m_selection;
    Which m_which;
};

}  // namespace ropescope
