#pragma once

#include <cstdint>

#include "src/kernels/convolution.hpp"
#include "src/kernels/exact_convolution.hpp"

namespace lockstep {

/// convolution.hpp's functions by one variant. Large ones are shared out over the threads of
/// parallel.hpp by lines of output positions.

void exact_convolve(const ExactConvolution& variant, const ConvolutionShape& shape,
                    std::int64_t samples, const float* x, const float* kernel,
                    const ConvolutionEnd& end, float* y);
void exact_convolve_input_gradient(const ExactConvolution& variant, const ConvolutionShape& shape,
                                   std::int64_t samples, const float* dy, const float* kernel,
                                   float* dx);

}  // namespace lockstep
