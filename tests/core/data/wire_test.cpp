// SPDX-License-Identifier: Apache-2.0
#include "core/data/wire.h"

#include <gtest/gtest.h>

#include <random>

#include "core/data/codec.h"
#include "core/data/safetensors.h"
#include "tests/core/data/wire_values.h"

namespace ropescope {
namespace {

using test::filled;

Result<Message> through(const std::vector<Bytes>& frames, std::size_t chunk) {
    MessageReader reader;
    std::optional<Result<Message>> got;
    for (const Bytes& frame : frames) {
        for (std::size_t i = 0; i < frame.size(); i += chunk) {
            EXPECT_FALSE(got.has_value());
            reader.push(std::span(frame).subspan(i, std::min(chunk, frame.size() - i)));
            got = reader.next();
        }
    }
    EXPECT_EQ(reader.pending(), 0u);
    return got ? *got : Result<Message>(failure({.code = "none"}));
}

TEST(Wire, EveryStructComesBackEqual) {
    for (const std::string& type : test::wireTypes()) {
        if (type == "Part") continue;  // a slice of another message: what comes out is that message
        for (int seed = 0; seed < 12; ++seed) {
            const Message sent = filled(type, seed);
            const Result<Message> got = through(encodeFrames(sent), 1u << 20);
            ASSERT_TRUE(got) << type << ": " << got.error().message();
            EXPECT_EQ(got->kind, sent.kind);
            EXPECT_EQ(got->job, sent.job);
            EXPECT_EQ(got->view, sent.view);
            EXPECT_EQ(bodyName(got->body), type);
            EXPECT_EQ(test::written(got->body), test::written(sent.body)) << type << " seed " << seed;
        }
    }
}

TEST(Wire, CancelHasNoBody) {
    const Result<Message> got = through(encodeFrames({MessageKind::Cancel, 3, "", {}}), 1);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->kind, MessageKind::Cancel);
    EXPECT_EQ(got->job, 3u);
}

TEST(Wire, ArraysThatWereNeverSetStayUnset) {
    const Result<Message> got = through(encodeFrames({MessageKind::Result, 1, "", GenerateResult{}}), 1000);
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(std::get<GenerateResult>(got->body).latents, Array{});
}

TEST(Wire, BytesMayComeInAnyPieces) {
    const Message sent = filled("HeadsReport", 3);
    for (std::size_t chunk : {1u, 7u, 16u, 17u, 1000u}) {
        const Result<Message> got = through(encodeFrames(sent), chunk);
        ASSERT_TRUE(got);
        EXPECT_EQ(test::written(got->body), test::written(sent.body));
    }
}

TEST(Wire, LongMessagesTravelInParts) {
    GenerateResult result;
    result.latents = makeArray(std::vector<float>(5000, 0.25f), {5000});
    const auto frames = encodeFrames({MessageKind::Result, 5, "", result}, 4096);
    EXPECT_GT(frames.size(), 5u);
    for (const Bytes& frame : frames) EXPECT_LE(frame.size(), 4096 + kFrameHeader);
    const Result<Message> got = through(frames, 999);
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(std::get<GenerateResult>(got->body).latents, result.latents);
    EXPECT_EQ(got->kind, MessageKind::Result);
}

TEST(Wire, PartsOutOfOrderAreRefused) {
    GenerateResult result;
    result.latents = makeArray(std::vector<float>(5000, 0.25f), {5000});
    auto frames = encodeFrames({MessageKind::Result, 5, "", result}, 4096);
    std::swap(frames[1], frames[2]);
    MessageReader reader;
    for (const Bytes& frame : frames) reader.push(frame);
    const auto got = reader.next();
    ASSERT_TRUE(got && !*got);
    EXPECT_EQ(got->error().code, "WIRE-05");
    EXPECT_FALSE(reader.next()) << "nothing comes out after an error";
}

TEST(Wire, ABannerBeforeTheFirstFrameIsSkipped) {
    const std::string banner = "Welcome to host.\nROPE of warning: ROPEWIR\n";
    MessageReader reader;
    reader.push(std::as_bytes(std::span(banner)));
    EXPECT_FALSE(reader.next());
    for (const Bytes& frame : encodeFrames(filled("Hello", 1))) reader.push(frame);
    const auto got = reader.next();
    ASSERT_TRUE(got && *got);
    reader.push(std::as_bytes(std::span(banner)));
    const auto after = reader.next();
    ASSERT_TRUE(after && !*after) << "between frames nothing is skipped";
    EXPECT_EQ(after->error().code, "WIRE-01");
}

TEST(Wire, AStreamThatIsNoWireEnds) {
    const std::string noise(kNoiseLimit + 100, 'x');
    MessageReader reader;
    reader.push(std::as_bytes(std::span(noise)));
    const auto got = reader.next();
    ASSERT_TRUE(got && !*got);
    EXPECT_EQ(got->error().code, "WIRE-01");
}

TEST(Wire, AHugeLengthIsRefusedAtOnce) {
    Bytes frame = encodeFrames(filled("Hello", 1))[0];
    frame[14] = std::byte{0x40};
    MessageReader reader;
    reader.push(frame);
    const auto got = reader.next();
    ASSERT_TRUE(got && !*got);
    EXPECT_EQ(got->error().code, "WIRE-04");
}

TEST(Wire, NoPrefixOfABlobIsAMessage) {
    for (const char* type : {"HeadsReport", "GenerateResult", "ModelCard", "Error"}) {
        const Bytes blob = encodeBlob(filled(type, 2));
        for (std::size_t n = 0; n<blob.size(); n += blob.size()> 4000 ? 13 : 1) {
            EXPECT_FALSE(decodeBlob(std::span(blob).first(n))) << type << " cut at " << n;
        }
    }
}

TEST(Wire, FlippedBytesGiveAMessageOrAnErrorAndNothingElse) {
    std::mt19937 random(1);
    int refused = 0;
    for (const std::string& type : test::wireTypes()) {
        const Bytes good = encodeFrames(filled(type, 3))[0];
        for (int round = 0; round < 150; ++round) {
            Bytes bad = good;
            for (int k = 0; k <= round % 4; ++k) bad[random() % bad.size()] = static_cast<std::byte>(random());
            MessageReader reader;
            reader.push(bad);
            const auto got = reader.next();
            if (!got || *got) continue;
            ++refused;
            EXPECT_FALSE(got->error().message().empty());
        }
    }
    EXPECT_GT(refused, 500);
}

Result<Message> decodedJson(const std::string& json) {
    return decodeBlob(encodeSafetensors({}, {{std::string(kMessageKey), json}}));
}

TEST(Wire, DecodingIsStrict) {
    const std::string good =
        R"({"kind":"request","job":1,"view":"","type":"OpenRequest","value":{"model":{"path":"a","weights":"ema",)"
        R"("convention":"same","heads":0,"grid":{"rows":0,"cols":0},"theta":0.0,"config":"","map_tokens":"unknown","adapter":"","loras":[],"changes":[],"time":"","ignore":[],)"
        R"("made_for":{"name":"","layers":0,"heads":0,"head_dim":0,"encoding":"","convention":""}}}})";
    ASSERT_TRUE(decodedJson(good)) << decodedJson(good).error().message();
    const std::pair<const char*, const char*> edits[] = {
        {R"("heads":0,)", ""},                       // missing
        {R"("heads":0)", R"("heads":0,"more":1)"},   // unknown
        {R"("heads":0)", R"("heads":0,"heads":0)"},  // twice
        {R"("heads":0)", R"("heads":"0")"},          // wrong type
        {R"("heads":0)", R"("heads":0.5)"},          // not an integer
        {R"("heads":0)", R"("heads":3000000000)"},   // out of range
        {R"("convention":"same")", R"("convention":"sideways")"},
        {R"("theta":0.0)", R"("theta":"many")"},
        {R"("job":1)", R"("job":-1)"},
        {R"("kind":"request")", R"("kind":"result")"},  // body does not match its kind
        {R"("kind":"request")", R"("kind":"cancel")"},
        {"OpenRequest", "CloseRequest"},
        {R"("grid":{"rows":0,"cols":0})", R"("grid":[0,0])"},
        {R"("type":"OpenRequest")", R"("type":"")"},
    };
    for (const auto& [from, to] : edits) {
        std::string bad = good;
        bad.replace(bad.find(from), std::strlen(from), to);
        const Result<Message> got = decodedJson(bad);
        ASSERT_FALSE(got) << from << " -> " << to;
        EXPECT_EQ(got.error().code.substr(0, 4), "WIRE") << got.error().message();
    }
    for (const std::string& bad : {std::string(), std::string("{"), std::string("[]"), std::string("null"),
                                   std::string(100000, '['), "\xFF" + good, good + good}) {
        EXPECT_FALSE(decodedJson(bad));
    }
}

TEST(Wire, MissingAndExtraTensorsAreRefused) {
    const Message message = filled("AtlasReport", 3);
    PackedMessage missing = pack(message);
    ASSERT_FALSE(missing.arrays.empty());
    PackedMessage extra = missing;
    PackedMessage wrong = missing;
    missing.arrays.erase(missing.arrays.begin());
    extra.arrays.emplace("surprise", makeArray(std::vector<float>{1}, {1}));
    wrong.arrays.begin()->second.dtype = DType::I64;
    EXPECT_TRUE(unpack(pack(message)));
    EXPECT_FALSE(unpack(missing));
    EXPECT_FALSE(unpack(extra));
    EXPECT_FALSE(unpack(wrong));
}

}  // namespace
}  // namespace ropescope
