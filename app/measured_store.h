// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <optional>
#include <utility>

#include "core/data/analysis.h"
#include "core/data/model.h"

namespace ropescope {

/// Keeps what images said about a model from one start to the next: one file a measurement in one folder, the newest
/// kMost of them. A measurement belongs to the model's files as they are (path, size, moment of change) and to all that
/// decides how they are read. Checked by tests/app/measured_store_test.cpp.
class MeasuredStore {
public:
    static constexpr int kMost = 50;
    static constexpr qint64 kMostBytes = 64 << 20;  ///< of one file

    /// `folder` empty: nothing is kept or found.
    explicit MeasuredStore(QString folder) : m_folder(std::move(folder)) {}

    /// Replaces an older measurement of the same model. Returns why it could not be kept, empty when it was.
    QString keep(const ModelRef& model, const CalibrationReport& report) const;
    /// Nothing where there is none. A broken file counts as none; `note` then says so.
    [[nodiscard]] std::optional<CalibrationReport> find(const ModelRef& model, QString* note = nullptr) const;

    /// The file of that model; empty when the model is not there.
    [[nodiscard]] QString fileOf(const ModelRef& model) const;

private:
    void prune() const;

    QString m_folder;
};

/// <state folder>/ropescope/measured, beside the kept pictures.
[[nodiscard]] QString keptMeasurementsFolder();

}  // namespace ropescope
