#include "src/layers/layer_normalization.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using Floats = std::vector<float>;

TEST(LayerNormalization, BackwardMatchesFiniteDifferences) {
  for (const Shape& input : {Shape{3}, Shape{2, 5}, Shape{2, 1, 17}, Shape{67}}) {
    LayerNormalization layer;
    test::expect_gradients_match_finite_differences(layer, input, 3);
  }
  const std::vector<ordered_json> configs{{{"axis", {1, 2}}},
                                          {{"axis", {-1, -2}}, {"scale", false}},
                                          {{"center", false}},
                                          {{"scale", false}, {"center", false}}};
  for (const ordered_json& config : configs) {
    const auto layer = test::layer_of("LayerNormalization", config);
    test::expect_gradients_match_finite_differences(*layer, {2, 5}, 3);
  }
}

TEST(RMSNormalization, BackwardMatchesFiniteDifferences) {
  for (const Shape& input : {Shape{3}, Shape{2, 5}, Shape{67}}) {
    RMSNormalization layer;
    test::expect_gradients_match_finite_differences(layer, input, 3);
  }
  RMSNormalization layer({1, 2}, 0.1);
  test::expect_gradients_match_finite_differences(layer, {3, 6}, 2);
}

TEST(UnitNormalization, BackwardMatchesFiniteDifferences) {
  for (const Shape& input : {Shape{3}, Shape{2, 5}, Shape{67}}) {
    UnitNormalization layer;
    test::expect_gradients_match_finite_differences(layer, input, 3);
  }
  UnitNormalization shorter_than({-1}, 100);
  test::expect_gradients_match_finite_differences(shorter_than, {4}, 3);
}

TEST(UnitNormalization, OfZerosIsZeros) {
  UnitNormalization layer({-1}, 1e-6);
  test::LayerRun run(layer, {{2}}, 2);
  run.x() = {0, 0, 3, -4};
  EXPECT_EQ(run.forward(), (Floats{0, 0, 0.6f, -0.8f}));
  run.backward({1e-6f, 0, 0, 0});
  EXPECT_EQ(run.dx()[0], 1);
  EXPECT_EQ(run.dx()[1], 0);
}

TEST(RowNormalizations, GiveTheSameBitsInBlocks) {
  for (const char* name : {"LayerNormalization", "RMSNormalization", "UnitNormalization"}) {
    test::expect_the_same_bits_in_blocks(name, ordered_json::object(), {{3, 67}});
    test::expect_the_same_bits_in_blocks(name, {{"axis", {1, 2}}}, {{3, 67}});
  }
}

TEST(LayerNormalization, KeepsItsDigitsFarFromZero) {
  LayerNormalization::Options options;
  options.epsilon = 1e-10;
  options.scale = options.center = false;
  LayerNormalization layer(options);
  constexpr std::size_t kElements = 50;
  test::LayerRun run(layer, {{kElements}}, 1, {});
  double mean = 0, variance = 0;
  for (std::size_t i = 0; i < kElements; ++i) {
    run.x()[i] = 1e4f + 0.01f * std::sin(static_cast<float>(i));
    mean += static_cast<double>(run.x()[i]) / kElements;
  }
  for (const float x : run.x()) variance += std::pow(static_cast<double>(x) - mean, 2) / kElements;
  const Floats y = run.forward();
  for (std::size_t i = 0; i < kElements; ++i)
    EXPECT_NEAR(y[i], (static_cast<double>(run.x()[i]) - mean) / std::sqrt(variance), 1e-3);
}

TEST(RowNormalizations, LetANaNThroughInItsOwnRow) {
  for (const char* name : {"LayerNormalization", "RMSNormalization", "UnitNormalization"}) {
    const auto layer = test::layer_of(name, ordered_json::object());
    test::LayerRun run(*layer, {{2}}, 2, {});
    run.x() = {1, std::nanf(""), 2, 3};
    const Floats y = run.forward();
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]));
    EXPECT_FALSE(std::isnan(y[2]) || std::isnan(y[3]));
  }
}

TEST(RowNormalizations, RefuseWhatTheyLackByName) {
  for (const char* name : {"LayerNormalization", "RMSNormalization", "UnitNormalization"}) {
    const auto refusal = [&](const ordered_json& config, const Shape& input = {4, 3}) {
      return test::refusal_of(name, config, input);
    };
    EXPECT_EQ(refusal({{"axis", {2, 1}}}), "");
    EXPECT_EQ(refusal({{"axis", 2}}), "");
    EXPECT_THAT(refusal({{"axis", 1}}), HasSubstr("of (None, 4, 3), got axis [1]"));
    EXPECT_THAT(refusal({{"axis", {-1, 2}}}), HasSubstr("got axis [-1, 2]"));
    EXPECT_THAT(refusal({{"axis", {1, 3}}}, {2, 3, 4}), HasSubstr("got axis [1, 3]"));
    EXPECT_THAT(refusal({{"axis", ordered_json::array()}}), HasSubstr("one axis or more"));
    EXPECT_THAT(refusal({{"axis", {-1, 1.5}}}), HasSubstr("got [-1, 1.5]"));
    EXPECT_THAT(refusal({{"axis", -1}}, {}), HasSubstr("(None,)"));
  }
  EXPECT_THAT(test::refusal_of("LayerNormalization", {{"rms_scaling", true}}),
              HasSubstr("rms_scaling: expected false, got true"));
  EXPECT_THAT(test::refusal_of("RMSNormalization", {{"epsilon", -1e-3}}),
              HasSubstr("epsilon: expected a number of at least 0"));
}

TEST(RowNormalizations, WriteWhatTheyRead) {
  for (const char* name : {"LayerNormalization", "RMSNormalization", "UnitNormalization"}) {
    const auto config = test::layer_of(name, {{"axis", {1, 2}}})->config();
    EXPECT_EQ(config["axis"], ordered_json({1, 2}));
    EXPECT_EQ(test::layer_of(name, config)->config(), config);
  }
  LayerNormalization layer;
  layer.set_name("layer");
  Graph graph;
  const std::size_t input = graph.add_input({4, 3});
  layer.apply(graph, {&input, 1});
  EXPECT_EQ(layer.config()["axis"], ordered_json({2}));  // as Keras 2 writes it
}

}  // namespace
}  // namespace lockstep
