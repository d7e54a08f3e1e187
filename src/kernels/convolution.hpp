#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "src/core/grain_tree.hpp"
#include "src/core/range.hpp"

namespace lockstep {

/// A convolution over the positions of a sample, (depth, height, width, channels), with Keras's
/// kernel, (kernel depth, height, width, input channels / groups, output channels). With two axes
/// or one the first extents are 1. It is not flipped.
struct ConvolutionShape {
  using Axes = std::array<std::int64_t, 3>;

  Axes input = {1, 1, 1};
  Axes kernel = {1, 1, 1};
  Axes stride = {1, 1, 1};
  Axes dilation = {1, 1, 1};
  Axes before = {0, 0, 0};  ///< positions of padding in front of each axis
  Axes output = {1, 1, 1};
  std::int64_t input_channels = 1;
  std::int64_t output_channels = 1;
  std::int64_t groups = 1;

  static std::int64_t product(const Axes& axes) { return axes[0] * axes[1] * axes[2]; }
  std::int64_t input_floats() const { return product(input) * input_channels; }  ///< of a sample
  std::int64_t output_floats() const { return product(output) * output_channels; }
  std::int64_t channels_in_group() const { return input_channels / groups; }
  std::int64_t kernel_floats() const {
    return product(kernel) * channels_in_group() * output_channels;
  }
};

/// What is done to each output while it is at hand.
struct ConvolutionEnd {
  const float* bias = nullptr;  ///< (output channels)
  bool relu = false;
};

// Every element is one chain of fused multiply-adds from +0 over the terms that exist: those that
// padding would make are left out. Bias is one add behind the chain. Exact always.

/// y: chains over (kernel position, input channel) ascending.
void convolve(const ConvolutionShape& shape, std::int64_t samples, const float* x,
              const float* kernel, const ConvolutionEnd& end, float* y);

/// dx: chains over (output position, output channel) ascending. Inputs that no output reads get +0.
void convolve_input_gradient(const ConvolutionShape& shape, std::int64_t samples, const float* dy,
                             const float* kernel, float* dx);

/// Some elements of the gradient by the kernel, as multiply_transposed_a(): per grain one chain
/// over (sample, output position) ascending, the grains added by the tree; partial i is written to
/// out + i * subtrees.stride.
void convolve_kernel_gradient(const ConvolutionShape& shape, const float* x, const float* dy,
                              const Subtrees& subtrees, Range elements, float* out);

}  // namespace lockstep
