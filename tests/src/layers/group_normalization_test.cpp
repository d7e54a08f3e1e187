#include "src/layers/group_normalization.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;

TEST(GroupNormalization, BackwardMatchesFiniteDifferences) {
  const auto check = [](const ordered_json& config, const Shape& input) {
    const auto layer = test::layer_of("GroupNormalization", config);
    test::expect_gradients_match_finite_differences(*layer, input, 2);
  };
  check({{"groups", 3}}, {2, 2, 6});
  check({{"groups", 2}, {"scale", false}}, {6});
  check({{"groups", -1}, {"center", false}}, {3, 4});
  check({{"groups", 1}}, {2, 67});   // a group of more channels than go together
  check({{"groups", 23}}, {2, 69});  // more groups than go together
  check({{"groups", 2}}, {1, 134});
}

TEST(GroupNormalization, GivesTheSameBitsInBlocks) {
  for (const int groups : {1, 2, 67, -1})
    test::expect_the_same_bits_in_blocks("GroupNormalization", {{"groups", groups}}, {{3, 134}});
}

TEST(GroupNormalization, OfOneGroupIsLayerNormalizationOfTheSample) {
  const auto run = [](const std::string& name, const ordered_json& config) {
    const auto layer = test::layer_of(name, config);
    test::LayerRun run(*layer, {{3, 5}}, 2, {});
    for (std::size_t i = 0; i < run.x().size(); ++i) run.x()[i] = static_cast<float>(i * i % 7) - 3;
    return run.forward();
  };
  const ordered_json plain{{"scale", false}, {"center", false}};
  ordered_json groups = plain, layer = plain;
  groups["groups"] = 1;
  layer["axis"] = {1, 2};
  const auto got = run("GroupNormalization", groups), expected = run("LayerNormalization", layer);
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-6);
}

TEST(GroupNormalization, RefusesWhatItLacksByName) {
  const auto refusal = [](const ordered_json& config) {
    return test::refusal_of("GroupNormalization", config, {2, 6});
  };
  EXPECT_EQ(refusal({{"groups", 6}, {"axis", 2}}), "");
  EXPECT_THAT(refusal(ordered_json::object()),
              HasSubstr("that divide the 6 channels of (None, 2, 6), got 32"));
  EXPECT_THAT(refusal({{"groups", 4}}), HasSubstr("got 4"));
  EXPECT_THAT(refusal({{"groups", 0}}), HasSubstr("groups: expected -1, or 1 or more, got 0"));
  EXPECT_THAT(refusal({{"groups", -2}}), HasSubstr("got -2"));
  EXPECT_THAT(refusal({{"groups", 2}, {"axis", 1}}), HasSubstr("got axis [1]"));
}

}  // namespace
}  // namespace lockstep
