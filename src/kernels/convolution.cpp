#include "src/kernels/convolution.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "src/kernels/exact_chains.hpp"

namespace lockstep {
namespace {

using Axes = ConvolutionShape::Axes;

template <class F>
void for_each(const Axes& extent, F&& visit) {
  Axes at;
  for (at[0] = 0; at[0] < extent[0]; ++at[0])
    for (at[1] = 0; at[1] < extent[1]; ++at[1])
      for (at[2] = 0; at[2] < extent[2]; ++at[2]) visit(at);
}

std::int64_t index(const Axes& extent, const Axes& at) {
  return (at[0] * extent[1] + at[1]) * extent[2] + at[2];
}

/// The input position that a kernel position reads for an output position; false: padding.
bool input_of(const ConvolutionShape& shape, const Axes& output, const Axes& tap, Axes& input) {
  for (std::size_t i = 0; i < 3; ++i) {
    input[i] = output[i] * shape.stride[i] + tap[i] * shape.dilation[i] - shape.before[i];
    if (input[i] < 0 || input[i] >= shape.input[i]) return false;
  }
  return true;
}

}  // namespace

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
  const std::int64_t inputs = shape.channels_in_group(), outputs = shape.output_channels;
  std::vector<float> stack;
  for (std::size_t i = 0; i < subtrees.size(); ++i)
    for (std::int64_t element = elements.first; element < elements.last; ++element) {
      const std::int64_t o = element % outputs, c = element / outputs % inputs;
      const std::int64_t at = element / outputs / inputs;
      const Axes tap = {at / shape.kernel[2] / shape.kernel[1],
                        at / shape.kernel[2] % shape.kernel[1], at % shape.kernel[2]};
      const std::int64_t channel = o / (outputs / shape.groups) * inputs + c;
      stack.clear();
      const Range rows = subtrees.samples[i];
      for (std::int64_t grain = 0; grain < subtrees.grains(i); ++grain) {
        const std::int64_t first = rows.first + grain * subtrees.grain;
        float sum = 0;
        for (std::int64_t n = first; n < std::min(first + subtrees.grain, rows.last); ++n)
          for_each(shape.output, [&](const Axes& output) {
            Axes input;
            if (!input_of(shape, output, tap, input)) return;
            sum = std::fma(
                x[n * shape.input_floats() + index(shape.input, input) * shape.input_channels +
                  channel],
                dy[n * shape.output_floats() + index(shape.output, output) * outputs + o], sum);
          });
        for (int merges = tree_merges_after(grain, subtrees.grains(i)); merges > 0; --merges) {
          sum = stack.back() + sum;
          stack.pop_back();
        }
        stack.push_back(sum);
      }
      out[static_cast<std::int64_t>(i) * subtrees.stride + element - elements.first] = stack.back();
    }
}

}  // namespace lockstep
