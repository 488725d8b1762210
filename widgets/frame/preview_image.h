// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QWidget>

namespace ropescope {

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
