// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "core/data/model_card.h"
#include "core/engine/measure/sweep.h"
#include "core/engine/measure/sweep_table.h"

// The two kinds of sweep(), and what they share. Requests are checked for what both need by then.

namespace ropescope {

/// The changes that a sweep makes one after the other, each with its head, or with all heads that share a map. Errors:
/// those of checkVariation() for one of them.
[[nodiscard]] Result<std::vector<HeadChange>> sweepHeads(const SweepRequest& request, const ModelCard& card);

/// The model with one more change.
[[nodiscard]] ModelRef withChange(ModelRef model, const HeadChange& change);

/// What decides the numbers of a sweep, without how they are computed: for SweepForm::settings.
[[nodiscard]] std::map<std::string, std::string> sweepSettings(const SweepRequest& request);

/// The error with the head that it is about; cancelling is about none.
[[nodiscard]] Error ofHead(Error error, const HeadChange& change);

/// Keeps what is done however the work ends. A failure to write shows before, when heads are kept as they come.
struct KeptAtEnd {
    SweepTable& table;
    ~KeptAtEnd() { (void)table.keep(true); }
};

/// "7 9".
template <class T>
[[nodiscard]] std::string spaced(const std::vector<T>& values) {
    std::string text;
    for (const T& value : values) text += (text.empty() ? "" : " ") + std::to_string(value);
    return text;
}

/// Tells the share done of so many pictures, and the time left after the pace since start().
class SweepProgress {
public:
    explicit SweepProgress(const JobContext& context) : m_context(context) {}
    void start(double pictures) { m_all = pictures, m_start = std::chrono::steady_clock::now(); }
    void done(double pictures) { m_done += pictures; }
    /// Beside those that are done, so many at work on `head`.
    void tell(const std::string& head, double pictures) const;

private:
    const JobContext& m_context;
    double m_all = 0, m_done = 0;
    std::chrono::steady_clock::time_point m_start;
};

/// A model that draws.
[[nodiscard]] Result<SweepReport> sweepDrawn(const SweepRequest& request, const ModelCard& card,
                                             const JobContext& context);
/// A ViT.
[[nodiscard]] Result<SweepReport> sweepClassified(const SweepRequest& request, const ModelCard& card,
                                                  const JobContext& context, const ReadTestSet& readTestSet);

}  // namespace ropescope
