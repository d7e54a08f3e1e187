#pragma once

#include "src/core/grain_tree.hpp"
#include "src/core/range.hpp"
#include "src/kernels/convolution.hpp"
#include "src/kernels/exact_convolution.hpp"

namespace lockstep {

/// convolution.hpp's function by one variant. Large ones are shared out over the threads of
/// parallel.hpp by elements.
void exact_convolve_kernel_gradient(const ExactConvolution& variant, const ConvolutionShape& shape,
                                    const float* x, const float* dy, const Subtrees& subtrees,
                                    Range elements, float* out);

}  // namespace lockstep
