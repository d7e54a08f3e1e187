#include "tests/support/convolution_shapes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "src/core/random.hpp"

namespace lockstep::test {
namespace {

std::int64_t span_of(const ConvolutionShape& shape, std::size_t axis) {
  return (shape.kernel[axis] - 1) * shape.dilation[axis] + 1;
}

}  // namespace

void set_padding(ConvolutionShape& shape, std::size_t axis, Padding padding) {
  const std::int64_t input = shape.input[axis], stride = shape.stride[axis];
  const std::int64_t span = span_of(shape, axis);
  if (padding == Padding::kValid) {
    shape.before[axis] = 0;
    shape.output[axis] = input < span ? 0 : (input - span) / stride + 1;
    return;
  }
  shape.output[axis] = (input + stride - 1) / stride;
  shape.before[axis] =
      padding == Padding::kCausal
          ? span - 1
          : std::max<std::int64_t>(0, (shape.output[axis] - 1) * stride + span - input) / 2;
}

ConvolutionShape image_convolution(std::int64_t height, std::int64_t width, std::int64_t inputs,
                                   std::int64_t kernel, std::int64_t outputs, Padding padding,
                                   std::int64_t stride, std::int64_t dilation,
                                   std::int64_t groups) {
  ConvolutionShape shape;
  shape.input = {1, height, width};
  shape.kernel = {1, kernel, kernel};
  shape.stride = {1, stride, stride};
  shape.dilation = {1, dilation, dilation};
  shape.input_channels = inputs;
  shape.output_channels = outputs;
  shape.groups = groups;
  set_padding(shape, 1, padding);
  set_padding(shape, 2, padding);
  return shape;
}

ConvolutionShape random_convolution(std::uint32_t number) {
  const RandomStream random(20, Purpose::kSynthetic, number);
  std::uint64_t drawn = 0;
  const auto below = [&](std::int64_t bound) {
    return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(bound), drawn++));
  };
  const auto one_of = [&](const std::vector<std::int64_t>& values) {
    return values[static_cast<std::size_t>(below(std::ssize(values)))];
  };
  ConvolutionShape shape;
  const auto axes = static_cast<std::size_t>(1 + below(3));
  for (std::size_t axis = 3 - axes; axis < 3; ++axis) {
    shape.input[axis] = 1 + below(axes == 1 ? 50 : axes == 2 ? 17 : 7);
    shape.kernel[axis] = one_of({1, 2, 3, 3, 4, 5, 7});
    shape.stride[axis] = one_of({1, 1, 1, 2, 3});
    shape.dilation[axis] = one_of({1, 1, 1, 2, 3});
    const std::int64_t padding = below(4);
    if (padding < 3) set_padding(shape, axis, static_cast<Padding>(padding));
    if (padding == 3 || shape.output[axis] == 0) {
      shape.before[axis] = below(span_of(shape, axis) + 1);
      const std::int64_t all = shape.input[axis] + shape.before[axis] + below(3);
      shape.output[axis] = 1 + below((all - 1) / shape.stride[axis] + 1);
    }
  }
  shape.groups = one_of({1, 1, 1, 1, 2, 3, 8});
  const bool many = shape.groups < 3;
  const std::vector<std::int64_t> few_channels = {1, 1, 2, 3, 5};
  const std::vector<std::int64_t> channels = {1, 2, 3, 3, 8, 16, 17, 32, 65};
  shape.input_channels = shape.groups * one_of(many ? channels : few_channels);
  shape.output_channels = shape.groups * one_of(many ? channels : few_channels);
  if (below(6) == 0)  // depthwise
    shape.groups = shape.input_channels = shape.output_channels = one_of({2, 3, 16, 17, 33, 70});
  return shape;
}

std::string text(const ConvolutionShape& shape) {
  return fmt::format(
      "input {} x {}, kernel {}, stride {}, dilation {}, before {}, output {} x {}, groups {}",
      shape.input, shape.input_channels, shape.kernel, shape.stride, shape.dilation, shape.before,
      shape.output, shape.output_channels, shape.groups);
}

}  // namespace lockstep::test
