#include "src/kernels/convolution.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "src/core/parallel.hpp"
#include "src/core/random.hpp"
#include "src/kernels/exact_chains.hpp"
#include "src/kernels/exact_kernel_gradient.hpp"
#include "tests/support/convolution_reference.hpp"
#include "tests/support/convolution_shapes.hpp"

namespace lockstep::test {
namespace {

using Floats = std::vector<float>;

Floats random_floats(std::int64_t count, std::uint32_t stream) {
  Floats values(static_cast<std::size_t>(count));
  const RandomStream random(10, Purpose::kSynthetic, stream);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 2 * random.uniform(i) - 1;
  return values;
}

/// Where a result goes: filled with NaN, and with a few floats behind that stay what they are.
struct Target {
  static constexpr std::size_t kBehind = 40;
  explicit Target(std::int64_t count)
      : values(static_cast<std::size_t>(count) + kBehind, std::numeric_limits<float>::quiet_NaN()) {
    std::fill(values.end() - kBehind, values.end(), 7.0f);
  }
  float* data() { return values.data(); }
  Floats values;
};

/// As bits: -0 is not +0, and every NaN is one.
std::vector<std::uint32_t> bits(const Floats& values) {
  std::vector<std::uint32_t> result;
  for (const float value : values)
    result.push_back(std::isnan(value) ? 0x7fc00000u : std::bit_cast<std::uint32_t>(value));
  return result;
}

/// Every variant that this CPU can run.
std::vector<const ExactConvolution*> variants() {
  std::vector<const ExactConvolution*> found;
  for (const char* name : {"avx512", "avx2", "portable"})
    if (const ExactConvolution* variant = find_exact_convolution(name)) found.push_back(variant);
  return found;
}

class Convolutions : public ::testing::Test {
 protected:
  void TearDown() override { set_threads(1); }

