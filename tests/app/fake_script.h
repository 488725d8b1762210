// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFile>
#include <QStringList>
#include <QTemporaryDir>

namespace ropescope::test {

/// Tells the next fake engine what to do (fake_engine.cpp) and reads what it noted.
class FakeScript {
public:
    /// `lives`: JSON objects, one a start, separated by commas.
    void script(const QByteArray& lives) {
        m_diary = m_folder.filePath(QString("diary%1").arg(++m_count));
        qputenv("FAKE_ENGINE", "{\"diary\":\"" + m_diary.toUtf8() + "\",\"lives\":[" + lives + "]}");
    }
    /// One line for every start and request.
    [[nodiscard]] QStringList diary() const {
        QFile file(m_diary);
        return file.open(QFile::ReadOnly) ? QString::fromUtf8(file.readAll()).split('\n', Qt::SkipEmptyParts)
                                          : QStringList();
    }
    [[nodiscard]] const QTemporaryDir& folder() const { return m_folder; }

private:
    QTemporaryDir m_folder;
    QString m_diary;
    int m_count = 0;
};

}  // namespace ropescope::test
