#include "src/layers/convolution_transpose.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "tests/src/model/expect_error.hpp"
#include "tests/support/layer_checks.hpp"
#include "tests/support/layer_run.hpp"
#include "tests/support/layer_settings.hpp"

namespace lockstep {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;
constexpr auto kValid = Padding::kValid, kSame = Padding::kSame;

/// output_padding -1: none.
struct Steps {
  std::int64_t input, size, stride, dilation;
  Padding padding;
  std::int64_t output_padding, output, before;
};

/// By Keras 3.15 on TensorFlow: the lengths of its outputs, and where in them the kernel begins
/// that the first position is multiplied by.
const Steps kSteps[] = {{3, 1, 1, 1, kValid, -1, 3, 0},  {3, 1, 1, 1, kValid, 0, 3, 0},
                        {3, 1, 1, 1, kSame, -1, 3, 0},   {3, 1, 1, 1, kSame, 0, 3, 0},
                        {3, 1, 2, 1, kValid, -1, 6, 0},  {3, 1, 2, 1, kValid, 0, 5, 0},
                        {3, 1, 2, 1, kValid, 1, 6, 0},   {3, 1, 2, 1, kSame, -1, 6, 0},
                        {3, 1, 2, 1, kSame, 0, 5, 0},    {3, 1, 2, 1, kSame, 1, 6, 0},
                        {3, 1, 3, 1, kValid, -1, 9, 0},  {3, 1, 3, 1, kValid, 0, 7, 0},
                        {3, 1, 3, 1, kValid, 1, 8, 0},   {3, 1, 3, 1, kValid, 2, 9, 0},
                        {3, 1, 3, 1, kSame, -1, 9, 0},   {3, 1, 3, 1, kSame, 0, 7, 0},
                        {3, 1, 3, 1, kSame, 1, 8, 0},    {3, 1, 3, 1, kSame, 2, 9, 0},
                        {3, 2, 1, 1, kValid, -1, 4, 0},  {3, 2, 1, 1, kValid, 0, 4, 0},
                        {3, 2, 1, 1, kSame, -1, 3, 0},   {3, 2, 1, 2, kValid, -1, 5, 0},
                        {3, 2, 1, 2, kValid, 0, 5, 0},   {3, 2, 1, 2, kSame, -1, 3, 1},
                        {3, 2, 1, 2, kSame, 0, 3, 1},    {3, 2, 2, 1, kValid, -1, 6, 0},
                        {3, 2, 2, 1, kValid, 0, 6, 0},   {3, 2, 2, 1, kValid, 1, 7, 0},
                        {3, 2, 2, 1, kSame, -1, 6, 0},   {3, 2, 2, 1, kSame, 1, 5, 0},
                        {3, 2, 3, 1, kValid, -1, 9, 0},  {3, 2, 3, 1, kValid, 0, 8, 0},
                        {3, 2, 3, 1, kValid, 1, 9, 0},   {3, 2, 3, 1, kValid, 2, 10, 0},
                        {3, 2, 3, 1, kSame, -1, 9, 0},   {3, 2, 3, 1, kSame, 1, 7, 0},
                        {3, 2, 3, 1, kSame, 2, 8, 0},    {3, 3, 1, 1, kValid, -1, 5, 0},
                        {3, 3, 1, 1, kValid, 0, 5, 0},   {3, 3, 1, 1, kSame, -1, 3, 1},
                        {3, 3, 1, 1, kSame, 0, 3, 1},    {3, 3, 1, 2, kValid, -1, 7, 0},
                        {3, 3, 1, 2, kValid, 0, 7, 0},   {3, 3, 1, 2, kSame, -1, 3, 2},
                        {3, 3, 1, 2, kSame, 0, 3, 2},    {3, 3, 2, 1, kValid, -1, 7, 0},
                        {3, 3, 2, 1, kValid, 0, 7, 0},   {3, 3, 2, 1, kValid, 1, 8, 0},
                        {3, 3, 2, 1, kSame, -1, 6, 0},   {3, 3, 2, 1, kSame, 0, 5, 1},
                        {3, 3, 2, 1, kSame, 1, 6, 0},    {3, 3, 3, 1, kValid, -1, 9, 0},
                        {3, 3, 3, 1, kValid, 0, 9, 0},   {3, 3, 3, 1, kValid, 1, 10, 0},
                        {3, 3, 3, 1, kValid, 2, 11, 0},  {3, 3, 3, 1, kSame, -1, 9, 0},
                        {3, 3, 3, 1, kSame, 0, 7, 1},    {3, 3, 3, 1, kSame, 1, 8, 0},
                        {3, 3, 3, 1, kSame, 2, 9, 0},    {3, 4, 1, 1, kValid, -1, 6, 0},
                        {3, 4, 1, 1, kValid, 0, 6, 0},   {3, 4, 1, 1, kSame, -1, 3, 1},
                        {3, 4, 1, 2, kValid, -1, 9, 0},  {3, 4, 1, 2, kValid, 0, 9, 0},
                        {3, 4, 1, 2, kSame, -1, 3, 3},   {3, 4, 1, 2, kSame, 0, 3, 3},
                        {3, 4, 2, 1, kValid, -1, 8, 0},  {3, 4, 2, 1, kValid, 0, 8, 0},
                        {3, 4, 2, 1, kValid, 1, 9, 0},   {3, 4, 2, 1, kSame, -1, 6, 1},
                        {3, 4, 2, 1, kSame, 1, 5, 1},    {3, 4, 3, 1, kValid, -1, 10, 0},
                        {3, 4, 3, 1, kValid, 0, 10, 0},  {3, 4, 3, 1, kValid, 1, 11, 0},
                        {3, 4, 3, 1, kValid, 2, 12, 0},  {3, 4, 3, 1, kSame, -1, 9, 0},
                        {3, 4, 3, 1, kSame, 1, 7, 1},    {3, 4, 3, 1, kSame, 2, 8, 1},
                        {3, 5, 1, 1, kValid, -1, 7, 0},  {3, 5, 1, 1, kValid, 0, 7, 0},
                        {3, 5, 1, 1, kSame, -1, 3, 2},   {3, 5, 1, 1, kSame, 0, 3, 2},
                        {3, 5, 2, 1, kValid, -1, 9, 0},  {3, 5, 2, 1, kValid, 0, 9, 0},
                        {3, 5, 2, 1, kValid, 1, 10, 0},  {3, 5, 2, 1, kSame, -1, 6, 1},
                        {3, 5, 2, 1, kSame, 0, 5, 2},    {3, 5, 2, 1, kSame, 1, 6, 1},
                        {3, 5, 3, 1, kValid, -1, 11, 0}, {3, 5, 3, 1, kValid, 0, 11, 0},
                        {3, 5, 3, 1, kValid, 1, 12, 0},  {3, 5, 3, 1, kValid, 2, 13, 0},
                        {3, 5, 3, 1, kSame, -1, 9, 1},   {3, 5, 3, 1, kSame, 0, 7, 2},
                        {3, 5, 3, 1, kSame, 1, 8, 1},    {3, 5, 3, 1, kSame, 2, 9, 1}};

TEST(ConvolutionTranspose, TakesStepsAsKerasDoes) {
  for (const Steps& steps : kSteps) {
    std::optional<std::int64_t> output_padding;
    if (steps.output_padding >= 0) output_padding = steps.output_padding;
    const auto [output, before] = transposed_steps(steps.input, steps.size, steps.stride,
                                                   steps.dilation, steps.padding, output_padding);
    const std::string which =
        fmt::format("size {} stride {} dilation {} {} output padding {}", steps.size, steps.stride,
                    steps.dilation, padding_name(steps.padding), steps.output_padding);
    EXPECT_EQ(output, steps.output) << which;
    EXPECT_EQ(before, steps.before) << which;
  }
}

const std::vector<test::LayerSetting>& settings() {
  static const std::vector<test::LayerSetting> all = {
      {"Plain1D", "Conv1DTranspose", {{"filters", 3}, {"kernel_size", 3}}, {4, 2}},
      {"SmallerThanStride",
       "Conv1DTranspose",
       {{"filters", 2}, {"kernel_size", 2}, {"strides", 3}, {"activation", "tanh"}},
       {3, 2}},
      {"Relu",
       "Conv2DTranspose",
       {{"filters", 2}, {"kernel_size", 3}, {"strides", 2}, {"activation", "relu"}},
       {2, 3, 3}},
      {"ReluWithoutBias",
       "Conv2DTranspose",
       {{"filters", 2}, {"kernel_size", 2}, {"activation", "relu"}, {"use_bias", false}},
       {2, 3, 1}},
      {"Same",
       "Conv2DTranspose",
       {{"filters", 1}, {"kernel_size", {4, 3}}, {"strides", {2, 3}}, {"padding", "same"}},
       {3, 2, 2}},
      {"OutputPadding",
       "Conv2DTranspose",
       {{"filters", 1},
        {"kernel_size", 3},
        {"strides", 2},
        {"padding", "same"},
        {"output_padding", {0, 1}}},
       {2, 3, 2}},
      {"Dilation",
       "Conv2DTranspose",
       {{"filters", 2}, {"kernel_size", 2}, {"dilation_rate", 2}},
       {2, 3, 1}},
      {"SeventeenChannels", "Conv2DTranspose", {{"filters", 1}, {"kernel_size", 2}}, {1, 2, 17}},
      {"Plain3D",
       "Conv3DTranspose",
       {{"filters", 2}, {"kernel_size", {1, 2, 2}}, {"strides", {2, 1, 2}}},
       {2, 1, 2, 2}},
  };
  return all;
}

using test::LayerSettings;
INSTANTIATE_TEST_SUITE_P(ConvolutionTranspose, LayerSettings, testing::ValuesIn(settings()),
                         test::setting_name);

TEST(ConvolutionTranspose, HasAKernelOfItsFiltersBeforeItsInputs) {
  const auto layer = test::layer_of("Conv2DTranspose", {{"filters", 6}, {"kernel_size", {3, 2}}});
  test::LayerRun run(*layer, {{5, 4, 8}}, 1);
  EXPECT_EQ(layer->parameters()[0].shape, (Shape{3, 2, 6, 8}));
  EXPECT_EQ(layer->parameters()[1].shape, Shape{6});
  EXPECT_EQ(run.output_shape(), (Shape{7, 5, 6}));
  EXPECT_FALSE(layer->config().contains("groups"));  // which Keras 3 refuses
}

TEST(ConvolutionTranspose, RefusesByNameWhatKerasRefuses) {
  const auto refusal = [](const ordered_json& more, const Shape& input = {4, 4, 2}) {
    ordered_json config = {{"filters", 4}, {"kernel_size", 2}};
    config.update(more);
    return test::refusal_of("Conv2DTranspose", config, input);
  };
  EXPECT_EQ(refusal({{"strides", 2}, {"output_padding", 2}}),
            "output_padding: expected less than the strides on each axis, got (2, 2) with strides "
            "(2, 2)");
  EXPECT_THAT(refusal({{"output_padding", -1}}), HasSubstr("output_padding: expected an integer"));
  EXPECT_EQ(refusal(ordered_json::object(), {4, 2}),
            "[layer] expected an input of 4 axes (batch, 2 of positions, channels), got (None, 4, "
            "2); Reshape((4, 2, 1)) in front of it makes that one channel");
  EXPECT_EQ(refusal({{"padding", "same"}, {"output_padding", 0}}, {1, 4, 2}),
            "[layer] expected an output of at least one position on each axis, got 0: give another "
            "output_padding than (0, 0)");
  EXPECT_THAT(refusal({{"groups", 2}}), HasSubstr("groups: expected 1, got 2"));
  EXPECT_THAT(refusal({{"padding", "causal"}}), HasSubstr("padding: expected valid or same"));
  EXPECT_THAT(test::refusal_of("Conv1DTranspose",
                               {{"filters", 1}, {"kernel_size", 2}, {"padding", "causal"}}),
              HasSubstr("padding: expected valid or same"));
}

}  // namespace
}  // namespace lockstep
