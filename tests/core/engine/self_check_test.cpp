// SPDX-License-Identifier: Apache-2.0
#include "core/engine/check/self_check.h"

#include <limits>

#include "tests/core/engine/weight_files.h"

namespace ropescope {
namespace {

class SelfCheck : public InFolder {
protected:
    static SelfCheckReport check(const ModelRef& ref) {
        const Result<SelfCheckReport> report = selfCheck({ref}, {});
        if (!report) throw std::runtime_error(report.error().message());
        return *report;
    }
    static const SelfCheckRow& row(const SelfCheckReport& report, const std::string& key) {
        for (const SelfCheckRow& r : report.rows)
            if (r.key == key) return r;
        throw std::runtime_error("no row " + key);
    }
};

ModelRef shipped(const std::string& name) {
    ModelRef ref;
    ref.path = std::string(ROPESCOPE_SOURCE_DIR) + "/resources/models/" + name + "/model.safetensors";
    return ref;
}

ModelRef fixture(Convention convention) {
    ModelRef ref;
    ref.path = kFixture;
    ref.convention = convention;
    ref.grid = {4, 4};
    return ref;
}

TEST_F(SelfCheck, ShippedModelsAreGreenWithTheRecordInTheFile) {
    for (const char* name : {"fashion-rope", "fashion-harope", "fashion-harope-inverse"}) {
        SCOPED_TRACE(name);
        const SelfCheckReport report = check(shipped(name));
        EXPECT_EQ(report.overall, LampState::Green);
        for (const SelfCheckRow& r : report.rows) {
            if (r.state == LampState::None) continue;
            EXPECT_EQ(r.state, LampState::Green) << r.key << ": " << r.text;
            EXPECT_LE(r.value, r.bound) << r.key;
            EXPECT_FALSE(r.definition.empty());
        }
        EXPECT_EQ(row(report, "parity").state, LampState::Green) << row(report, "parity").text;
        EXPECT_EQ(row(report, "relative").state, LampState::Green);
        EXPECT_EQ(row(report, "orthogonal").state == LampState::None, std::string(name) == "fashion-rope");
    }
}

TEST_F(SelfCheck, TheOtherConventionIsRedOnParityAlone) {
    for (const auto& [name, other] :
         {std::pair("fashion-harope", Convention::Inverse), std::pair("fashion-harope-inverse", Convention::Same)}) {
        SCOPED_TRACE(name);
        ModelRef ref = shipped(name);
        ref.convention = other;
        const SelfCheckReport report = check(ref);
        EXPECT_EQ(report.overall, LampState::Red);
        EXPECT_EQ(row(report, "parity").state, LampState::Red) << row(report, "parity").text;
        EXPECT_GT(row(report, "parity").value, 1e-2);
        for (const char* key : {"finite", "relative", "orthogonal", "inverse"})
            EXPECT_EQ(row(report, key).state, LampState::Green) << key;
    }
}

TEST_F(SelfCheck, ARecordBesideTheFileCounts) {
    ModelRef ref;
    ref.path = kGolden + "dit_ape_tiny.pt";
    ref.heads = 3;
    const SelfCheckReport report = check(ref);
    EXPECT_EQ(row(report, "parity").state, LampState::Green) << row(report, "parity").text;
    EXPECT_NE(row(report, "parity").text.find("dit_ape_tiny.expected.safetensors"), std::string::npos);
    for (const char* key : {"relative", "orthogonal", "inverse"}) EXPECT_EQ(row(report, key).state, LampState::None);
    EXPECT_EQ(report.overall, LampState::Green);
}

TEST_F(SelfCheck, FluxAndSd3AreRunLikeTheOthers) {
    for (const char* name : {"flux_tiny", "flux_tiny_native", "flux_tiny_harope_inverse", "flux_tiny_harope_same",
                             "sd3_tiny", "sd35_tiny", "sd35_tiny_native", "sd35_tiny_harope_inverse"}) {
        SCOPED_TRACE(name);
        ModelRef ref;
        ref.path = kGolden + name + ".safetensors";
        const SelfCheckReport report = check(ref);
        EXPECT_EQ(report.overall, LampState::Green);
        const SelfCheckRow &parity = row(report, "parity"), &relative = row(report, "relative");
        EXPECT_EQ(parity.state, LampState::Green) << parity.text;
        EXPECT_NE(parity.text.find(std::string(name) + ".expected.safetensors"), std::string::npos) << parity.text;
        const std::string word = name;
        if (word.find("flux") == std::string::npos && word.find("harope") == std::string::npos) {
            EXPECT_EQ(relative.state, LampState::None);
            EXPECT_EQ(relative.text, "positions do not turn queries and keys");
        } else {
            EXPECT_EQ(relative.state, LampState::Green) << relative.text;
            EXPECT_GT(relative.value, 0) << "rounding shows that something moved";
        }
    }
}

TEST_F(SelfCheck, ADamagedRecordOfAPainterIsRed) {
    for (const char* name : {"flux_tiny_harope_inverse", "sd35_tiny_harope_inverse"}) {
        SCOPED_TRACE(name);
        for (const char* end : {".safetensors", ".config.json"})
            std::filesystem::copy_file(kGolden + name + end, path(std::string(name) + end));
        ModelRef ref;
        ref.path = path(std::string(name) + ".safetensors");
        const std::string record = path(std::string(name) + ".expected.safetensors");
        EXPECT_EQ(row(check(ref), "parity").state, LampState::None);
        Tensors tensors = readWeights(kGolden + name + ".expected.safetensors");
        tensors.at("out").select(0, 0).select(0, 1).add_(0.01);
        writeWeights(record, tensors);
        EXPECT_EQ(row(check(ref), "parity").state, LampState::Red);
        EXPECT_GT(row(check(ref), "parity").value, 1e-3);
        tensors["encoder_hidden_states"] = tensors.at("encoder_hidden_states").narrow(2, 0, 3).clone();
        writeWeights(record, tensors);
        EXPECT_EQ(row(check(ref), "parity").state, LampState::Red);
        EXPECT_NE(row(check(ref), "parity").text.find("do not fit"), std::string::npos);
        tensors.erase("timestep");
        writeWeights(record, tensors);
        EXPECT_EQ(row(check(ref), "parity").state, LampState::None);
        EXPECT_NE(row(check(ref), "parity").text.find("timestep"), std::string::npos);
    }
}

TEST_F(SelfCheck, WithoutARecordTheRowSaysSo) {
    for (const Convention convention : {Convention::Same, Convention::Inverse}) {
        const SelfCheckReport report = check(fixture(convention));
        EXPECT_EQ(row(report, "parity").state, LampState::None);
        EXPECT_NE(row(report, "parity").text.find("out"), std::string::npos);
        EXPECT_TRUE(std::isnan(row(report, "parity").value));
        EXPECT_EQ(report.overall, LampState::Green);
    }
}

TEST_F(SelfCheck, ANotFiniteHeadIsRedByNameAndTheOthersAreMeasured) {
    Tensors weights = readWeights(kFixture);
    weights.at("blocks.1.attn.learnable_rot.A_u")[2][3][4] = std::numeric_limits<double>::quiet_NaN();
    ModelRef ref = fixture(Convention::Inverse);
    ref.path = path("nan.safetensors");
    writeWeights(ref.path, weights);
    const SelfCheckReport report = check(ref);
    EXPECT_EQ(report.overall, LampState::Red);
    EXPECT_EQ(row(report, "finite").state, LampState::Red);
    EXPECT_EQ(row(report, "finite").value, 1);
    EXPECT_NE(row(report, "finite").text.find("L1.H2"), std::string::npos) << row(report, "finite").text;
    for (const char* key : {"relative", "orthogonal", "inverse"})
        EXPECT_EQ(row(report, key).state, LampState::Green) << key << ": " << row(report, key).text;
}

TEST_F(SelfCheck, ABrokenMapIsNotGreen) {
    Tensors weights = readWeights(kFixture);
    // softplus(-40) + 1e-6: the inverse reaches 1e6 and rounding shows.
    weights.at("blocks.0.attn.learnable_rot.sigma")[1].fill_(-40);
    weights.at("blocks.0.attn.learnable_rot.sigma")[1][0] = 1e9;
    ModelRef ref = fixture(Convention::Inverse);
    ref.path = path("wide.safetensors");
    writeWeights(ref.path, weights);
    const SelfCheckReport report = check(ref);
    EXPECT_GT(row(report, "inverse").value, 1e-8);
    EXPECT_NE(row(report, "inverse").state, LampState::Green);
    EXPECT_NE(row(report, "inverse").text.find("L0.H1"), std::string::npos) << row(report, "inverse").text;
}

TEST_F(SelfCheck, AnUnknownConventionIsAskedFor) {
    Tensors weights = readWeights(kFixture);
    ModelRef ref;
    ref.path = path("silent.safetensors");
    ref.grid = {4, 4};
    writeWeights(ref.path, weights);
    const Result<SelfCheckReport> report = selfCheck({ref}, {});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().exitCode(), 2);
}

}  // namespace
}  // namespace ropescope
