// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace ropescope {

/// Mean of a sample and its standard error (sample standard deviation over the square root of the count). Values that
/// are not finite are left out. Directions of an axis in degrees (period 180) are averaged as doubled angles on the
/// circle, their deviation is sqrt(-2 ln R) / 2 with R the length of the mean. Checked by
/// tests/core/probe/calibration_test.cpp.
class SampleStatistic {
public:
    enum class Kind { Value, Direction };
    explicit SampleStatistic(Kind kind = Kind::Value) : m_kind(kind) {}

    void add(double value);
    [[nodiscard]] int count() const { return m_count; }
    [[nodiscard]] double mean() const;   ///< NaN without values; directions in (-90, 90]
    [[nodiscard]] double error() const;  ///< NaN below two values

private:
    Kind m_kind;
    int m_count = 0;
    double m_mean = 0, m_squares = 0;  ///< of the value, or of the cosine
    double m_sine = 0;                 ///< mean sine
};

}  // namespace ropescope
