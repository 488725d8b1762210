// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QListWidget>
#include <vector>

#include "core/data/generation.h"

namespace ropescope {

/// Results of this session, newest first. Every picture keeps the request that makes it again.
class Gallery : public QListWidget {
    Q_OBJECT
public:
    explicit Gallery(QWidget* parent = nullptr);

    /// One entry per image; image i of a batch is kept as a request of its own with its own seed.
    void addResult(const GenerateRequest& request, const GenerateResult& result);
    [[nodiscard]] const GeneratedImage& image(int row) const { return entry(row).image; }
    [[nodiscard]] const GenerateRequest& request(int row) const { return entry(row).request; }

signals:
    void shown(int row);
    void restoreRequested(int row);
    void saveRequested(int row);

protected:
    void paintEvent(QPaintEvent* event) override;
    /// A picture dragged out carries its pixels and, as text, its recipe.
    QMimeData* mimeData(const QList<QListWidgetItem*>& items) const override;

private:
    struct Entry {
        GenerateRequest request;
        GeneratedImage image;
    };
    [[nodiscard]] const Entry& entry(int row) const { return m_entries[m_entries.size() - 1 - row]; }
    void openMenu(QPoint position);

    std::vector<Entry> m_entries;  ///< oldest first
};

}  // namespace ropescope
