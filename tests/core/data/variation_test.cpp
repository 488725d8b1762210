// SPDX-License-Identifier: Apache-2.0
#include "core/data/variation.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "core/data/codec.h"
#include "core/data/model_card.h"

namespace ropescope {
namespace {

ModelCard cardOf(Convention convention = Convention::Same) {
    ModelCard card;
    card.name = "fashion", card.architecture = "dit", card.encoding = "harope", card.convention = convention;
    card.matrix = MatrixKind::Svd;
    card.layers = 6, card.heads = 4, card.headDim = 16;
    return card;
}

std::string whole() {
    return R"({"ropescope_variation": 1,
      "model": {"name": "fashion", "layers": 6, "heads": 4, "head_dim": 16, "encoding": "harope", "convention": "same"},
      "loras": [{"path": "l.safetensors", "strength": 0.5}],
      "changes": [
        {"heads": "L3.H1", "do": "dial", "tau": 0.5},
        {"heads": "L2", "do": "identity", "on": false},
        {"heads": "all", "do": "dial", "tau": [1, 0.5, 0]},
        {"heads": "L0.H1", "do": "singular-value", "index": 3, "value": 1.25},
        {"heads": "L0.H1", "do": "transplant", "from": "L2.H0", "of": "other.safetensors"},
        {"heads": "L1.H0", "do": "frequencies", "factor": 0.5},
        {"heads": "L1.H1", "do": "position-only"},
        {"heads": "L1.H2", "do": "positions-off"},
        {"heads": "L1.H3", "do": "output-off"}]})";
}

TEST(Variation, AFileIsReadAndWrittenBack) {
    const auto read = variationFromJson(whole(), "v.json");
    ASSERT_TRUE(read) << read.error().message();
    ASSERT_EQ(read->changes.size(), 9U);
    EXPECT_EQ(read->madeFor.layers, 6);
    EXPECT_EQ(read->loras[0].strength, 0.5);
    const HeadChange& first = read->changes[0];
    EXPECT_EQ(first.layer, 3);
    EXPECT_EQ(first.head, 1);
    EXPECT_EQ(first.amount, 0.5);
    EXPECT_FALSE(read->changes[1].on);
    EXPECT_EQ(read->changes[2].curve, (std::vector<double>{1, 0.5, 0}));
    EXPECT_EQ(read->changes[3].index, 3);
    EXPECT_EQ(read->changes[4].from, (HeadId{2, 0}));
    EXPECT_EQ(read->changes[4].donor, "other.safetensors");
    EXPECT_EQ(read->changes[6].amount, 0);
    const auto again = variationFromJson(variationJson(*read), "again");
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(*again, *read);
}

TEST(Variation, PathsAreThoseBesideTheFile) {
    const auto folder = std::filesystem::temp_directory_path() / "ropescope_variation_test";
    std::filesystem::create_directories(folder);
    const std::string path = (folder / "v.json").string();
    std::ofstream(path) << whole();
    const auto read = readVariation(path);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->changes[4].donor, (folder / "other.safetensors").string());
    EXPECT_EQ(read->loras[0].path, (folder / "l.safetensors").string());
    std::filesystem::remove_all(folder);
    const auto gone = readVariation(path);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().exitCode(), 2);
    EXPECT_NE(gone.error().message().find("cannot be read"), std::string::npos);
}

TEST(Variation, EveryMistakeInAFileIsOneMessageWithItsPlace) {
    const std::pair<const char*, const char*> cases[] = {
        {"[1]", "not an object"},
        {"{", "not JSON"},
        {R"({"changes": []})", "\"ropescope_variation\" is missing"},
        {R"({"ropescope_variation": 2})", "unknown version"},
        {R"({"ropescope_variation": 1, "change": []})", "unknown key"},
        {R"({"ropescope_variation": 1, "changes": {}})", "not a list"},
        {R"({"ropescope_variation": 1, "changes": [3]})", "changes 1: not an object"},
        {R"({"ropescope_variation": 1, "changes": [{"do": "identity"}]})", "\"heads\" is missing"},
        {R"({"ropescope_variation": 1, "changes": [{"heads": "L1.2", "do": "identity"}]})", "heads: not the name"},
        {R"({"ropescope_variation": 1, "changes": [{"heads": "all", "do": "shrink"}]})", "do: not a change"},
        {R"({"ropescope_variation": 1, "changes": [{"heads": "all", "do": "dial"}]})", "\"tau\" is missing"},
        {R"({"ropescope_variation": 1, "changes": [{"heads": "all", "do": "dial", "tau": "1"}]})", "tau: not of"},
        {R"({"ropescope_variation": 1, "changes": [{"heads": "all", "do": "dial", "tau": [1, "x"]}]})", "tau 2: not"},
        {R"({"ropescope_variation": 1, "changes": [{"heads": "all", "do": "dial", "tau": []}]})", "tau: no numbers"},
        {R"({"ropescope_variation": 1, "changes": [{"heads": "all", "do": "identity", "tau": 1}]})", "unknown key"},
        {R"({"ropescope_variation": 1, "changes": [{"heads": "all", "do": "transplant", "from": "L1"}]})", "from: not"},
    };
    for (const auto& [text, message] : cases) {
        const auto read = variationFromJson(text, "v.json");
        ASSERT_FALSE(read) << text;
        EXPECT_NE(read.error().message().find(message), std::string::npos) << read.error().message();
        EXPECT_NE(read.error().message().find("v.json"), std::string::npos) << read.error().message();
        EXPECT_EQ(read.error().exitCode(), 2);
    }
}

HeadChange change(ChangeKind kind, int layer, int head, double amount = 1) {
    HeadChange made;
    made.kind = kind, made.layer = layer, made.head = head, made.amount = amount;
    return made;
}

