#pragma once

#include <functional>

#include "src/kernels/convolution.hpp"

/// oneDNN's convolution of a shape with two axes, random contents, one thread.
struct OneDnnConvolution {
  std::function<void()> forward, input_gradient, kernel_gradient;
};

/// Activations in oneDNN's own layouts, or by (sample, height, width, channel).
OneDnnConvolution onednn_convolution(const lockstep::ConvolutionShape& shape, std::int64_t samples,
                                     bool own_layouts);
