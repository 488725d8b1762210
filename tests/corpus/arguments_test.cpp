// SPDX-License-Identifier: Apache-2.0
// What the arguments of a training beside the weights do to a DiT's card.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/checkpoint/dit_tensors.h"
#include "core/checkpoint/tensor_table.h"
#include "tests/corpus/corpus_case.h"

namespace ropescope::corpus {
namespace {

namespace fs = std::filesystem;
using Values = std::vector<std::pair<std::string, std::string>>;

const std::string kTrue = "\x88", kFalse = "\x89";

std::string entry(const std::string& key, const std::string& value) {
    return pickledText(key) + value + "s";
}

/// A DiT of two layers with learned variance; all tensors are zeros of one storage.
std::string weights(int layers = 2) {
    DitSizes s;
    s.layers = layers, s.width = 8, s.headDim = 4, s.hidden = 32, s.patch = 2, s.inChannels = 1, s.outChannels = 2;
    s.labelRows = 4, s.positionRows = 9;
    std::string dict = "}";
    for (const auto& [name, shape] : ditTensors(s)) {
        PickledTensor t{.count = 65536, .shape = shape, .strides = shape};
        std::int64_t step = 1;
        for (std::size_t i = shape.size(); i-- > 0;) t.strides[i] = step, step *= shape[i];
        dict += entry(name, pickled(t));
    }
    return dict;
}

class Arguments : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "ropescope-arguments-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        m_folder = pattern;
    }
    void TearDown() override { fs::remove_all(m_folder); }

    ModelRef write(const std::string& body) const {
        ModelRef ref;
        ref.path = (m_folder / "file.pt").string();
        ref.heads = 2;
        std::ofstream(ref.path, std::ios::binary) << torchFile(body, {{"0", std::string(65536 * 4, '\0')}});
        return ref;
    }
    ModelCard described(const std::string& body) const {
        const auto card = describeFile(write(body));
        EXPECT_TRUE(card);
        return card ? *card : ModelCard();
    }
    ModelCard with(const Values& values) const {
        std::string args = "}";
        for (const auto& [key, value] : values) args += entry(key, value);
        return described("}" + entry("ema", weights()) + entry("args", args));
    }
    fs::path m_folder;
};

bool notes(const ModelCard& card, const std::string& text) {
    return std::ranges::any_of(card.notes, [&](const auto& note) { return note.find(text) != note.npos; });
}

TEST_F(Arguments, UsualOnesChangeNothing) {
    const ModelCard card = with({{"model", pickledText("DiT-B/2")},
                                 {"epochs", pickledInt(80)},
                                 {"num_heads", pickledInt(2)},
                                 {"depth", pickledInt(2)},
                                 {"noise_schedule", pickledText("linear")},
                                 {"diffusion_steps", pickledInt(1000)},
                                 {"predict_xstart", kFalse}});
    EXPECT_EQ(card.problem, "");
    EXPECT_EQ(card.objective, "ddpm");
    EXPECT_FALSE(notes(card, "not looked at"));
}

TEST_F(Arguments, AnotherDiffusionIsNotDrawnAsTheFirst) {
    for (const auto& [key, value] : Values{{"noise_schedule", pickledText("squaredcos_cap_v2")},
                                           {"beta_schedule", pickledText("cosine")},
                                           {"beta_end", pickledText("0.012")},
                                           {"diffusion_steps", pickledInt(4000)},
                                           {"rescale_timesteps", kTrue},
                                           {"predict_xstart", kTrue},
                                           {"v_pred", kTrue},
                                           {"prediction_type", pickledText("sample")},
                                           {"parameterization", pickledText("v")},
                                           {"zero_terminal_snr", kTrue}}) {
        const ModelCard card = with({{key, value}});
        EXPECT_EQ(card.problem, "") << key;
        EXPECT_EQ(card.objective, "") << key;
        EXPECT_TRUE(notes(card, key)) << key;
    }
}

TEST_F(Arguments, ThoseOfAnotherNetworkAreRefused) {
    for (const auto& [key, value] : Values{{"num_heads", pickledInt(4)},
                                           {"depth", pickledInt(12)},
                                           {"hidden_size", pickledInt(384)},
                                           {"patch_size", pickledInt(4)},
                                           {"in_channels", pickledInt(16)},
                                           {"learn_sigma", kFalse},
                                           {"qk_norm", kTrue},
                                           {"use_swiglu", kTrue},
                                           {"use_rmsnorm", kTrue},
                                           {"mlp_ratio", pickledInt(2)},
                                           {"frequency_embedding_size", pickledInt(128)},
                                           {"max_period", pickledInt(100)},
                                           {"input_size", pickledInt(32)},
                                           {"use_rope", kTrue},
                                           {"pos_embed_type", pickledText("rope")}}) {
        const ModelCard card = with({{key, value}});
        EXPECT_EQ(card.problemCode, "CF-03") << key << ": " << card.problem;
    }
    EXPECT_EQ(with({{"act_layer", pickledText("relu")}}).problemCode, "CF-02");
}

TEST_F(Arguments, OthersAreNamed) {
    EXPECT_TRUE(notes(with({{"time_shift", pickledText("3.0")}}), "time_shift 3.0"));
    EXPECT_TRUE(notes(with({{"latent_norm", kTrue}}), "latent_norm True"));
}

TEST_F(Arguments, CopiesUnderNumbersCanBeChosen) {
    const std::string decays = "}" + entry("0.999", weights()) + entry("0.9999", weights());
    ModelRef ref = write("}" + entry("model", weights()) + entry("ema", decays));
    EXPECT_EQ(describeFile(ref)->problemCode, "weights");
    ref.weights = "ema.0.9999";
    const auto card = describeFile(ref);
    ASSERT_TRUE(card);
    EXPECT_EQ(card->problem, "");
    EXPECT_EQ(card->copy, "ema.0.9999");
}

TEST_F(Arguments, CopiesOfTwoSizesAreNamed) {
    const ModelCard card = described("}" + entry("model", weights(3)) + entry("ema", weights(2)));
    EXPECT_TRUE(notes(card, "not of one size"));
}

TEST_F(Arguments, ATwinBesideTheWeightsIsRefused) {
    const std::string twin = entry("pos_embed", pickled({.count = 65536, .shape = {1}, .strides = {1}}));
    const ModelCard card = described("}" + entry("model", weights()) + twin);
    EXPECT_EQ(card.problemCode, "TC-12") << card.problem;
}

TEST_F(Arguments, AnOptimizerAloneIsDescribed) {
    const std::string moments = "}" + entry("exp_avg", pickled({.count = 65536}));
    const auto card =
        describeFile(write("}" + entry("state", "}" + pickledInt(0) + moments + "s") + entry("param_groups", "]")));
    ASSERT_TRUE(card) << card.error().message();
    EXPECT_EQ(card->format, "torch-zip");
    EXPECT_TRUE(card->architecture.empty());
    EXPECT_EQ(card->problemCode, "unknown-model");
    ASSERT_EQ(card->notes.size(), 1u);
    EXPECT_EQ(card->notes[0], "holds the state of an optimizer or a schedule, no weights");
    EXPECT_EQ(describeFile(write("}" + entry("epoch", pickledInt(3)))).error().code, "PK-20") << "no tensor at all";
}

}  // namespace
}  // namespace ropescope::corpus
