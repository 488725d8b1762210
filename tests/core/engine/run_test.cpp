// SPDX-License-Identifier: Apache-2.0
// Runs side by side: each is what it is alone.
#include "core/engine/run/run.h"

#include <stop_token>

#include "core/engine/network/loaded_model.h"
#include "core/engine/run/run_memory.h"
#include "tests/core/engine/tiny_pipelines.h"

namespace ropescope {
namespace {

GenerateRequest dit(Convention convention, Sampler sampler = Sampler::Ddim) {
    GenerateRequest r;
    r.model.path = goldenPath("harope_dit_tiny.pt");
    r.model.convention = convention;
    r.compute.device = "cpu", r.compute.threads = 1;
    r.steps = 4, r.seed = 5, r.sampler = sampler;
    r.record = RecordFields::Listed, r.recordHeads = {{1, 1}};
    return r;
}

GenerateRequest fluxOf(const std::string& file) {
    GenerateRequest r = flux();
    r.model.path = goldenPath(file);
    r.record = RecordFields::Listed, r.recordHeads = {{1, 1}};
    return r;
}

Run started(const GenerateRequest& request, const JobContext& context = {}) {
    auto run = Run::start(request, context);
    if (!run) throw std::runtime_error(run.error().message());
    return std::move(*run);
}

RunStep stepped(Run& run) {
    auto step = run.step();
    if (!step) throw std::runtime_error(step.error().message());
    return std::move(*step);
}

/// Steps both in turn; each gives what generate() gives of it alone.
void expectIndependent(const GenerateRequest& first, const GenerateRequest& second) {
    auto a = started(first), b = started(second);
    std::vector<StepFields> fieldsOfA;
    while (!a.done() || !b.done()) {
        if (!a.done()) fieldsOfA.push_back(stepped(a).fields);
        if (!b.done()) (void)stepped(b);
    }
    EXPECT_EQ(a.stepsDone(), first.steps);
    for (auto* one : {&a, &b}) {
        const auto alone = generate(one == &a ? first : second, {});
        ASSERT_TRUE(alone) << alone.error().message();
        EXPECT_TRUE(at::equal(one->latents(), tensorOf(alone->latents)));
        const auto pictures = one->pictures();
        ASSERT_TRUE(pictures) << pictures.error().message();
        ASSERT_EQ(pictures->size(), alone->images.size());
        EXPECT_EQ(pictures->front().pixels, alone->images.front().pixels);
        EXPECT_EQ(pictures->front().recipe, alone->images.front().recipe);
        EXPECT_EQ(one->note(), alone->note);
        EXPECT_EQ(one->device(), alone->device);
        if (one == &b) continue;
        ASSERT_EQ(fieldsOfA.size(), alone->fields.size());
        for (std::size_t i = 0; i < fieldsOfA.size(); ++i) {
            EXPECT_EQ(fieldsOfA[i].time, alone->fields[i].time);
            ASSERT_EQ(fieldsOfA[i].heads.size(), 1u);
            EXPECT_EQ(fieldsOfA[i].heads[0].sum, alone->fields[i].heads[0].sum);
        }
    }
    EXPECT_FALSE(at::equal(a.latents(), b.latents()));
}

TEST(Run, TwoModelsInTurnAreWhatTheyAreAlone) {
    expectIndependent(dit(Convention::Same), dit(Convention::Inverse));
    expectIndependent(fluxOf("flux_tiny_harope_same.safetensors"), fluxOf("flux_tiny_harope_inverse.safetensors"));
    GenerateRequest euler = sd3();
    euler.record = RecordFields::Listed, euler.recordHeads = {{1, 1}};
    GenerateRequest heun = euler;
    heun.sampler = Sampler::Heun;
    expectIndependent(euler, heun);
}

TEST(Run, EachHasItsOwnNoiseInEveryStep) {
    GenerateRequest other = dit(Convention::Same, Sampler::Ddpm);
    other.seed = 6;
    expectIndependent(dit(Convention::Same, Sampler::Ddpm), other);
}

TEST(Run, AStepSaysWhatItSaw) {
    auto run = started(dit(Convention::Inverse));
    EXPECT_EQ(run.steps(), 4);
    EXPECT_FALSE(run.done());
    EXPECT_EQ(run.grid(), run.card().grid);
    EXPECT_EQ(run.grid().rows * run.card().patch, run.latents().size(2));
    const at::Tensor before = run.latents();
    const RunStep step = stepped(run);
    EXPECT_EQ(step.step, 0);
    EXPECT_TRUE(at::equal(step.latents, run.latents()));
    EXPECT_FALSE(at::equal(step.latents, before));
    EXPECT_EQ(step.clean.sizes(), before.sizes());
    EXPECT_EQ(step.fields.step, 0);
    EXPECT_EQ(step.fields.steps, 4);
    EXPECT_EQ(step.fields.time, run.plan().times[0]);
}

TEST(Run, ARunBesideLeavesTheKeptOneAlone) {
    const GenerateRequest kept = dit(Convention::Same);
    ASSERT_TRUE(generate(kept, {}));
    ASSERT_TRUE(keptStep(kept, 3).defined());
    auto beside = started(dit(Convention::Inverse));
    while (!beside.done()) (void)stepped(beside);
    EXPECT_TRUE(keptStep(kept, 3).defined());
    EXPECT_TRUE(keptClean(kept, 3).defined());
}

TEST(Run, EndsInTheMiddleOfANetworkWhereItWas) {
    std::stop_source source;
    JobContext context;
    context.stop = source.get_token();
    auto run = started(fluxOf("flux_tiny.safetensors"), context);
    (void)stepped(run);
    const at::Tensor before = run.latents();
    int last = -1;
    const auto ended = run.step([&](int layer) {
        last = layer;
        if (layer == 1) source.request_stop();
    });
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().kind, ErrorKind::Cancelled);
    EXPECT_EQ(last, 1) << "no layer is begun after the request to stop";
    EXPECT_EQ(run.stepsDone(), 1);
    EXPECT_TRUE(at::equal(run.latents(), before));
    EXPECT_EQ(run.pictures().error().kind, ErrorKind::Cancelled);
}

TEST(Run, EndsBeforeItsFirstStep) {
    std::stop_source source;
    source.request_stop();
    JobContext context;
    context.stop = source.get_token();
    auto run = started(dit(Convention::Same), context);
    EXPECT_EQ(run.step().error().kind, ErrorKind::Cancelled);
    EXPECT_EQ(run.stepsDone(), 0);
}

TEST(Run, TwoModelsAreReadOnce) {
    const auto load = [](Convention convention) {
        return loadModel(dit(convention).model, at::kCPU, Precision::Fp32).value();
    };
    const auto first = load(Convention::Same), second = load(Convention::Inverse);
    EXPECT_NE(first, second);
    EXPECT_EQ(load(Convention::Same), first);
    EXPECT_EQ(load(Convention::Inverse), second);
    forgetModel();
    EXPECT_NE(load(Convention::Same), first);
}

TEST(Run, LivesOnWhenItsModelIsForgotten) {
    GenerateRequest request = fluxOf("flux_tiny.safetensors");
    auto run = started(request);
    (void)stepped(run);
    ASSERT_TRUE(generate(dit(Convention::Same), {}));  // drops the painter
    while (!run.done()) (void)stepped(run);
    EXPECT_TRUE(at::equal(run.latents(), tensorOf(drawn(request).latents)));
}

}  // namespace
}  // namespace ropescope
