// SPDX-License-Identifier: Apache-2.0
// Two runs in step, against runs that are stepped by hand.
#include "core/engine/measure/pair.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <stop_token>

#include "core/data/kernel_series.h"
#include "core/data/picture_settings.h"
#include "core/engine/run/run.h"
#include "core/engine/weights/heads.h"
#include "tests/core/engine/tiny_pipelines.h"

namespace ropescope {
namespace {

const std::vector<HeadId> kAllHeads = {{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}};

/// harope_dit_tiny against itself.
PairRequest twins(Sampler sampler = Sampler::Ddim) {
    PairRequest pair;
    GenerateRequest& r = pair.run;
    r.model.path = goldenPath("harope_dit_tiny.pt");
    r.model.convention = Convention::Same;
    r.compute.device = "cpu", r.compute.threads = 1;
    r.steps = 4, r.seed = 5, r.size = {8, 8}, r.sampler = sampler;
    r.record = RecordFields::All;
    pair.against = r.model;
    return pair;
}

PairRequest changed(HeadChange change) {
    PairRequest pair = twins();
    pair.against.changes = {std::move(change)};
    return pair;
}

HeadChange ofHead(ChangeKind kind, HeadId id, double amount = 1) {
    HeadChange change;
    change.kind = kind, change.layer = id.layer, change.head = id.head, change.amount = amount;
    return change;
}

PairReport drawnPair(const PairRequest& request, const JobContext& context = {}) {
    auto report = runPair(request, context);
    if (!report) throw std::runtime_error(report.error().message());
    return std::move(*report);
}

GenerateRequest otherOf(const PairRequest& pair) {
    GenerateRequest b = pair.run;
    b.model = pair.against;
    return b;
}

double apart(const at::Tensor& a, const at::Tensor& b) {
    return ((a - b).to(at::kDouble).square().sum() / a.to(at::kDouble).square().sum()).sqrt().item<double>();
}

TEST(Pair, AModelIsNeverApartFromItself) {
    for (const Sampler sampler : {Sampler::Ddim, Sampler::Ddpm, Sampler::Dpmpp2m}) {
        const PairRequest request = twins(sampler);
        const PairReport report = drawnPair(request);
        EXPECT_EQ(report.heads, kAllHeads);
        ASSERT_EQ(report.steps.size(), 4u);
        for (int i = 0; i < 4; ++i) {
            const PairStep& s = report.steps[i];
            EXPECT_EQ(s.step, i + 1);
            EXPECT_EQ(s.stepB, i + 1);
            EXPECT_EQ(s.logSnr, s.logSnrB);
            EXPECT_EQ(s.latents, 0);
            EXPECT_EQ(s.clean, 0);
            EXPECT_EQ(s.fields, std::vector<double>(6, 0));
            EXPECT_EQ(s.kernels, std::vector<double>(6, 0));
        }
        EXPECT_EQ(report.parting, 0);
        EXPECT_EQ(partingText(report), "never");
        EXPECT_TRUE(report.a.fields.empty()) << "nobody asked for them";
    }
}

/// What each of the two draws is what it draws alone: the same noise in every step, too.
TEST(Pair, BothAreWhatTheyAreAlone) {
    for (const Sampler sampler : {Sampler::Ddim, Sampler::Ddpm}) {
        PairRequest request = twins(sampler);
        request.against.convention = Convention::Inverse;
        request.run.batch = 2, request.run.labels = {1, 3};
        request.keepFields = true;
        const PairReport report = drawnPair(request);
        for (const auto& [one, alone] :
             {std::pair(&report.a, drawn(request.run)), {&report.b, drawn(otherOf(request))}}) {
            EXPECT_TRUE(at::equal(tensorOf(one->latents), tensorOf(alone.latents)));
            ASSERT_EQ(one->images.size(), 2u);
            EXPECT_EQ(one->images[1].pixels, alone.images[1].pixels);
            EXPECT_EQ(one->images[1].recipe, alone.images[1].recipe);
            EXPECT_EQ(one->device, alone.device);
            ASSERT_EQ(one->fields.size(), 4u);
            EXPECT_EQ(one->fields[2].heads[5].sum, alone.fields[2].heads[5].sum);
        }
        EXPECT_GT(report.steps.back().latents, 0);
    }
}

/// The distances of the clean estimates of two runs that are stepped in turn.
std::vector<double> cleanByHand(const PairRequest& request) {
    auto a = Run::start(request.run, {}), b = Run::start(otherOf(request), {});
    std::vector<double> clean;
    while (!a->done()) {
        const auto one = a->step(), two = b->step();
        clean.push_back(apart(one->clean, two->clean));
    }
    return clean;
}

/// The first step whose distance exceeds it, from 1; 0: none does.
int firstBeyond(const std::vector<double>& distances, double least) {
    const auto found = std::ranges::find_if(distances, [&](double d) { return d > least; });
    return found == distances.end() ? 0 : static_cast<int>(found - distances.begin()) + 1;
}

TEST(Pair, StepOfPartingIsThatOfTwoRunsByHand) {
    PairRequest request = changed(ofHead(ChangeKind::OutputOff, {1, 1}));
    const std::vector<double> clean = cleanByHand(request);
    ASSERT_GT(clean[0], 0);
    for (const double least : clean) {
        request.partAt = 0.999 * least;
        const PairReport report = drawnPair(request);
        EXPECT_EQ(report.parting, firstBeyond(clean, request.partAt));
        EXPECT_EQ(partingText(report), "step " + std::to_string(report.parting) + " of 4");
        for (int i = 0; i < 4; ++i) {
            EXPECT_NEAR(report.steps[i].clean, clean[i], 1e-6 * clean[i]);
            EXPECT_EQ(report.steps[i].kernels, std::vector<double>(6, 0)) << "an output is not a kernel's";
        }
        EXPECT_EQ(report.steps[0].fields, std::vector<double>(6, 0)) << "from the same noise, before that output";
        EXPECT_GT(report.steps[1].fields[0], 0);
    }
    request.partAt = 1.001 * *std::ranges::max_element(clean);
    EXPECT_EQ(drawnPair(request).parting, 0);
}

TEST(Pair, PartsWhenAChangeSetsIn) {
    HeadChange late = ofHead(ChangeKind::Dial, {0, 1});
    late.curve = {1, 0.25};  // no change in the first step
    PairRequest request = changed(late);
    const std::vector<double> clean = cleanByHand(request);
    ASSERT_LT(clean[0], clean[1] / 2);
    request.partAt = clean[1] / 2;
    EXPECT_EQ(drawnPair(request).parting, 2);
}

/// The distance of two kernels as the window draws them.
double kernelsApart(const ModelRef& a, const ModelRef& b, HeadId id, Grid grid) {
    const auto kernel = [&](const ModelRef& model) {
        const HeadsReport report = reportHeads({model, {id}}, {}).value();
        return at::tensor(evaluateKernel(report.heads[0].kernelWeights, grid));
    };
    return apart(kernel(a), kernel(b));
}

TEST(Pair, KernelsAreThoseOfTheHeads) {
    const PairRequest request = changed(ofHead(ChangeKind::Dial, {1, 2}, 0.25));
    const double wanted = kernelsApart(request.run.model, request.against, {1, 2}, {4, 4});
    ASSERT_GT(wanted, 0);
    for (const PairStep& s : drawnPair(request).steps) {
        EXPECT_NEAR(s.kernels[5], wanted, 1e-9 * wanted);
        for (int head = 0; head < 5; ++head) EXPECT_EQ(s.kernels[head], 0);
    }
}

TEST(Pair, KernelsFollowACurveOverTheRun) {
    HeadChange curve = ofHead(ChangeKind::Dial, {0, 1});
    curve.curve = {0.25, 1};
    const PairReport report = drawnPair(changed(curve));
    const auto at = [&](double tau) {
        const PairRequest still = changed(ofHead(ChangeKind::Dial, {0, 1}, tau));
        return kernelsApart(still.run.model, still.against, {0, 1}, {4, 4});
    };
    for (int i = 0; i < 3; ++i) EXPECT_NEAR(report.steps[i].kernels[1], at(0.25 + 0.25 * i), 1e-9) << i;
    EXPECT_NEAR(report.steps[3].kernels[1], 0, 1e-9) << "tau 1 is no change";
}

TEST(Pair, DifferentPlansAreAlignedBySignalToNoise) {
    PairRequest request = twins(Sampler::Auto);
    request.against = {};
    request.against.path = goldenPath("relatives/sit.safetensors");
    const PairReport report = drawnPair(request);
    const SamplingPlan ddim = planSampling(Sampler::Ddim, "ddpm", 4).value();
    for (int i = 0; i < 4; ++i) {
        const PairStep& s = report.steps[i];
        EXPECT_EQ(s.step, i + 1);
        EXPECT_EQ(s.logSnr, logSnr(ddim, i));
        double nearest = std::numeric_limits<double>::infinity();
        for (int k = 1; k < 4; ++k) nearest = std::min(nearest, std::abs(2 * std::log(k / (4.0 - k)) - s.logSnr));
        EXPECT_NEAR(std::abs(s.logSnrB - s.logSnr), nearest, 1e-9) << i;
        EXPECT_NEAR(s.logSnrB, 2 * std::log((s.stepB - 1) / (5.0 - s.stepB)), 1e-9);
        EXPECT_TRUE(std::isnan(s.fields[2])) << "the other has two heads a layer";
        EXPECT_FALSE(std::isnan(s.fields[1]));
        EXPECT_TRUE(std::isnan(s.kernels[1])) << "the other turns nothing";
    }
    EXPECT_TRUE(at::equal(tensorOf(report.b.latents), tensorOf(drawn(otherOf(request)).latents))) << "to its end";
}

TEST(Pair, TextModelsShareOnePainter) {
    PairRequest request;
    request.run = flux();
    request.run.model.path = goldenPath("flux_tiny_harope_same.safetensors");
    request.run.record = RecordFields::Listed, request.run.recordHeads = {{1, 1}};
    request.against = request.run.model;
    request.against.changes = {ofHead(ChangeKind::Identity, {1, 1})};
    const PairReport report = drawnPair(request);
    EXPECT_EQ(report.heads, (std::vector<HeadId>{{1, 1}}));
    EXPECT_GT(report.steps[0].fields[0], 0);
    EXPECT_TRUE(at::equal(tensorOf(report.a.latents), tensorOf(drawn(request.run).latents)));
    EXPECT_TRUE(at::equal(tensorOf(report.b.latents), tensorOf(drawn(otherOf(request)).latents)));
    EXPECT_GT(report.steps.back().latents, 0);
}

void expectRefused(const PairRequest& request, const std::string& reason) {
    const auto report = runPair(request, {});
    ASSERT_FALSE(report) << reason;
    const std::string message = report.error().message();
    EXPECT_NE(message.find(reason), std::string::npos) << message;
    EXPECT_NE(message.find(request.against.path.substr(request.against.path.rfind('/') + 1)), std::string::npos)
        << message;
    EXPECT_NE(message.find("harope_dit_tiny"), std::string::npos) << message;
}

TEST(Pair, ModelsThatDoNotFitAreRefusedInWords) {
    PairRequest request = twins();
    request.against = {};
    request.against.path = goldenPath("flux_tiny.safetensors");
    expectRefused(request, "found a prompt, expected a class");
    request.against.path = goldenPath("dit_diffusers_tiny");
    request.run.size = {};
    expectRefused(request, "found 4 channels of 8x8, expected 4 channels of 32x32");
    PairRequest turned = twins();
    turned.run.model = request.against;
    turned.run.labels = {6};
    const std::string message = runPair(turned, {}).error().message();
    EXPECT_NE(message.find("no such class (found 0 to 5, expected 6)"), std::string::npos) << message;
    EXPECT_NE(message.find("dit_diffusers_tiny"), std::string::npos) << message;
    EXPECT_NE(message.find("harope_dit_tiny"), std::string::npos) << message;
}

TEST(Pair, TellsItsStepsAndEndsWhenItIsTold) {
    std::stop_source source;
    JobContext context;
    context.stop = source.get_token();
    std::vector<int> told;
    context.onProgress = [&](const GenerateProgress& p) {
        told.push_back(p.step);
        EXPECT_EQ(p.steps, 4);
        if (p.step == 2) source.request_stop();
    };
    const auto report = runPair(twins(), context);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().kind, ErrorKind::Cancelled);
    EXPECT_EQ(told, (std::vector<int>{1, 2}));
}

TEST(Pair, TableHasARowPerStepAndAColumnPerHead) {
    const double none = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
    PairReport report;
    report.heads = {{0, 1}, {2, 0}};
    report.steps = {{1, 1, -infinite, -infinite, 0.25, 0, {0, none}, {0.5, none}},
                    {2, 3, -1.5, -1, 0.5, 0.125, {1, 2}, {0.5, 3}}};
    EXPECT_EQ(pairTable(report),
              "step,step_b,log_snr,log_snr_b,latents,clean,field.L0.H1,field.L2.H0,kernel.L0.H1,kernel.L2.H0\n"
              "1,1,-inf,-inf,0.25,0,0,,0.5,\n"
              "2,3,-1.5,-1,0.5,0.125,1,2,0.5,3\n");
}

TEST(Pair, TheRecipeMakesBothAgain) {
    PairRequest request = changed(ofHead(ChangeKind::OutputOff, {1, 1}));
    request.run.batch = 2, request.run.labels = {1, 3};
    request.partAt = 0;
    const PairReport report = drawnPair(request);
    const std::string recipe = pairRecipe(request, report);
    const auto json = nlohmann::json::parse(recipe);
    EXPECT_EQ(json["parting"], 1);
    EXPECT_EQ(json["part_at"], 0.0);
    for (const std::string& text : {recipe, json["against"].dump()}) {
        const auto read = settingsOfTexts("pair.png", {{"ropescope", text}});
        ASSERT_TRUE(read) << read.error().message();
        GenerateRequest settings = read->settings;
        settings.record = RecordFields::All;  // attention that is measured is summed in another order
        const GenerateResult again = drawn(settings);
        const GenerateResult& made = text == recipe ? report.a : report.b;
        EXPECT_EQ(read->settings.model.changes.size(), text == recipe ? 0u : 1u);
        EXPECT_TRUE(at::equal(tensorOf(again.latents), tensorOf(made.latents)));
        EXPECT_EQ(again.images[1].label, 3);
    }
    PairReport never = report;
    never.parting = 0;
    EXPECT_EQ(nlohmann::json::parse(pairRecipe(request, never))["parting"], "never");
}

}  // namespace
}  // namespace ropescope
