#include "src/layers/convolution.hpp"

#include "tests/support/over_ranks.hpp"

namespace lockstep {
namespace {

/// Stride, groups, a transpose and a separable one; gradients by rows, whatever the host.
constexpr const char* kNarrow =
    "Input((7, 6, 4)), Conv2D(6, 3, strides=2, padding=same, groups=2, activation=relu), "
    "Conv2DTranspose(5, 3, 2, activation=tanh), Conv2D(4, 2, dilation_rate=2, use_bias=False), "
    "SeparableConv2D(5, 2, 2, activation=relu), Conv2D(3, 1, activation=relu), Flatten(), Dense(3, "
    "softmax)";
/// More parameters than positions: gradients by owners.
constexpr const char* kWide =
    "Input((3, 16)), Conv1D(64, 3, strides=2, padding=causal, activation=relu), "
    "Conv1D(64, 2, strides=2), Conv1DTranspose(32, 3), Conv1D(32, 3), Flatten(), Dense(3, softmax)";
/// Channels alone, and what moves positions.
constexpr const char* kPooled =
    "Input((7, 6, 4)), ZeroPadding2D(1), "
    "DepthwiseConv2D(3, padding=same, depth_multiplier=2, activation=relu), "
    "MaxPooling2D(3, 2, padding=same), UpSampling2D(2, interpolation=bilinear), "
    "DepthwiseConv2D((2, 3), strides=2), AveragePooling2D(2), GlobalMaxPooling2D(), "
    "Dense(3, softmax)";

std::vector<GradientWay> kernel_ways(const char* layers, int host_ranks) {
  return test::gradient_ways_of(layers, host_ranks, [](const Parameter& parameter) {
    return parameter.name == "kernel" && parameter.shape.size() > 2;
  });
}

using ConvolutionOverRanks = test::OverRanks;
INSTANTIATE_TEST_SUITE_P(Strategies, ConvolutionOverRanks, test::kStrategies, test::strategy_name);

TEST_P(ConvolutionOverRanks, GivesOneRanksBitsWithGradientsByRows) {
  for (const int host_ranks : {1, 2, 3, 4, 8, 64})
    EXPECT_THAT(kernel_ways(kNarrow, host_ranks), testing::Each(GradientWay::kRows));
  expect_what_one_rank_computes(kNarrow);
}

TEST_P(ConvolutionOverRanks, GivesOneRanksBitsWithGradientsByOwners) {
  for (const int host_ranks : {2, 3, 4, 8, 64})
    EXPECT_THAT(kernel_ways(kWide, host_ranks), testing::Each(GradientWay::kOwner));
  expect_what_one_rank_computes(kWide);
}

TEST_P(ConvolutionOverRanks, GivesOneRanksBitsWithPooling) {
  expect_what_one_rank_computes(kPooled);
}

}  // namespace
}  // namespace lockstep
