// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/data/generation.h"

namespace ropescope {

/// Two models, or one in two variations, that draw from the same noise with the same settings, step by step. The heads
/// that the run records are compared.
struct PairRequest {
    GenerateRequest run;      ///< with A, the model that the others' distances are relative to
    ModelRef against;         ///< B; takes the place of the run's model
    double partAt = 0.05;     ///< relative difference of the clean estimates beyond which the two have parted
    bool keepFields = false;  ///< in the results, not their distances alone
};

/// How far B is from A in a step of A. Every distance is ||a - b|| / ||a||, over the whole batch; NaN where a head of
/// either has no such thing, or on another grid.
struct PairStep {
    int step = 0, stepB = 0;         ///< counted from 1; stepB: the step of B whose log_snr is nearest
    double logSnr = 0, logSnrB = 0;  ///< ln (signal^2 / noise^2) before the step
    double latents = 0;              ///< after it
    double clean = 0;                ///< of the estimates of the clean latents
    std::vector<double> fields;      ///< per head, of the measured fields (mean attention per pair of an offset)
    std::vector<double> kernels;     ///< per head, of the kernels of the weights' content on the run's grid
};

struct PairReport {
    GenerateResult a, b;
    std::string nameA, nameB;
    std::vector<HeadId> heads;
    std::vector<PairStep> steps;
    int parting = 0;  ///< the first step whose `clean` exceeds partAt, from 1; 0: never
    double seconds = 0;
};

/// Comma-separated, a row per step: step, step_b, log_snr, log_snr_b, latents, clean, field.L0.H0 ..., kernel.L0.H0
/// ...; what is NaN is empty.
[[nodiscard]] std::string pairTable(const PairReport& report);
/// "step 7 of 20", "never".
[[nodiscard]] std::string partingText(const PairReport& report);
/// A's recipe, of the whole batch, with B's under "against", and "part_at" and "parting" (a step, or "never").
[[nodiscard]] std::string pairRecipe(const PairRequest& request, const PairReport& report);

template <class V>
void fields(V& v, PairRequest& r) {
    v("run", r.run), v("against", r.against), v("part_at", r.partAt), v("keep_fields", r.keepFields);
}
template <class V>
void fields(V& v, PairStep& s) {
    v("step", s.step), v("step_b", s.stepB), v("log_snr", s.logSnr), v("log_snr_b", s.logSnrB), v("latents", s.latents),
        v("clean", s.clean), v("fields", s.fields), v("kernels", s.kernels);
}
template <class V>
void fields(V& v, PairReport& r) {
    v("a", r.a), v("b", r.b), v("name_a", r.nameA), v("name_b", r.nameB), v("heads", r.heads), v("steps", r.steps),
        v("parting", r.parting), v("seconds", r.seconds);
}

}  // namespace ropescope
