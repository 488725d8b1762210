// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QWidget>

#include "core/data/array.h"

namespace ropescope {

/// A copy of a U8 [h,w,3] array; a null image when the array is empty or of another kind.
[[nodiscard]] QImage imageOf(const Array& pixels);
/// Enlarged to fit `side` without smoothing, by a whole factor where the picture is smaller.
[[nodiscard]] QImage enlarged(const QImage& image, int side);

/// Shows one picture as large as it fits, pixel by pixel.
class PreviewImage : public QWidget {
    Q_OBJECT
public:
    explicit PreviewImage(QWidget* parent = nullptr);

    void setImage(const QImage& image);
    [[nodiscard]] const QImage& image() const { return m_image; }
    void setCaption(const QString& caption);  ///< what is said while there is no picture
    [[nodiscard]] QSize sizeHint() const override { return {192, 192}; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    QImage m_image;
    QString m_caption;
};

}  // namespace ropescope
