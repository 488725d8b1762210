// SPDX-License-Identifier: Apache-2.0
#include "core/probe/sample_statistic.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace ropescope {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kDegrees = 180 / std::numbers::pi;

}  // namespace

void SampleStatistic::add(double value) {
    if (!std::isfinite(value)) return;
    ++m_count;
    if (m_kind == Kind::Direction) {
        const double doubled = 2 * value / kDegrees;
        m_mean += (std::cos(doubled) - m_mean) / m_count;
        m_sine += (std::sin(doubled) - m_sine) / m_count;
        return;
    }
    const double off = value - m_mean;
    m_mean += off / m_count;
    m_squares += off * (value - m_mean);
}

double SampleStatistic::mean() const {
    if (m_count == 0) return kNone;
    if (m_kind == Kind::Value) return m_mean;
    const double degrees = std::atan2(m_sine, m_mean) / 2 * kDegrees;
    return degrees <= -90 ? degrees + 180 : degrees;
}

double SampleStatistic::error() const {
    if (m_count < 2) return kNone;
    if (m_kind == Kind::Value) return std::sqrt(m_squares / (m_count - 1) / m_count);
    const double length = std::min(1.0, std::hypot(m_mean, m_sine));
    return std::sqrt(-2 * std::log(length)) / 2 * kDegrees / std::sqrt(static_cast<double>(m_count));
}

}  // namespace ropescope