  /// Of all variants: the definition's bits, in calls of a few samples, too.
  static void expect_definition(const ConvolutionShape& shape, std::int64_t samples,
                                bool infinite = false) {
    Floats x = random_floats(samples * shape.input_floats(), 1);
    Floats kernel = random_floats(shape.kernel_floats(), 2);
    Floats dy = random_floats(samples * shape.output_floats(), 3);
    const Floats bias = random_floats(shape.output_channels, 4);
    if (infinite) {
      constexpr float kInfinity = std::numeric_limits<float>::infinity();
      x[x.size() / 2] = -kInfinity;
      kernel[kernel.size() / 3] = kInfinity;
      if (!dy.empty()) dy[dy.size() / 4] = kInfinity;
    }
    for (const ConvolutionEnd& end : {ConvolutionEnd{}, ConvolutionEnd{bias.data(), true}}) {
      Target expected(samples * shape.output_floats());
      reference_convolve(shape, samples, x.data(), kernel.data(), end, expected.data());
      for (const ExactConvolution* variant : variants())
        for (const std::int64_t cut : {samples, samples / 3}) {
          Target y(samples * shape.output_floats());
          exact_convolve(*variant, shape, cut, x.data(), kernel.data(), end, y.data());
          exact_convolve(*variant, shape, samples - cut, x.data() + cut * shape.input_floats(),
                         kernel.data(), end, y.data() + cut * shape.output_floats());
          ASSERT_EQ(bits(y.values), bits(expected.values))
              << variant->name << ", " << samples << " samples, " << text(shape);
        }
    }
    Target expected(samples * shape.input_floats());
    reference_convolve_input_gradient(shape, samples, dy.data(), kernel.data(), expected.data());
    for (const ExactConvolution* variant : variants())
      for (const std::int64_t cut : {samples, samples / 3}) {
        Target dx(samples * shape.input_floats());
        exact_convolve_input_gradient(*variant, shape, cut, dy.data(), kernel.data(), dx.data());
        exact_convolve_input_gradient(*variant, shape, samples - cut,
                                      dy.data() + cut * shape.output_floats(), kernel.data(),
                                      dx.data() + cut * shape.input_floats());
        ASSERT_EQ(bits(dx.values), bits(expected.values))
            << variant->name << ", " << samples << " samples, input gradient, " << text(shape);
      }
  }
};

/// Of all variants: the tree over the definition's grains, all elements and some.
void expect_kernel_gradient(const ConvolutionShape& shape,
                            const std::vector<std::int64_t>& subtree_samples, std::int64_t grain,
                            bool infinite = false) {
  std::vector<Range> ranges;
  std::int64_t samples = 1;
  for (const std::int64_t count : subtree_samples) ranges.push_back({samples, samples += count});
  Floats x = random_floats(samples * shape.input_floats(), 1);
  const Floats dy = random_floats(samples * shape.output_floats(), 3);
  if (infinite) x[x.size() / 2] = std::numeric_limits<float>::infinity();
  const std::int64_t all = shape.kernel_floats();
  for (const Range elements :
       {Range{0, all}, Range{all / 3, all - all / 4}, Range{all / 2, all / 2 + 1}}) {
    const std::int64_t stride = elements.count() + 5;
    const Subtrees subtrees{.samples = ranges, .grain = grain, .stride = stride};
    Target expected(std::ssize(ranges) * stride);
    reference_convolve_kernel_gradient(shape, x.data(), dy.data(), subtrees, elements,
                                       expected.data());
    for (const ExactConvolution* variant : variants()) {
      Target gradient(std::ssize(ranges) * stride);
      exact_convolve_kernel_gradient(*variant, shape, x.data(), dy.data(), subtrees, elements,
                                     gradient.data());
      ASSERT_EQ(bits(gradient.values), bits(expected.values))
          << variant->name << ", subtrees of " << ::testing::PrintToString(subtree_samples)
          << " samples, grain " << grain << ", elements " << elements.first << " to "
          << elements.last << ", kernel gradient, " << text(shape);
    }
  }
}

TEST_F(Convolutions, AreChainsForRandomShapes) {
  for (std::uint32_t number = 0; number < 150; ++number)
    expect_definition(random_convolution(number), 1 + number % 4);
}

TEST_F(Convolutions, HaveKernelGradientsThatAreTreesOfGrains) {
  const std::vector<std::vector<std::int64_t>> subtrees = {{1}, {4, 3}, {2, 0, 1}, {7}};
  for (std::uint32_t number = 0; number < 120; ++number)
    expect_kernel_gradient(random_convolution(number), subtrees[number % 4], 1 + number % 3);
}

TEST_F(Convolutions, LeaveOutWhatPaddingWouldMake) {
  for (std::uint32_t number = 200; number < 240; ++number)
    expect_definition(random_convolution(number), 2, true);
  for (std::uint32_t number = 200; number < 240; ++number)
    expect_kernel_gradient(random_convolution(number), {2}, 1, true);
}

/// Shapes of networks, and samples.
std::vector<std::pair<ConvolutionShape, std::int64_t>> network_shapes() {
  using enum Padding;
  return {
      {image_convolution(28, 28, 1, 3, 32, kValid), 1},
      {image_convolution(28, 28, 1, 3, 32, kSame), 1},
      {image_convolution(16, 15, 3, 7, 64, kSame, 2), 1},
      {image_convolution(13, 13, 32, 3, 64, kValid), 1},
      {image_convolution(14, 14, 64, 3, 64, kSame), 1},
      {image_convolution(14, 14, 32, 3, 64, kSame, 2), 1},
      {image_convolution(7, 7, 33, 3, 100, kSame, 2), 2},
      {image_convolution(7, 7, 64, 3, 64, kSame), 1},
      {image_convolution(3, 3, 64, 3, 64, kSame), 9},
      {image_convolution(7, 7, 64, 1, 256, kValid), 1},
      {image_convolution(8, 8, 64, 1, 128, kValid, 2), 2},
      {image_convolution(16, 16, 32, 3, 1, kSame), 1},
      {image_convolution(14, 14, 1, 5, 32, kSame, 2), 2},
      {image_convolution(9, 40, 16, 5, 24, kSame, 1, 2), 1},
      {image_convolution(14, 14, 64, 3, 64, kSame, 1, 1, 64), 2},
      {image_convolution(6, 6, 64, 3, 128, kSame, 1, 1, 16), 1},
  };
}

TEST_F(Convolutions, AreChainsForTheShapesOfNetworks) {
  for (const auto& [shape, samples] : network_shapes()) expect_definition(shape, samples);
}

TEST_F(Convolutions, HaveKernelGradientsForTheShapesOfNetworks) {
  for (const auto& [shape, samples] : network_shapes()) expect_kernel_gradient(shape, {samples}, 1);
}

TEST_F(Convolutions, HaveKernelGradientsInManyBlocks) {
  ConvolutionShape sequence;  // lines longer than a block of positions
  sequence.input = {1, 1, 3001};
  sequence.kernel = {1, 1, 3};
  sequence.input_channels = 16;
  sequence.output_channels = 17;
  set_padding(sequence, 2, Padding::kSame);
  expect_kernel_gradient(sequence, {2, 1}, 1);
  sequence.input_channels = 2;
  sequence.output_channels = 40;
  expect_kernel_gradient(sequence, {2}, 1);
  // More sums than are kept at a time.
  expect_kernel_gradient(image_convolution(4, 4, 128, 3, 65, Padding::kSame), {5}, 2);
  expect_kernel_gradient(image_convolution(20, 20, 16, 3, 32, Padding::kSame), {11, 6}, 2);
}

TEST_F(Convolutions, AreTheSameOnThreads) {
  const ConvolutionShape shape = image_convolution(20, 20, 16, 3, 32, Padding::kSame);
  set_threads(3);
  expect_definition(shape, 2);
  expect_kernel_gradient(shape, {4, 3}, 2);
}

TEST_F(Convolutions, OfNothingDoNothing) {
  ConvolutionShape shape = image_convolution(3, 3, 2, 5, 4, Padding::kValid);
  ASSERT_EQ(shape.output_floats(), 0);
  expect_definition(shape, 2);  // dx is +0
  expect_kernel_gradient(shape, {2}, 1);
  expect_definition(image_convolution(3, 3, 2, 2, 4, Padding::kValid), 0);
}

}  // namespace
}  // namespace lockstep::test
