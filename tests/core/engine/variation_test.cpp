// SPDX-License-Identifier: Apache-2.0
// Variations through the commands: against files whose own parameters were changed, and without reading anything.
#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/data/safetensors.h"
#include "core/engine/measure/forward.h"
#include "core/engine/network/loaded_model.h"
#include "core/engine/run/generate.h"
#include "core/engine/weights/head_store.h"
#include "core/engine/weights/heads.h"
#include "core/model/weight_store.h"
#include "tests/core/engine/weight_files.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

HeadChange change(ChangeKind kind, int layer, int head, double amount = 1) {
    HeadChange made;
    made.kind = kind, made.layer = layer, made.head = head, made.amount = amount;
    return made;
}

class VariationFiles : public InFolder {
protected:
    /// The golden with one layer's tensors edited in place, float64.
    std::string edited(const std::string& name, const std::function<void(const std::string&, at::Tensor&)>& edit) {
        const std::string from = goldenPath(name + ".safetensors"), to = path(name + ".safetensors");
        const TensorTable plain = TensorTable::openPlain(from).value();  // under the file's own names
        auto contents = readSafetensorsFile(from);
        if (!contents) throw std::runtime_error(contents.error().message());
        for (auto& [tensor, array] : contents->arrays) {
            const std::vector<double> own = plain.readDouble(tensor).value();
            at::Tensor values = at::from_blob(const_cast<double*>(own.data()), array.shape, at::kDouble).clone();
            edit(tensor, values);
            values = values.contiguous();
            array = makeArray(std::span(values.const_data_ptr<double>(), values.numel()), values.sizes().vec());
        }
        if (auto done = writeSafetensors(to, contents->arrays, contents->metadata); !done)
            throw std::runtime_error(done.error().message());
        const std::string config = goldenPath(name + ".config.json");
        if (std::filesystem::exists(config)) std::filesystem::copy_file(config, path(name + ".config.json"));
        return to;
    }

    at::Tensor output(const std::string& file, const std::string& name, const std::vector<HeadChange>& changes = {}) {
        ForwardCommand c;
        c.model.path = file, c.model.changes = changes;
        c.compute.device = "cpu", c.compute.threads = 1;
        c.in = goldenPath(name + ".expected.safetensors"), c.out = path("out.safetensors");
        if (auto done = forwardToFile(c); !done) throw std::runtime_error(done.error().message());
        return goldenTensor(c.out, "out");
    }
};

/// Parameters of HARoPE whose map is the dialled one, for one head: tau times the generators, sigma of s^tau.
void dialParameters(const std::string& name, at::Tensor& t, const std::string& layer, int head, double tau) {
    if (!name.starts_with(layer)) return;
    if (name.ends_with("A_u") || name.ends_with("A_v")) t[head].mul_(tau);
    if (name.ends_with("sigma")) {
        const at::Tensor s = at::softplus(t[head]) + 1e-6;
        t[head].copy_((s.pow(tau) - 1e-6).expm1().log());
    }
}

TEST_F(VariationFiles, ADialIsTheModelWhoseParametersAreDialled) {
    const std::tuple<const char*, const char*, int> cases[] = {
        {"flux_tiny_harope_same", "transformer_blocks.0.attn.learnable_rot", 0},
        {"flux_tiny_harope_inverse", "single_transformer_blocks.1.attn.learnable_rot", 2},
        {"sd35_tiny_harope_inverse", "transformer_blocks.1.attn.learnable_rot", 1},
        {"vit_harope_svd_inverse_all", "blocks.1.attn.learnable_rot", 1},
        {"vit_harope_svd_same_patches", "blocks.1.attn.learnable_rot", 1}};
    for (const auto& [name, layer, number] : cases) {
        SCOPED_TRACE(name);
        int edits = 0;
        const std::string file = edited(name, [&](const std::string& tensor, at::Tensor& values) {
            dialParameters(tensor, values, layer, 0, 0.3);
            edits += tensor.starts_with(layer) ? 1 : 0;
        });
        EXPECT_EQ(edits, 3);
        const std::string stored = goldenPath(std::string(name) + ".safetensors");
        const at::Tensor plain = output(stored, name), dialled = output(file, name),
                         varied = output(stored, name, {change(ChangeKind::Dial, number, 0, 0.3)});
        // The maps agree to float64; what is left is float32 in the networks.
        expectClose(varied, dialled, 2e-6);
        EXPECT_GT((varied - plain).abs().max().item<double>(), 1e-4);
        EXPECT_TRUE(at::equal(output(stored, name, {change(ChangeKind::Dial, number, 0, 1)}), plain));
    }
}

