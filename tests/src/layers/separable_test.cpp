#include "src/layers/separable.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/core/random.hpp"
#include "tests/src/model/expect_error.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"
#include "tests/support/layer_settings.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

const std::vector<test::LayerSetting>& settings() {
  static const std::vector<test::LayerSetting> all = {
      {"Plain1D", "SeparableConv1D", {{"filters", 3}, {"kernel_size", 3}}, {6, 2}},
      {"Relu",
       "SeparableConv2D",
       {{"filters", 2}, {"kernel_size", {2, 3}}, {"activation", "relu"}},
       {4, 3, 3}},
      {"ManyKernelsAChannel",
       "SeparableConv2D",
       {{"filters", 3}, {"kernel_size", 2}, {"depth_multiplier", 3}, {"activation", "tanh"}},
       {3, 4, 2}},
      {"SameStride",
       "SeparableConv2D",
       {{"filters", 1}, {"kernel_size", 3}, {"strides", 2}, {"padding", "same"}},
       {5, 4, 17}},
      {"DilationWithoutBias",
       "SeparableConv2D",
       {{"filters", 2},
        {"kernel_size", 2},
        {"dilation_rate", 2},
        {"use_bias", false},
        {"activation", "relu"}},
       {4, 5, 1}},
  };
  return all;
}

using test::LayerSettings;
INSTANTIATE_TEST_SUITE_P(Separable, LayerSettings, testing::ValuesIn(settings()),
                         test::setting_name);

/// A DepthwiseConv without a bias, then a convolution of one position.
TEST(SeparableConv, HasTheBitsOfItsTwoHalves) {
  const Shape input = {5, 6, 3};
  const auto whole = test::layer_of(
      "SeparableConv2D",
      {{"filters", 4}, {"kernel_size", 3}, {"depth_multiplier", 2}, {"activation", "relu"}});
  const auto depthwise = test::layer_of(
      "DepthwiseConv2D", {{"kernel_size", 3}, {"depth_multiplier", 2}, {"use_bias", false}});
  const auto pointwise =
      test::layer_of("Conv2D", {{"filters", 4}, {"kernel_size", 1}, {"activation", "relu"}});
  test::LayerRun run(*whole, {input}, 5);
  const RandomStream random(31, Purpose::kSynthetic, 0);
  std::uint64_t at = 0;
  const auto fill = [&](std::span<float> values) {
    for (float& value : values) value = 2 * random.uniform(at++) - 1;
  };
  for (Parameter& parameter : whole->parameters()) fill(parameter.value);
  fill(run.x());
  const std::vector<float> y = run.forward();

  test::LayerRun first(*depthwise, {input}, 5), second(*pointwise, {{3, 4, 6}}, 5);
  std::ranges::copy(whole->parameters()[0].value, depthwise->parameters()[0].value.begin());
  std::ranges::copy(whole->parameters()[1].value, pointwise->parameters()[0].value.begin());
  std::ranges::copy(whole->parameters()[2].value, pointwise->parameters()[1].value.begin());
  first.x() = run.x();
  second.x() = first.forward();
  EXPECT_EQ(y, second.forward());

  std::vector<float> dy(y.size());
  fill(dy);
  run.backward(dy);
  second.backward(dy);
  first.backward(second.dx());
  EXPECT_EQ(run.dx(), first.dx());
  EXPECT_EQ(run.gradient(0), first.gradient(0));
  EXPECT_EQ(run.gradient(1), second.gradient(0));
  EXPECT_EQ(run.gradient(2), second.gradient(1));
}

TEST(SeparableConv, HasKerassParameters) {
  const auto layer = test::layer_of(
      "SeparableConv2D", {{"filters", 5}, {"kernel_size", {3, 2}}, {"depth_multiplier", 2}});
  test::LayerRun run(*layer, {{5, 4, 3}}, 1);
  ASSERT_EQ(layer->parameters().size(), 3u);
  EXPECT_EQ(layer->parameters()[0].name, "depthwise_kernel");
  EXPECT_EQ(layer->parameters()[0].shape, (Shape{3, 2, 3, 2}));
  EXPECT_EQ(layer->parameters()[1].name, "pointwise_kernel");
  EXPECT_EQ(layer->parameters()[1].shape, (Shape{1, 1, 6, 5}));
  EXPECT_EQ(layer->parameters()[2].name, "bias");
  EXPECT_EQ(run.output_shape(), (Shape{3, 3, 5}));
}

TEST(SeparableConv, RefusesByNameWhatKerasRefuses) {
  const ordered_json two = {{"filters", 4}, {"kernel_size", 2}};
  const auto with = [&](const ordered_json& more) {
    ordered_json config = two;
    config.update(more);
    return config;
  };
  EXPECT_EQ(test::refusal_of("SeparableConv2D", two, {1, 5, 1}),
            "[layer] expected an input of at least 2 x 2 positions, got 1 x 5");
  EXPECT_THAT(test::refusal_of("SeparableConv2D", with({{"depth_multiplier", 0}})),
              HasSubstr("depth_multiplier: expected"));
  EXPECT_THAT(test::refusal_of("SeparableConv2D", with({{"padding", "causal"}})),
              HasSubstr("padding: expected valid or same"));
  EXPECT_THAT(test::refusal_of("SeparableConv2D", with({{"groups", 2}})),
              HasSubstr("groups: expected 1, got 2"));
  EXPECT_THAT(
      test::refusal_of("SeparableConv2D", with({{"pointwise_constraint", "my_constraint"}})),
      HasSubstr("pointwise_constraint"));
  EXPECT_EQ(test::refusal_of("SeparableConv1D", with({{"padding", "causal"}}), {3, 2}), "");
}

}  // namespace
}  // namespace lockstep
