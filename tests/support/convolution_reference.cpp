#include "tests/support/convolution_reference.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace lockstep::test {
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

void reference_convolve(const ConvolutionShape& shape, std::int64_t samples, const float* x,
                        const float* kernel, const ConvolutionEnd& end, float* y) {
  const std::int64_t inputs = shape.channels_in_group(), outputs = shape.output_channels;
  for (std::int64_t n = 0; n < samples; ++n, x += shape.input_floats(), y += shape.output_floats())
    for_each(shape.output, [&](const Axes& output) {
      for (std::int64_t o = 0; o < outputs; ++o) {
        const std::int64_t group = o / (outputs / shape.groups);
        float sum = 0;
        for_each(shape.kernel, [&](const Axes& tap) {
          Axes input;
          if (!input_of(shape, output, tap, input)) return;
          const float* const from =
              x + index(shape.input, input) * shape.input_channels + group * inputs;
          const float* const weights = kernel + index(shape.kernel, tap) * inputs * outputs + o;
          for (std::int64_t c = 0; c < inputs; ++c)
            sum = std::fma(from[c], weights[c * outputs], sum);
        });
        if (end.bias) sum += end.bias[o];
        if (end.relu) sum = sum <= 0 ? 0 : sum;  // a NaN stays what it is
        y[index(shape.output, output) * outputs + o] = sum;
      }
    });
}

void reference_convolve_input_gradient(const ConvolutionShape& shape, std::int64_t samples,
                                       const float* dy, const float* kernel, float* dx) {
  const std::int64_t inputs = shape.channels_in_group(), outputs = shape.output_channels;
  const std::int64_t in_group = outputs / shape.groups;
  std::fill_n(dx, samples * shape.input_floats(), 0.0f);
  for (std::int64_t n = 0; n < samples;
       ++n, dx += shape.input_floats(), dy += shape.output_floats())
    for_each(shape.output, [&](const Axes& output) {
      for_each(shape.kernel, [&](const Axes& tap) {
        Axes input;
        if (!input_of(shape, output, tap, input)) return;
        float* const to = dx + index(shape.input, input) * shape.input_channels;
        const float* const from = dy + index(shape.output, output) * outputs;
        const float* const weights = kernel + index(shape.kernel, tap) * inputs * outputs;
        for (std::int64_t c = 0; c < shape.input_channels; ++c)
          for (std::int64_t o = c / inputs * in_group, last = o + in_group; o < last; ++o)
            to[c] = std::fma(from[o], weights[c % inputs * outputs + o], to[c]);
      });
    });
}

void reference_convolve_kernel_gradient(const ConvolutionShape& shape, const float* x,
                                        const float* dy, const Subtrees& subtrees, Range elements,
                                        float* out) {
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
      out[static_cast<std::int64_t>(i) * subtrees.stride + element - elements.first] =
          stack.empty() ? 0.0f : stack.back();
    }
}

}  // namespace lockstep::test