TEST_F(VariationFiles, FrequenciesOfARopeVitAreThoseOfItsFile) {
    const char* name = "vit_tiny_patch16_rope_mixed_224";
    const std::string stored = goldenPath(std::string(name) + ".safetensors");
    int edits = 0;
    const std::string file = edited(name, [&](const std::string& tensor, at::Tensor& values) {
        if (tensor != "rope.freqs") return;  // [axis, layer, head, plane]
        values.select(1, 1).select(1, 2).mul_(0.5);
        ++edits;
    });
    EXPECT_GE(edits, 1);
    const at::Tensor plain = output(stored, name), wanted = output(file, name),
                     varied = output(stored, name, {change(ChangeKind::Frequencies, 1, 2, 0.5)});
    expectClose(varied, wanted, 2e-6);
    EXPECT_GT((varied - plain).abs().max().item<double>(), 1e-5);
}

GenerateRequest dit(std::vector<HeadChange> changes) {
    GenerateRequest r;
    r.model.path = goldenPath("harope_dit_tiny.pt");
    r.model.convention = Convention::Same;
    r.model.changes = std::move(changes);
    r.compute.device = "cpu", r.compute.threads = 1;
    r.steps = 4, r.seed = 5;
    return r;
}

at::Tensor latentsOf(const GenerateRequest& request) {
    const auto result = generate(request, {});
    if (!result) throw std::runtime_error(result.error().message());
    const Array& l = result->latents;
    return at::from_blob(const_cast<float*>(l.as<float>().data()), l.shape, at::kFloat).clone();
}

TEST(VariationRun, TauOneIsTheStoredModelToTheBitAndOthersDiffer) {
    const at::Tensor stored = latentsOf(dit({}));
    EXPECT_TRUE(at::equal(latentsOf(dit({change(ChangeKind::Dial, -1, -1, 1)})), stored));
    const at::Tensor off = latentsOf(dit({change(ChangeKind::OutputOff, 1, 0)}));
    EXPECT_FALSE(at::equal(off, stored));
    EXPECT_TRUE(at::equal(latentsOf(dit({})), stored));
}

TEST(VariationRun, ACurveThatStaysIsTheConstantAndOneThatMovesIsNot) {
    HeadChange still = change(ChangeKind::Dial, -1, -1), moving = still;
    still.curve = {0.5, 0.5, 0.5}, moving.curve = {1, 0};
    const at::Tensor constant = latentsOf(dit({change(ChangeKind::Dial, -1, -1, 0.5)}));
    EXPECT_TRUE(at::equal(latentsOf(dit({still})), constant));
    const at::Tensor moved = latentsOf(dit({moving}));
    EXPECT_FALSE(at::equal(moved, constant));
    EXPECT_FALSE(at::equal(moved, latentsOf(dit({}))));
}

/// Bytes that this process has read so far, from whatever file.
long long bytesRead() {
    std::ifstream io("/proc/self/io");
    std::string key;
    long long value = 0;
    while (io >> key >> value)
        if (key == "rchar:") return value;
    return -1;
}

TEST(VariationRun, AnotherSettingOfADialReadsNoFile) {
    const long long own = -(bytesRead() - bytesRead());  // of looking
    (void)latentsOf(dit({change(ChangeKind::Dial, 0, 0, 0.9)}));
    HeadsRequest heads;
    heads.model = dit({change(ChangeKind::Dial, 0, 0, 0.9)}).model;
    heads.heads = {{0, 0}, {1, 1}};
    ASSERT_TRUE(reportHeads(heads, {}));
    const long long before = bytesRead();
    if (before < 0) GTEST_SKIP() << "this system does not count";
    (void)latentsOf(dit({change(ChangeKind::Dial, 0, 0, 0.2)}));
    heads.model = dit({change(ChangeKind::Dial, 0, 0, 0.2)}).model;
    ASSERT_TRUE(reportHeads(heads, {}));
    // The system's own small files (free memory, the counter) may be asked.
    EXPECT_LE(bytesRead() - before - own, 8192);
    // The count does see a model: opening one anew reads all of it.
    forgetModel();
    const long long anew = bytesRead();
    (void)latentsOf(dit({}));
    EXPECT_GT(bytesRead() - anew, static_cast<long long>(std::filesystem::file_size(dit({}).model.path)) / 4);
}

