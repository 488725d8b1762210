// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <stdexcept>
#include <type_traits>

#include "core/data/wire.h"
#include "tests/core/data/wire_values.h"

namespace ropescope {
namespace {

static_assert(std::is_same_v<ReplyOf<OpenRequest>, ModelCard>);
static_assert(std::is_same_v<ReplyOf<TensorsRequest>, TensorsReport>);
using SharedReply = decltype(repliesIn(RowTable{Exchange<OpenRequest, ModelCard>{}, Exchange<AtlasRequest, ModelCard>{},
                                                Exchange<HeadsRequest, HeadsReport>{}}));
static_assert(std::is_same_v<SharedReply, std::variant<ModelCard, HeadsReport>>, "each type once");

template <class T>
void expectRoundTrip(std::string_view name, MessageKind kind) {
    const Message sent = test::filled(std::string(name), 5);
    EXPECT_TRUE(std::holds_alternative<T>(sent.body)) << name << " makes another struct";
    EXPECT_EQ(sent.kind, kind) << name;
    EXPECT_EQ(isRequest(sent.body), kind == MessageKind::Request) << name;
    EXPECT_EQ(isReply(sent.body), kind == MessageKind::Result) << name;
    const Result<Message> got = decodeBlob(encodeBlob(sent));
    ASSERT_TRUE(got) << name << ": " << got.error().message();
    EXPECT_EQ(bodyName(got->body), name);
    EXPECT_EQ(got->kind, kind) << name;
    EXPECT_EQ(test::written(got->body), test::written(sent.body)) << name;
}

TEST(Exchanges, EveryRowComesBackUnderItsNames) {
    forEachRow(kExchanges, []<class Asked, class Answered>(const Exchange<Asked, Answered>& row) {
        expectRoundTrip<Asked>(row.request, MessageKind::Request);
        expectRoundTrip<Answered>(row.reply, MessageKind::Result);
    });
    forEachRow(kNotices, []<class Said>(const Notice<Said>& row) { expectRoundTrip<Said>(row.name, row.kind); });
}

TEST(Exchanges, BodiesCarryRequestsAndRepliesUnchanged) {
    forEachRow(kExchanges, []<class Asked, class Answered>(const Exchange<Asked, Answered>& row) {
        EXPECT_TRUE(std::holds_alternative<Asked>(requestOf(bodyOf(Request(Asked{}))))) << row.request;
        EXPECT_TRUE(std::holds_alternative<Answered>(replyOf(bodyOf(Reply(Answered{}))))) << row.reply;
        EXPECT_THROW(static_cast<void>(replyOf(Asked{})), std::invalid_argument) << row.request;
        EXPECT_THROW(static_cast<void>(requestOf(Answered{})), std::invalid_argument) << row.reply;
    });
    EXPECT_THROW(static_cast<void>(requestOf(Body{})), std::invalid_argument);
}

TEST(Exchanges, EveryStructHasANameOfItsOwn) {
    const std::set<std::string> names = test::wireTypes();
    EXPECT_FALSE(names.contains("")) << "only the empty body has no name";
    EXPECT_EQ(names.size() + 1, std::variant_size_v<Body>) << "two structs share a name, or one has two";
}

/// Protocol 5 as it was published: names and lanes of these exchanges may not change without a new protocol.
struct Published {
    std::string request, reply;
    bool heavy;
};
const Published kPublished[] = {{"OpenRequest", "ModelCard", false},
                                {"AtlasRequest", "AtlasReport", false},
                                {"HeadsRequest", "HeadsReport", false},
                                {"DevicesRequest", "DevicesReport", false},
                                {"GenerateRequest", "GenerateResult", true},
                                {"SavePngRequest", "SavedFile", false},
                                {"SelfCheckRequest", "SelfCheckReport", false},
                                {"CalibrateRequest", "CalibrationReport", true},
                                {"CompareRequest", "CompareReport", false},
                                {"ClassifyRequest", "ClassifyResult", true},
                                {"TokensRequest", "TokensReport", false},
                                {"AttentionRequest", "AttentionReport", true},
                                {"ReadSettingsRequest", "PictureSettings", false},
                                {"LorasRequest", "LorasReport", false},
                                {"DecodeRequest", "DecodedStep", true},
                                {"TensorsRequest", "TensorsReport", false},
                                {"SweepRequest", "SweepReport", true},
                                {"PairRequest", "PairReport", true}};

TEST(Exchanges, NamesAndLanesAreThePublishedOnes) {
    std::map<std::string, std::pair<std::string, bool>> rows;
    forEachRow(kExchanges, [&]<class Asked, class Answered>(const Exchange<Asked, Answered>&) {
        rows[std::string(bodyName(Asked{}))] = {std::string(bodyName(Answered{})), isHeavy(Asked{})};
    });
    for (const Published& known : kPublished) {
        ASSERT_TRUE(rows.contains(known.request)) << known.request << " is gone";
        EXPECT_EQ(rows[known.request].first, known.reply) << known.request;
        EXPECT_EQ(rows[known.request].second, known.heavy) << known.request;
    }
    for (const char* name : {"Hello", "Alive", "ShareProgress", "GenerateProgress", "AtlasProgress", "Part", "Error"}) {
        EXPECT_TRUE(bodyFromName(name)) << name << " is gone";
    }
}

TEST(Exchanges, ComparisonsAreHeavyWhenTheySample) {
    CompareRequest request;
    request.metric = CompareMetric::FieldCorrelation;
    EXPECT_TRUE(isHeavy(request));
    request.metric = CompareMetric::FrequencyWasserstein;
    EXPECT_FALSE(isHeavy(request));
    request.content = ContentSource::Data;
    EXPECT_TRUE(isHeavy(request));
    request.metric = CompareMetric::PlaneOverlap;
    EXPECT_FALSE(isHeavy(request)) << "two states of the weights suffice";
}

}  // namespace
}  // namespace ropescope
