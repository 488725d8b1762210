// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/state/runs.h"

#include <algorithm>

#include "widgets/state/image.h"

namespace ropescope {
namespace {

void put(std::vector<StepFields>& all, const StepFields& fields) {
    if (fields.heads.empty()) return;
    const auto place = std::lower_bound(all.begin(), all.end(), fields.step,
                                        [](const StepFields& a, int step) { return a.step < step; });
    if (place != all.end() && place->step == fields.step)
        *place = fields;
    else
        all.insert(place, fields);
}

}  // namespace

int Run::steps() const {
    const int seen = previews.empty() ? 0 : previews.rbegin()->first + 1;
    return std::max(seen, fields.empty() ? 0 : fields.back().step + 1);
}

const StepFields* Run::at(int step) const {
    const auto found = std::ranges::find(fields, step, &StepFields::step);
    return found == fields.end() ? nullptr : &*found;
}

const HeadField* Run::field(HeadId head, int step) const {
    const StepFields* all = at(step);
    if (all == nullptr) return nullptr;
    const auto found = std::ranges::find(all->heads, head, &HeadField::id);
    return found == all->heads.end() ? nullptr : &*found;
}

int Run::pictureStep(int step) const {
    if (previews.empty() || (!picture.isNull() && step >= steps() - 1)) return -1;
    const auto later = previews.upper_bound(step);
    return later == previews.begin() ? later->first : std::prev(later)->first;
}

QImage Run::pictureAt(int step) const {
    const int shown = pictureStep(step);
    return shown < 0 ? picture : previews.at(shown);
}

std::size_t Run::bytes() const {
    std::size_t sum = 0;
    for (const auto& [step, preview] : previews) sum += static_cast<std::size_t>(preview.sizeInBytes());
    for (const StepFields& step : fields)
        for (const HeadField& head : step.heads) sum += (head.sum.size() + head.mean.size()) * sizeof(float);
    return sum;
}

Run* Runs::own(int run) {
    const auto found = m_runs.find(run);
    return found == m_runs.end() ? nullptr : &found->second;
}

const Run* Runs::find(int run) const {
    const auto found = m_runs.find(run);
    return found == m_runs.end() ? nullptr : &found->second;
}

int Runs::add(Run run) {
    const int key = addBeside(std::move(run));
    m_latest = key;
    select(key);
    return key;
}

int Runs::addBeside(Run run) {
    run.key = m_nextKey++;
    const int key = run.key;
    m_runs[key] = std::move(run);
    keepWithinBudget();
    return key;
}

void Runs::restart(int run, int model) {
    Run* own = this->own(run);
    if (own == nullptr) return;
    own->state = Run::State::Running;
    own->model = model;
    m_latest = run;
    own->previews.clear(), own->decoded.clear(), own->fields.clear();
    if (run != m_current) return select(run);
    m_step = 0;
    emit changed(run);
}

/// A finished run is shown from its end.
void Runs::select(int run) {
    if (run == m_current) return;
    m_current = find(run) == nullptr ? -1 : run;
    m_step = current() == nullptr ? 0 : std::max(0, current()->steps() - 1);
    emit selected();
}

void Runs::closeModel(int model) {
    const bool shown = current() != nullptr && current()->model == model;
    for (auto& [key, run] : m_runs)
        if (run.model == model) run.model = -1, run.previews.clear(), run.fields.clear();
    if (shown) select(-1);
}

void Runs::openModel(int model, const std::function<bool(const Run&)>& isOf,
                     const std::function<Grid(const Run&)>& patchesOf) {
    for (auto& [key, run] : m_runs) {
        if (run.model >= 0 || !isOf(run)) continue;
        run.model = model;
        if (run.patches.tokens() == 0) run.patches = patchesOf(run);
        emit changed(key);
    }
}

void Runs::addSteps(int run, const std::vector<GenerateProgress>& steps) {
    Run* own = this->own(run);
    if (own == nullptr) return;
    const bool follows = m_step >= own->steps() - 1;
    for (const GenerateProgress& progress : steps) {
        if (progress.step > 0)
            if (const QImage preview = imageOf(progress.preview); !preview.isNull())
                own->previews[progress.step - 1] = preview;
        put(own->fields, progress.fields);
    }
    const int last = std::max(0, own->steps() - 1);
    const bool moves = run == m_current && follows && m_step != last;
    if (moves) m_step = last;
    emit changed(run);
    if (moves) emit stepChanged(m_step);
}

void Runs::finish(int run, Run::State state, const QImage& picture, const QString& command,
                  const std::vector<StepFields>& fields) {
    Run* own = this->own(run);
    if (own == nullptr) return;
    own->state = state;
    own->picture = picture;
    own->command = command;
    for (const StepFields& step : fields) put(own->fields, step);
    keepWithinBudget();
    emit changed(run);
}

void Runs::putDecoded(int run, int step, const QImage& picture, const QString& words) {
    Run* own = this->own(run);
    if (own == nullptr || !own->previews.contains(step)) return;
    own->previews[step] = picture;
    own->decoded[step] = words;
    emit changed(run);
}

void Runs::setStep(int step) {
    const Run* run = current();
    const int last = run == nullptr ? 0 : std::max(0, run->steps() - 1);
    step = std::clamp(step, 0, last);
    if (step == m_step) return;
    m_step = step;
    emit stepChanged(step);
}

const HeadField* Runs::field(HeadRef head) const {
    const Run* run = current();
    return run == nullptr || run->model < 0 || run->model != head.model ? nullptr : run->field(head.id, m_step);
}

/// The oldest go first; never the selected one or one that is being made.
void Runs::keepWithinBudget() {
    std::size_t sum = 0;
    for (const auto& [key, run] : m_runs) sum += run.bytes();
    for (auto& [key, run] : m_runs) {
        if (sum <= m_budget) return;
        if (key == m_current || run.state == Run::State::Running) continue;
        sum -= run.bytes();
        run.previews.clear(), run.decoded.clear(), run.fields.clear();
    }
}

}  // namespace ropescope
