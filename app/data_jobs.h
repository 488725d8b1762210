// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>

#include "app/engine_client.h"
#include "widgets/state/open_models.h"
#include "widgets/state/selection.h"

namespace ropescope {

class CompareView;
class GenerateView;
class MeasureBar;

/// Runs what needs more than one head's weights: measurements on images and comparisons of heads. One of each at a
/// time; a newer comparison replaces the older one.
class DataJobs : public QObject {
    Q_OBJECT
public:
    /// Models that take text are measured with the prompt of `generate`.
    DataJobs(EngineClient& engine, OpenModels& models, Selection& selection, const GenerateView& generate,
             MeasureBar& bar, CompareView& compare, QObject* parent = nullptr);

    void setDevice(const QString& device) { m_device = device; }  ///< Compute::device
    void offerMeasurement(int model);                             ///< opens the bar for that model
    void measure(CalibrateRequest settings);
    void cancelMeasurement();
    [[nodiscard]] bool isMeasuring() const { return m_measureJob != 0; }
    void compare(CompareRequest request);

signals:
    void measured(int model);  ///< its numbers have arrived

private:
    void takePrompt(int model, CalibrateRequest& settings) const;
    void finishMeasurement(const CalibrateRequest& request, const Result<Reply>& reply);

    EngineClient& m_engine;
    OpenModels& m_models;
    Selection& m_selection;
    const GenerateView& m_generate;
    MeasureBar& m_bar;
    CompareView& m_compare;
    QString m_device = "auto";
    int m_model = -1;  ///< what is measured, or offered to be
    quint64 m_measureJob = 0;
    quint64 m_compareJob = 0;
};

}  // namespace ropescope
