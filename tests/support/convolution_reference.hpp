#pragma once

#include <cstdint>

#include "src/kernels/convolution.hpp"

namespace lockstep::test {

// The definition of convolution.hpp's functions: scalar loops in the order of the chains.

void reference_convolve(const ConvolutionShape& shape, std::int64_t samples, const float* x,
                        const float* kernel, const ConvolutionEnd& end, float* y);
void reference_convolve_input_gradient(const ConvolutionShape& shape, std::int64_t samples,
                                       const float* dy, const float* kernel, float* dx);
void reference_convolve_kernel_gradient(const ConvolutionShape& shape, const float* x,
                                        const float* dy, const Subtrees& subtrees, Range elements,
                                        float* out);

}  // namespace lockstep::test