void refused(const std::vector<HeadChange>& changes, const ModelCard& card, const std::string& message) {
    Variation variation;
    variation.changes = changes;
    const auto checked = checkVariation(variation, card, "variation");
    ASSERT_FALSE(checked) << message;
    EXPECT_NE(checked.error().message().find(message), std::string::npos) << checked.error().message();
    for (HeadChange& off : variation.changes) off.on = false;
    EXPECT_TRUE(checkVariation(variation, card, "variation")) << "switched off";
}

TEST(Variation, WhatDoesNotFitAModelIsRefused) {
    const ModelCard card = cardOf();
    const double nan = std::numeric_limits<double>::quiet_NaN();
    refused({change(ChangeKind::Identity, 6, 0)}, card, "no such head (found L6.H0, expected L0 to L5, H0 to H3)");
    refused({change(ChangeKind::Identity, 0, 4)}, card, "no such head");
    refused({change(ChangeKind::Dial, 0, 0, nan)}, card, "not finite");
    refused({change(ChangeKind::Dial, 0, 0, 1e9)}, card, "beyond 1000");
    refused({change(ChangeKind::SingularValue, 0, 0, 0)}, card, "singular values are positive");
    HeadChange value = change(ChangeKind::SingularValue, 0, 0, 2);
    value.index = 16;
    refused({value}, card, "no such singular value (found 16, expected 0 to 15)");
    HeadChange donor = change(ChangeKind::Transplant, 0, 0);
    donor.from = {7, 0};
    refused({donor}, card, "no such head to take a map from");
    refused({change(ChangeKind::PositionOnly, 0, 0, 0)}, cardOf(Convention::Inverse), "of the same map alone");
    ModelCard rope = card;
    rope.encoding = "axial", rope.convention = Convention::None;
    refused({change(ChangeKind::Dial, 0, 0, 0)}, rope, "have no maps");
    ModelCard absolute = rope;
    absolute.encoding = "absolute";
    refused({change(ChangeKind::PositionsOff, 0, 0)}, absolute, "nothing turns");
    ModelCard orthogonal = card;
    orthogonal.encoding = "rethinking", orthogonal.matrix = MatrixKind::Cayley,
    orthogonal.convention = Convention::None;
    refused({change(ChangeKind::SingularValue, 0, 0, 2)}, orthogonal, "orthogonal");
}

TEST(Variation, SharedMapsChangeTogether) {
    ModelCard layer = cardOf(), model = cardOf();
    layer.sharing = MapSharing::Layer, model.sharing = MapSharing::Model;
    refused({change(ChangeKind::Identity, 2, 1)}, layer,
            "share one map and change together (found L2.H1, expected L2)");
    refused({change(ChangeKind::Identity, 2, -1)}, model, "all heads of the model share one map");
    Variation whole;
    whole.changes = {change(ChangeKind::Identity, 2, -1)};
    EXPECT_TRUE(checkVariation(whole, layer, "v"));
    whole.changes = {change(ChangeKind::Identity, -1, -1), change(ChangeKind::OutputOff, 2, 1)};
    EXPECT_TRUE(checkVariation(whole, model, "v"));  // an output is a head's own
}

TEST(Variation, CirclesOfTransplantsAreRefused) {
    HeadChange a = change(ChangeKind::Transplant, 0, 0), b = change(ChangeKind::Transplant, 0, 1);
    a.from = {0, 1}, b.from = {0, 0};
    refused({a, b}, cardOf(), "in a circle (found L0.H0 from L0.H1 from L0.H0");
    b.from = {3, 3};
    Variation chain;
    chain.changes = {a, b};
    EXPECT_TRUE(checkVariation(chain, cardOf(), "v"));
}

TEST(Variation, AVariationOfAnotherModelNamesBoth) {
    auto variation = *variationFromJson(whole(), "v");
    variation.changes.resize(1);
    EXPECT_TRUE(checkVariation(variation, cardOf(), "v"));
    ModelCard other = cardOf();
    other.name = "digits", other.heads = 8;
    auto checked = checkVariation(variation, other, "v");
    ASSERT_FALSE(checked);
    for (const char* part : {"made for fashion, not for digits", "6 layers of 8 heads", "6 layers of 4 heads"})
        EXPECT_NE(checked.error().message().find(part), std::string::npos) << checked.error().message();
    checked = checkVariation(variation, cardOf(Convention::Inverse), "v");
    ASSERT_FALSE(checked);
    EXPECT_NE(checked.error().message().find("another convention (found inverse, expected same)"), std::string::npos)
        << checked.error().message();
}

TEST(Variation, WordsOfASweepAreReadAndSaidAlike) {
    for (const char* text : {"output-off", "positions-off", "identity", "tau=0", "tau=1.5", "tau=1:0.5:0",
                             "position-only", "position-only=0.25", "frequencies=0.5"}) {
        const auto read = changeFromText(text);
        ASSERT_TRUE(read) << text;
        EXPECT_EQ(changeText(*read), text);
    }
    for (const char* text : {"", "tau", "tau=", "tau=x", "off", "identity=1", "tau=nan", "tau=1:"})
        EXPECT_FALSE(changeFromText(text)) << text;
}

TEST(Variation, SettingsCarryIt) {
    GenerateRequest request;
    request.model.path = "m.safetensors";
    request.model.variation() = *variationFromJson(whole(), "v");
    const auto read = settingsFromJson(settingsJson(request));
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->model, request.model);
    EXPECT_TRUE(withoutChanges(read->model).changes.empty());
    EXPECT_EQ(withoutChanges(read->model).loras.size(), 1U);
}

}  // namespace
}  // namespace ropescope
