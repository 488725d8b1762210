// SPDX-License-Identifier: Apache-2.0
#include "core/engine/forward.h"

#include <filesystem>

#include "core/data/safetensors.h"
#include "tests/core/golden.h"

namespace ropescope {
namespace {

const std::string kExpected = goldenPath("harope_dit_tiny.expected.safetensors");

ForwardCommand command(Convention convention) {
    ForwardCommand c;
    c.model.path = goldenPath("harope_dit_tiny.pt");
    c.model.convention = convention;
    c.compute.device = "cpu";
    c.compute.threads = 1;
    c.in = kExpected;
    c.out =
        (std::filesystem::path(testing::TempDir()) /
         (std::string("ropescope_") + testing::UnitTest::GetInstance()->current_test_info()->name() + ".safetensors"))
            .string();
    c.attention = c.field = true;
    return c;
}

TEST(Forward, EqualsTheRecordedOutputAttentionAndFields) {
    for (const auto& [convention, version] : {std::pair{Convention::Same, "v1."}, {Convention::Inverse, "v2."}}) {
        SCOPED_TRACE(version);
        const ForwardCommand c = command(convention);
        const auto done = forwardToFile(c);
        ASSERT_TRUE(done) << done.error().message();
        const std::string prefix = version;
        expectClose(goldenTensor(c.out, "out"), goldenTensor(kExpected, prefix + "out"));
        for (int layer = 0; layer < 2; ++layer) {
            const std::string i = std::to_string(layer);
            expectClose(goldenTensor(c.out, "attention." + i), goldenTensor(kExpected, prefix + "attention")[layer],
                        1e-5);
            expectClose(goldenTensor(c.out, "field_sum." + i), goldenTensor(kExpected, prefix + "field_sum")[layer],
                        1e-5);
            expectClose(goldenTensor(c.out, "field_mean." + i), goldenTensor(kExpected, prefix + "field_mean")[layer],
                        1e-5);
        }
    }
}

TEST(Forward, WritesOnlyWhatIsAskedFor) {
    ForwardCommand c = command(Convention::Inverse);
    c.attention = false;
    ASSERT_TRUE(forwardToFile(c));
    const TensorTable table = TensorTable::open(c.out).value();
    EXPECT_EQ(table.tensors().size(), 5u);
    EXPECT_EQ(table.find("attention.0"), nullptr);
}

TEST(Forward, HalfPrecisionStaysNear) {
    ForwardCommand c = command(Convention::Inverse);
    c.compute.precision = Precision::Bf16;
    ASSERT_TRUE(forwardToFile(c));
    expectClose(goldenTensor(c.out, "out"), goldenTensor(kExpected, "v2.out"), 0.05);
}

TEST(Forward, RefusesInputsThatDoNotFit) {
    ForwardCommand c = command(Convention::Inverse);
    c.in = goldenPath("harope_dit_tiny.pt");  // holds no x
    const auto done = forwardToFile(c);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().exitCode(), 1);
    EXPECT_NE(done.error().message().find("> x: the input is missing"), std::string::npos) << done.error().message();
}

}  // namespace
}  // namespace ropescope
