#include "src/layers/convolution.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

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
      {"Plain1D", "Conv1D", {{"filters", 3}, {"kernel_size", 3}}, {6, 2}},
      {"Causal",
       "Conv1D",
       {{"filters", 2}, {"kernel_size", 3}, {"padding", "causal"}, {"dilation_rate", 2}},
       {5, 3}},
      {"Plain2D",
       "Conv2D",
       {{"filters", 2}, {"kernel_size", 3}, {"activation", "relu"}},
       {5, 4, 3}},
      {"SameStride",
       "Conv2D",
       {{"filters", 2}, {"kernel_size", 3}, {"padding", "same"}, {"strides", 2}},
       {4, 5, 1}},
      {"LargerThanInput",
       "Conv2D",
       {{"filters", 1}, {"kernel_size", 5}, {"padding", "same"}, {"use_bias", false}},
       {2, 3, 2}},
      {"SmallerThanStride",
       "Conv2D",
       {{"filters", 2}, {"kernel_size", {2, 1}}, {"strides", 3}, {"activation", "tanh"}},
       {5, 7, 1}},
      {"Dilation",
       "Conv2D",
       {{"filters", 1}, {"kernel_size", 2}, {"dilation_rate", {2, 3}}, {"padding", "same"}},
       {4, 5, 2}},
      {"Groups",
       "Conv2D",
       {{"filters", 6}, {"kernel_size", 2}, {"groups", 3}, {"activation", "relu"}},
       {3, 3, 6}},
      {"GroupsOfOneChannel",
       "Conv2D",
       {{"filters", 6}, {"kernel_size", 2}, {"groups", 3}, {"activation", "relu"}},
       {3, 4, 3}},
      {"GroupsOfOneChannelCausal",
       "Conv1D",
       {{"filters", 4}, {"kernel_size", 2}, {"groups", 4}, {"padding", "causal"}},
       {5, 4}},
      {"SeventeenChannels", "Conv2D", {{"filters", 1}, {"kernel_size", {1, 2}}}, {1, 3, 17}},
      {"OnePosition",
       "Conv2D",
       {{"filters", 3}, {"kernel_size", 1}, {"activation", "relu"}},
       {2, 3, 4}},
      {"OnePositionWithoutBias",
       "Conv2D",
       {{"filters", 3}, {"kernel_size", 1}, {"activation", "relu"}, {"use_bias", false}},
       {1, 1, 4}},
      {"OnePositionInGroups",
       "Conv1D",
       {{"filters", 4}, {"kernel_size", 1}, {"groups", 2}},
       {3, 2}},
      {"Plain3D",
       "Conv3D",
       {{"filters", 2}, {"kernel_size", {2, 1, 2}}, {"strides", {1, 2, 1}}, {"padding", "same"}},
       {2, 3, 2, 2}},
  };
  return all;
}

using test::LayerSettings;
INSTANTIATE_TEST_SUITE_P(Convolution, LayerSettings, testing::ValuesIn(settings()),
                         test::setting_name);

std::vector<float> random_values(std::size_t count, std::uint32_t stream) {
  const RandomStream random(29, Purpose::kSynthetic, stream);
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = 2 * random.uniform(i) - 1;
  return values;
}

/// Forward and backward give what convolution.hpp's functions give.
void expect_bits_of_the_kernels(const Window& window, const Shape& input, std::int64_t filters,
                                std::int64_t groups) {
  constexpr std::int64_t kRows = 5;
  for (const bool relu : {false, true}) {
    Convolution layer(filters, window, relu ? Activation::kRelu : Activation::kLinear, groups);
    test::LayerRun run(layer, {input}, kRows);
    for (Parameter& parameter : layer.parameters())
      std::ranges::copy(random_values(parameter.value.size(), 1), parameter.value.begin());
    run.x() = random_values(run.x().size(), 2);
    const std::vector<float> y = run.forward();
    std::vector<float> dy = random_values(y.size(), 3);
    run.backward(dy);

    ConvolutionShape shape = window_over("", window, input);
    shape.output_channels = filters;
    shape.groups = groups;
    const auto& kernel = layer.parameters()[0].value;
    std::vector<float> expected(y.size()), dx(run.x().size()), gradient(kernel.size());
    convolve(shape, kRows, run.x().data(), kernel.data(),
             {.bias = layer.parameters()[1].value.data(), .relu = relu}, expected.data());
    EXPECT_EQ(y, expected);
    for (std::size_t i = 0; relu && i < dy.size(); ++i)
      if (y[i] <= 0) dy[i] = 0;
    convolve_input_gradient(shape, kRows, dy.data(), kernel.data(), dx.data());
    EXPECT_EQ(run.dx(), dx);
    const Range all{0, kRows};
    convolve_kernel_gradient(shape, run.x().data(), dy.data(), {.samples = {&all, 1}, .grain = 2},
                             {0, static_cast<std::int64_t>(kernel.size())}, gradient.data());
    EXPECT_EQ(run.gradient(0), gradient);
  }
}

/// One position of the kernel is computed as a product, which must not show.
TEST(Convolution, OfOnePositionHasTheBitsOfEveryOther) {
  for (const Shape& input : {Shape{3, 5, 7}, Shape{1, 1, 70}})
    expect_bits_of_the_kernels(Window::of("", {1, 1}), input, 9, 1);
}

