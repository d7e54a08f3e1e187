#include "src/kernels/depthwise.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <string>
#include <vector>

#include "src/core/parallel.hpp"
#include "src/core/random.hpp"

namespace lockstep {
namespace {

using Floats = std::vector<float>;

Floats random_floats(std::int64_t count, std::uint32_t stream) {
  const RandomStream random(7, Purpose::kSynthetic, stream);
  Floats values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 2 * random.uniform(i) - 1;
  return values;
}

std::vector<const DepthwiseKernels*> all_variants() {
  std::vector<const DepthwiseKernels*> variants;
  for (const char* name : {"portable", "avx2", "avx512"})
    if (const DepthwiseKernels* variant = find_depthwise_kernels(name)) variants.push_back(variant);
  return variants;
}

void expect_bits(const Floats& got, const Floats& expected, const std::string& where) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::bit_cast<std::uint32_t>(expected[i]))
        << where << " element " << i << ": " << got[i] << " instead of " << expected[i];
}

struct Case {
  const char* name;
  ConvolutionShape shape;
  friend void PrintTo(const Case& which, std::ostream* out) { *out << which.name; }
};

ConvolutionShape of(ConvolutionShape shape, std::int64_t channels, std::int64_t multiplier) {
  shape.input_channels = shape.groups = channels;
  shape.output_channels = channels * multiplier;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::int64_t room =
        shape.input[i] + 2 * shape.before[i] - (shape.kernel[i] - 1) * shape.dilation[i] - 1;
    shape.output[i] = room / shape.stride[i] + 1;
  }
  return shape;
}

std::vector<Case> cases() {
  const ConvolutionShape three{.input = {1, 5, 19}, .kernel = {1, 3, 3}};
  ConvolutionShape same = three, strided = three, dilated = three, gaps = three, large = three;
  same.before = {0, 1, 1};
  strided.stride = {1, 2, 3}, strided.before = {0, 1, 1};
  dilated.dilation = {1, 2, 3}, dilated.before = {0, 2, 3};
  gaps.kernel = {1, 1, 2}, gaps.stride = {1, 2, 4};
  large.kernel = {1, 9, 7}, large.before = {0, 4, 3};
  const ConvolutionShape line{.input = {1, 1, 30}, .kernel = {1, 1, 5}};
  return {{"Valid", of(three, 5, 1)},
          {"OneChannel", of(same, 1, 1)},
          {"SixteenChannels", of(same, 16, 1)},
          {"ManyChannels", of(same, 87, 1)},
          {"Strided", of(strided, 20, 1)},
          {"Dilated", of(dilated, 7, 1)},
          {"Gaps", of(gaps, 9, 1)},
          {"LargerThanInput", of(large, 33, 1)},
          {"Line", of(line, 40, 1)},
          {"TwoOfEach", of(same, 19, 2)},
          {"ThreeOfEachStrided", of(strided, 6, 3)},
          {"ThreeOfOneChannel", of(same, 1, 3)}};
}

class Depthwise : public testing::TestWithParam<Case> {
 protected:
  static constexpr std::int64_t kSamples = 7;

  const ConvolutionShape& shape() const { return GetParam().shape; }
  const Floats x_ = random_floats(kSamples * GetParam().shape.input_floats(), 1);
  const Floats dy_ = random_floats(kSamples * GetParam().shape.output_floats(), 2);
  const Floats kernel_ = random_floats(GetParam().shape.kernel_floats(), 3);
  const Floats bias_ = random_floats(GetParam().shape.output_channels, 4);
};
INSTANTIATE_TEST_SUITE_P(Shapes, Depthwise, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

TEST_P(Depthwise, ForwardIsTheConvolutionInEveryVariant) {
  for (const ConvolutionEnd& end :
       {ConvolutionEnd{}, {.bias = bias_.data()}, {.bias = bias_.data(), .relu = true}}) {
    Floats expected(dy_.size());
    convolve(shape(), kSamples, x_.data(), kernel_.data(), end, expected.data());
    for (const DepthwiseKernels* variant : all_variants()) {
      Floats y(expected.size(), 9);
      DepthwiseConvolution(shape(), *variant)
          .forward(kSamples, x_.data(), kernel_.data(), end, y.data());
      expect_bits(y, expected, variant->name);
    }
  }
}

TEST_P(Depthwise, InputGradientIsThatOfTheConvolutionInEveryVariant) {
  Floats expected(x_.size());
  convolve_input_gradient(shape(), kSamples, dy_.data(), kernel_.data(), expected.data());
  for (const DepthwiseKernels* variant : all_variants()) {
    Floats dx(expected.size(), 9);
    DepthwiseConvolution(shape(), *variant)
        .input_gradient(kSamples, dy_.data(), kernel_.data(), dx.data());
    expect_bits(dx, expected, variant->name);
  }
}

/// Of any elements, with grains of 2 of which the last has but 1 sample.
TEST_P(Depthwise, KernelGradientIsThatOfTheConvolutionInEveryVariant) {
  const std::vector<Range> samples{{0, 4}, {4, 7}};
  const std::int64_t floats = shape().kernel_floats();
  for (const Range elements : {Range{0, floats}, {floats / 3, floats / 2 + 1}, {floats, floats}}) {
    const std::int64_t stride = floats + 5;
    const Subtrees subtrees{.samples = samples, .grain = 2, .stride = stride};
    Floats expected(static_cast<std::size_t>(2 * stride), 9);
    convolve_kernel_gradient(shape(), x_.data(), dy_.data(), subtrees, elements, expected.data());
    for (const DepthwiseKernels* variant : all_variants()) {
      Floats gradient(expected.size(), 9);
      DepthwiseConvolution(shape(), *variant)
          .kernel_gradient(x_.data(), dy_.data(), subtrees, elements, gradient.data());
      expect_bits(gradient, expected, variant->name);
    }
  }
}

TEST(DepthwiseThreads, ChangeNoBit) {
  const ConvolutionShape shape =
      of({.input = {1, 28, 28}, .kernel = {1, 3, 3}, .before = {0, 1, 1}}, 48, 1);
  constexpr std::int64_t kSamples = 8;
  const Floats x = random_floats(kSamples * shape.input_floats(), 1);
  const Floats kernel = random_floats(shape.kernel_floats(), 2);
  const Range all{0, kSamples};
  const auto results = [&](int count) {
    set_threads(count);
    const DepthwiseConvolution convolution(shape);
    Floats y(x.size()), dx(x.size()), gradient(kernel.size());
    convolution.forward(kSamples, x.data(), kernel.data(), {}, y.data());
    convolution.input_gradient(kSamples, x.data(), kernel.data(), dx.data());
    convolution.kernel_gradient(x.data(), y.data(), {.samples = {&all, 1}, .grain = 4},
                                {0, shape.kernel_floats()}, gradient.data());
    set_threads(1);
    y.insert(y.end(), dx.begin(), dx.end());
    y.insert(y.end(), gradient.begin(), gradient.end());
    return y;
  };
  // Those of one thread last: memory that is kept must not have their numbers.
  const Floats of_two = results(2), of_five = results(5), expected = results(1);
  expect_bits(of_two, expected, "2 threads");
  expect_bits(of_five, expected, "5 threads");
}

}  // namespace
}  // namespace lockstep
