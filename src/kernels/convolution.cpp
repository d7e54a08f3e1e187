#include "src/kernels/convolution.hpp"

#include "src/kernels/exact_chains.hpp"
#include "src/kernels/exact_kernel_gradient.hpp"

namespace lockstep {

void convolve(const ConvolutionShape& shape, std::int64_t samples, const float* x,
              const float* kernel, const ConvolutionEnd& end, float* y) {
  exact_convolve(exact_convolution(), shape, samples, x, kernel, end, y);
}

void convolve_input_gradient(const ConvolutionShape& shape, std::int64_t samples, const float* dy,
                             const float* kernel, float* dx) {
  exact_convolve_input_gradient(exact_convolution(), shape, samples, dy, kernel, dx);
}

void convolve_kernel_gradient(const ConvolutionShape& shape, const float* x, const float* dy,
                              const Subtrees& subtrees, Range elements, float* out) {
  exact_convolve_kernel_gradient(exact_convolution(), shape, x, dy, subtrees, elements, out);
}

}  // namespace lockstep