/// Nor must it show that groups of single channels are depthwise.
TEST(Convolution, OfSingleChannelsHasTheBitsOfEveryOther) {
  const Window causal = Window::of("", {3}, {}, {2}, Padding::kCausal);
  const Window strided = Window::of("", {3, 2}, {2, 1}, {}, Padding::kSame);
  for (const std::int64_t multiplier : {1, 3, 20}) {
    SCOPED_TRACE(multiplier);
    expect_bits_of_the_kernels(causal, {9, 17}, 17 * multiplier, 17);
    expect_bits_of_the_kernels(strided, {5, 6, 4}, 4 * multiplier, 4);
    expect_bits_of_the_kernels(Window::of("", {1, 1}), {2, 3, 5}, 5 * multiplier, 5);
    expect_bits_of_the_kernels(Window::of("", {2, 2, 2}), {3, 3, 4, 5}, 5 * multiplier, 5);
  }
}

TEST(Convolution, HasKerassParametersAndConfig) {
  const auto layer = test::layer_of("Conv2D", {{"filters", 6}, {"kernel_size", 3}, {"groups", 2}});
  test::LayerRun run(*layer, {{5, 4, 8}}, 1);
  ASSERT_EQ(layer->parameters().size(), 2u);
  EXPECT_EQ(layer->parameters()[0].name, "kernel");
  EXPECT_EQ(layer->parameters()[0].shape, (Shape{3, 3, 4, 6}));
  EXPECT_EQ(layer->parameters()[1].name, "bias");
  EXPECT_EQ(layer->parameters()[1].shape, Shape{6});
  EXPECT_EQ(run.output_shape(), (Shape{3, 2, 6}));
  std::vector<std::string> keys;
  const ordered_json config = layer->config();
  for (const auto& [key, value] : config.items()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{
                      "filters", "kernel_size", "strides", "padding", "data_format",
                      "dilation_rate", "groups", "activation", "use_bias", "kernel_initializer",
                      "bias_initializer", "kernel_regularizer", "bias_regularizer",
                      "activity_regularizer", "kernel_constraint", "bias_constraint"}));
  EXPECT_EQ(layer->config().at("kernel_size"), (ordered_json{3, 3}));
}

/// Glorot's limit with a receptive field of 9: sqrt(6 / (9 * 4 + 9 * 6)).
TEST(Convolution, StartsWithinTheLimitsOfItsReceptiveField) {
  const auto layer = test::layer_of("Conv2D", {{"filters", 6}, {"kernel_size", 3}, {"groups", 2}});
  test::LayerRun run(*layer, {{5, 4, 8}}, 1);
  std::vector<float> values(layer->parameters()[0].value.size());
  const RandomStream random(1, Purpose::kSynthetic, 0);
  layer->parameters()[0].initializer->fill(values, layer->parameters()[0].shape, random);
  const float limit = std::sqrt(6.0f / 90);
  const float most = std::abs(std::ranges::max(values, {}, [](float v) { return std::abs(v); }));
  EXPECT_LE(most, limit);
  EXPECT_GT(most, 0.97f * limit);
}

TEST(Convolution, RefusesByNameWhatKerasRefuses) {
  const ordered_json three = {{"filters", 4}, {"kernel_size", 3}};
  const auto with = [&](const ordered_json& more) {
    ordered_json config = three;
    config.update(more);
    return config;
  };
  EXPECT_EQ(test::refusal_of("Conv2D", three, {2, 5, 1}),
            "[layer] expected an input of at least 3 x 3 positions, got 2 x 5");
  EXPECT_EQ(test::refusal_of("Conv1D", with({{"dilation_rate", 4}}), {8, 1}),
            "[layer] expected an input of at least 9 positions, got 8");
  EXPECT_EQ(test::refusal_of("Conv2D", three, {9}),
            "[layer] expected an input of 4 axes (batch, 2 of positions, channels), got (None, 9)");
  EXPECT_EQ(test::refusal_of("Conv2D", with({{"groups", 2}}), {5, 5, 3}),
            "[layer] expected a number of input channels that its 2 groups divide, got 3");
  EXPECT_EQ(test::refusal_of("Conv2D", with({{"groups", 3}})),
            "groups: expected a divisor of the 4 filters, got 3");
  EXPECT_THAT(test::refusal_of("Conv2D", with({{"filters", 0}})), HasSubstr("filters: expected"));
  EXPECT_THAT(test::refusal_of("Conv2D", with({{"groups", 0}})), HasSubstr("groups: expected"));
  EXPECT_THAT(test::refusal_of("Conv2D", with({{"padding", "causal"}})),
              HasSubstr("padding: expected valid or same"));
  EXPECT_THAT(test::refusal_of("Conv2D", with({{"strides", 2}, {"dilation_rate", 2}})),
              HasSubstr("strides: expected 1 together with a dilation_rate above 1"));
  EXPECT_THAT(test::refusal_of("Conv2D", with({{"kernel_constraint", "my_constraint"}})),
              HasSubstr("kernel_constraint"));
  EXPECT_THAT(test::refusal_of("Conv2D", with({{"kernel_sizes", 3}})),
              HasSubstr("expected no such key"));
  EXPECT_THROW(Convolution(0, Window::of("", {3})), Error);
  EXPECT_THROW(Convolution(4, Window::of("", {3}), Activation::kLinear, 3), Error);
}

/// A second use over other positions is fine, over other channels not.
TEST(Convolution, IsSharedByInputsOfTheSameChannels) {
  Convolution layer(2, Window::of("", {2}));
  layer.set_name("shared");
  Graph graph;
  const std::size_t first = graph.add_input({5, 3}), second = graph.add_input({9, 3});
  layer.apply(graph, {&first, 1});
  EXPECT_EQ(graph.shape(layer.apply(graph, {&second, 1})), (Shape{8, 2}));
  const std::size_t third = graph.add_input({5, 4});
  expect_error(
      ExitCode::kBadData,
      [&] {
        layer.apply(graph, {&third, 1});
      },
      "[shared] expected an input of 3 channels, as before, got 4");
}

}  // namespace
}  // namespace lockstep
