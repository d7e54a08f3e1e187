#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/kernels/convolution.hpp"

namespace lockstep::test {

enum class Padding { kValid, kSame, kCausal };

/// Of one axis: the padding in front and the outputs by Keras's rules.
void set_padding(ConvolutionShape& shape, std::size_t axis, Padding padding);

/// A shape of two axes.
ConvolutionShape image_convolution(std::int64_t height, std::int64_t width, std::int64_t inputs,
                                   std::int64_t kernel, std::int64_t outputs, Padding padding,
                                   std::int64_t stride = 1, std::int64_t dilation = 1,
                                   std::int64_t groups = 1);

/// Any number of axes, strides, dilations, groups, padding of every kind and outputs without any
/// input; small. A pure function of its number.
ConvolutionShape random_convolution(std::uint32_t number);

std::string text(const ConvolutionShape& shape);

}  // namespace lockstep::test
