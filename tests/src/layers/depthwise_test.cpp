#include "src/layers/depthwise.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "src/core/random.hpp"
#include "tests/support/finite_differences.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using Floats = std::vector<float>;

const ordered_json kThree = {{"kernel_size", 3}};

void check_gradients(const char* class_name, const ordered_json& config, const Shape& input) {
  SCOPED_TRACE(class_name + config.dump() + to_string(input));
  const auto layer = test::layer_of(class_name, config);
  test::expect_gradients_match_finite_differences(*layer, input, 3);
  test::expect_the_same_bits_in_blocks(class_name, config, {input});
}

TEST(DepthwiseConv, BackwardMatchesFiniteDifferences) {
  check_gradients("DepthwiseConv1D", kThree, {7, 3});
  check_gradients("DepthwiseConv1D",
                  {{"kernel_size", 4}, {"padding", "same"}, {"strides", 3}, {"activation", "tanh"}},
                  {7, 17});
  check_gradients("DepthwiseConv2D", kThree, {4, 5, 3});
  check_gradients("DepthwiseConv2D",
                  {{"kernel_size", {2, 3}}, {"padding", "same"}, {"depth_multiplier", 2}},
                  {3, 4, 2});
  check_gradients("DepthwiseConv2D", {{"kernel_size", 2}, {"activation", "relu"}}, {3, 2, 1});
  check_gradients("DepthwiseConv2D",
                  {{"kernel_size", 5}, {"padding", "same"}, {"strides", 2}, {"use_bias", false}},
                  {3, 2, 1});
  check_gradients("DepthwiseConv2D",
                  {{"kernel_size", 2}, {"dilation_rate", {2, 1}}, {"activation", "softmax"}},
                  {4, 3, 5});
}

TEST(DepthwiseConv, OutputChannelsOfOneInputChannelLieBesideEachOther) {
  const auto layer =
      test::layer_of("DepthwiseConv1D", {{"kernel_size", 1}, {"depth_multiplier", 2}});
  test::LayerRun run(*layer, {{1, 2}}, 1, {});
  EXPECT_EQ(run.output_shape(), (Shape{1, 4}));
  ASSERT_EQ(layer->parameters().size(), 2u);
  EXPECT_EQ(layer->parameters()[0].name, "depthwise_kernel");
  EXPECT_EQ(layer->parameters()[0].shape, (Shape{1, 2, 2}));
  EXPECT_EQ(layer->parameters()[1].shape, Shape{4});
  std::ranges::copy(Floats{1, 2, 3, 4}, layer->parameters()[0].value.begin());
  std::ranges::copy(Floats{0, 0, 0, 0.5f}, layer->parameters()[1].value.begin());
  run.x() = {10, 100};
  EXPECT_EQ(run.forward(), (Floats{10, 20, 300, 400.5f}));
}

/// Keras counts all channels as inputs, and the multiplier as outputs.
TEST(DepthwiseConv, DrawsWeightsWithinKerasLimit) {
  const auto layer =
      test::layer_of("DepthwiseConv2D", {{"kernel_size", 3}, {"depth_multiplier", 2}});
  test::LayerRun run(*layer, {{3, 3, 50}}, 1);
  const Parameter& kernel = layer->parameters()[0];
  Floats values(kernel.value.size());
  kernel.initializer->fill(values, kernel.shape, RandomStream(1, Purpose::kSynthetic, 1));
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  const float limit = std::sqrt(6.0f / (9 * (50 + 2)));
  EXPECT_LE(largest, limit);
  EXPECT_GT(largest, 0.95f * limit);
}

TEST(DepthwiseConv, ReadsAndWritesKerasConfigs) {
  // As Keras 2 writes it.
  const auto layer = test::layer_of(
      "DepthwiseConv2D",
      {{"kernel_size", 3},
       {"groups", 1},
       {"activation", "relu"},
       {"depth_multiplier", 2},
       {"depthwise_initializer", "he_normal"},
       {"depthwise_regularizer", {{"class_name", "L2"}, {"config", {{"l2", 0.5}}}}}});
  const ordered_json config = layer->config();
  EXPECT_EQ(config.dump(),
            R"({"kernel_size":[3,3],"strides":[1,1],"padding":"valid",)"
            R"("data_format":"channels_last","dilation_rate":[1,1],"activation":"relu",)"
            R"("use_bias":true,"bias_initializer":{"class_name":"Zeros","config":{}},)"
            R"("bias_regularizer":null,"activity_regularizer":null,"bias_constraint":null,)"
            R"("depth_multiplier":2,"depthwise_initializer":{"class_name":"HeNormal",)"
            R"("config":{"seed":null}},"depthwise_regularizer":{"class_name":"L2",)"
            R"("config":{"l2":0.5}},"depthwise_constraint":null})");
  EXPECT_EQ(test::layer_of("DepthwiseConv2D", config)->config(), config);
}

TEST(DepthwiseConv, RefusesWhatItLacksByName) {
  const auto refusal = [](const ordered_json& more, const Shape& input) {
    ordered_json config = kThree;
    config.update(more);
    return test::refusal_of("DepthwiseConv1D", config, input);
  };
  EXPECT_EQ(refusal(ordered_json::object(), {5, 2}), "");
  EXPECT_THAT(test::refusal_of("DepthwiseConv2D", ordered_json::object()),
              HasSubstr("kernel_size: expected an integer of at least 1, or a list of 2"));
  EXPECT_THAT(refusal({{"padding", "causal"}}, {5, 2}),
              HasSubstr("padding: expected valid or same, got 'causal'"));
  EXPECT_THAT(refusal({{"depth_multiplier", 0}}, {5, 2}), HasSubstr("depth_multiplier: "));
  EXPECT_THAT(refusal({{"data_format", "channels"}}, {5, 2}),
              HasSubstr("data_format: expected channels_last or channels_first, got 'channels'"));
  EXPECT_THAT(refusal({{"groups", 2}}, {5, 2}), HasSubstr("groups: expected 1, got 2"));
  EXPECT_THAT(
      refusal({{"depthwise_constraint", {{"class_name", "MaxNorm"}, {"config", {{"axis", 7}}}}}},
              {5, 2}),
      HasSubstr("expected a constraint over axes from 0 to 2 of depthwise_kernel (3, 2, 1), got "
                "axis 7"));
  EXPECT_THAT(refusal({{"strides", 2}, {"dilation_rate", 2}}, {9, 2}), HasSubstr("strides: "));
  EXPECT_THAT(refusal(ordered_json::object(), {2, 2}),
              HasSubstr("[layer] expected an input of at least 3 positions, got 2"));
  EXPECT_THAT(refusal(ordered_json::object(), {4}),
              HasSubstr("[layer] expected an input of 3 axes"));
}

}  // namespace
}  // namespace lockstep
