// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "widgets/frame/curve_view.h"

class QCheckBox;
class QComboBox;

namespace ropescope {

/// Singular values of the shown heads over their index: identity line at 1, degenerate groups as grey bands, the
/// distribution over all heads as a faint band behind. Stored order or gauge-fixed, linear or log.
class SpectrumView : public CurveView {
    Q_OBJECT
public:
    enum class Values { GaugeFixed, Stored };
    SpectrumView(OpenModels& models, Selection& selection, QWidget* parent = nullptr);

    void setValues(Values values);
    void setLog(bool on);

    [[nodiscard]] std::vector<double> drawnValues(HeadRef head) const;  ///< y of the curve, empty when not drawn
    [[nodiscard]] std::vector<double> bandLow() const;                  ///< smallest value over all heads, by index
    [[nodiscard]] std::vector<double> bandHigh() const;
    [[nodiscard]] int drawnGroups() const;  ///< number of grey bands

protected:
    void restyle() override;
    void refresh() override;
    void writeNumbers(NumberTable& table) const override;
    [[nodiscard]] QString readOut(QPoint position) const override;

private:
    void addBand();
    void fillBetween(const std::vector<double>& low, const std::vector<double>& high);
    void addHead(HeadRef head);
    void showKey();
    [[nodiscard]] const std::vector<double>& chosen(const HeadReport& report) const;

    QComboBox* m_values;
    QCheckBox* m_log;
    std::map<HeadRef, std::vector<double>> m_drawn;
    std::vector<double> m_low, m_high;
    int m_groups = 0;
};

}  // namespace ropescope