TEST(VariationRun, AnotherStrengthOfALoraReadsNothing) {
    const TensorTable table = TensorTable::open(goldenPath("flux_tiny.safetensors")).value();
    const auto storeOf = [&](double strength) {
        auto set = readLoras(table, {{goldenPath("lora_tiny_diffusers.safetensors"), strength}});
        if (!set) throw std::runtime_error(set.error().message());
        EXPECT_TRUE(set->dials());
        return WeightStore(table, at::kFloat, at::kCPU, std::uint64_t{1} << 30, std::move(*set));
    };
    const std::string prefix = "double_blocks.0.";
    WeightStore store = storeOf(1), other = storeOf(0.3);
    const WeightTable before = store.block(prefix), wanted = other.block(prefix);
    const long long start = bytesRead();
    store.setStrengths({0.3});
    const WeightTable after = store.block(prefix);
    EXPECT_LE(bytesRead() - start, 512);  // of counting
    int moved = 0;
    for (const auto& [name, tensor] : after) {
        EXPECT_TRUE(at::equal(tensor, wanted.at(name))) << name;
        moved += at::equal(tensor, before.at(name)) ? 0 : 1;
    }
    EXPECT_GT(moved, 0);
}

TEST(VariationHeads, ReportsAreThoseOfTheChangedMap) {
    HeadsRequest request;
    request.model = dit({change(ChangeKind::Dial, 1, 0, 0)}).model;
    request.heads = {{1, 0}, {1, 1}};
    const auto changed = reportHeads(request, {});
    ASSERT_TRUE(changed) << changed.error().message();
    request.model.changes.clear();
    const auto stored = reportHeads(request, {});
    ASSERT_TRUE(stored);
    for (const double s : changed->heads[0].spectrum.stored) EXPECT_NEAR(s, 1, 1e-12);
    EXPECT_NE(stored->heads[0].spectrum.stored, changed->heads[0].spectrum.stored);
    EXPECT_EQ(stored->heads[1].spectrum.stored, changed->heads[1].spectrum.stored);
    EXPECT_EQ(stored->heads[1].kernelWeights.a, changed->heads[1].kernelWeights.a);
    EXPECT_NE(stored->heads[0].kernelWeights.a, changed->heads[0].kernelWeights.a);
}

TEST(VariationHeads, TransplantsComeFromOtherFilesAndAreRefusedInWords) {
    HeadChange taken = change(ChangeKind::Transplant, 0, 0);
    taken.donor = goldenPath("harope_dit_tiny.pt"), taken.from = {1, 1};
    HeadsRequest request;
    request.model = dit({taken}).model;
    request.heads = {{0, 0}, {1, 1}};
    const auto report = reportHeads(request, {});
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->heads[0].spectrum.stored, report->heads[1].spectrum.stored);
    const std::pair<const char*, const char*> donors[] = {{"vit_tiny_patch16_rope_224.safetensors", "the donor has no maps"},
                                                          {"vit_harope_svd_inverse_all.safetensors", "the donor's"},
                                                          {"no_such_file.safetensors", "no_such_file"}};
    for (const auto& [file, message] : donors) {
        request.model.changes[0].donor = goldenPath(file);
        const auto refused = reportHeads(request, {});
        ASSERT_FALSE(refused) << file;
        EXPECT_NE(refused.error().message().find(message), std::string::npos) << refused.error().message();
    }
    request.model.changes[0].donor = goldenPath("harope_dit_tiny.pt");
    request.model.changes[0].from = {9, 0};
    const auto refused = reportHeads(request, {});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("no such head"), std::string::npos);
}

}  // namespace
}  // namespace ropescope
