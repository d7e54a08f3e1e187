#include "src/kernels/depthwise.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "src/core/float_buffer.hpp"
#include "src/core/parallel.hpp"
#include "src/kernels/kernels.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kHeight = 1, kWidth = 2;

/// Multiplications below which threads would cost more than they save.
constexpr std::int64_t kWorthThreads = 1 << 20;

using TermsOf = std::vector<std::vector<DepthwiseTerm>>;

/// Memory of this thread that grows when needed and is kept; undefined contents. Each purpose has
/// its own.
enum class Scratch : std::uint8_t { kSample, kKernel, kStack };
float* scratch(Scratch purpose, std::int64_t floats) {
  thread_local std::array<FloatBuffer, 3> memory;
  return memory[static_cast<std::size_t>(purpose)].at_least(floats);
}

/// What a tap of an output position reads along one axis; outside of the input it is padding.
std::int64_t input_of(const ConvolutionShape& shape, std::size_t axis, std::int64_t output,
                      std::int64_t tap) {
  return output * shape.stride[axis] + tap * shape.dilation[axis] - shape.before[axis];
}

/// The same taps, reading from one step further on.
bool goes_on(const std::vector<DepthwiseTerm>& terms, const std::vector<DepthwiseTerm>& next,
             std::int64_t source_step) {
  return std::ranges::equal(terms, next, [&](const DepthwiseTerm& a, const DepthwiseTerm& b) {
    return a.kernel == b.kernel && a.source + source_step == b.source;
  });
}

}  // namespace

/// The positions of one remainder by `step` after the other.
DepthwiseConvolution::Axis::Axis(const TermsOf& terms_of, std::int64_t floats, std::int64_t step,
                                 std::int64_t source_step) {
  const auto extent = static_cast<std::int64_t>(terms_of.size());
  const auto of = [&](std::int64_t at) -> const auto& {
    return terms_of[static_cast<std::size_t>(at)];
  };
  std::vector<std::size_t> first_term;
  for (const auto& of_one : terms_of) {
    first_term.push_back(terms.size());
    terms.insert(terms.end(), of_one.begin(), of_one.end());
  }
  for (std::size_t i = 0; i < terms_of.size(); ++i) {
    const DepthwiseTerm* const first = terms.data() + first_term[i];
    positions.push_back({first, first + terms_of[i].size()});
  }
  for (std::int64_t rest = 0; rest < std::min(step, extent); ++rest)
    for (std::int64_t at = rest; at < extent;) {
      const auto& [first, last] = positions[static_cast<std::size_t>(at)];
      DepthwiseRun run{.first = at * floats,
                       .step = step * floats,
                       .count = 0,
                       .terms = first,
                       .last_term = last};
      do {
        at += step;
        ++run.count;
      } while (at < extent && goes_on(of(at - step), of(at), source_step));
      runs.push_back(run);
    }
}

/// Taps ascending.
DepthwiseConvolution::Axis DepthwiseConvolution::output_axis(const ConvolutionShape& shape,
                                                             std::size_t axis) {
  const std::int64_t channels = shape.output_channels;
  const std::int64_t kernel = axis == kWidth ? channels : shape.kernel[kWidth] * channels;
  const std::int64_t source = axis == kWidth ? channels : shape.input[kWidth] * channels;
  TermsOf terms(static_cast<std::size_t>(shape.output[axis]));
  for (std::int64_t at = 0; at < shape.output[axis]; ++at)
    for (std::int64_t tap = 0; tap < shape.kernel[axis]; ++tap) {
      const std::int64_t from = input_of(shape, axis, at, tap);
      if (from >= 0 && from < shape.input[axis])
        terms[static_cast<std::size_t>(at)].push_back({tap * kernel, from * source});
    }
  return {terms, channels, 1, shape.stride[axis] * source};
}

/// Output positions ascending, and along the width the output channels of each. Those are planes
/// of their own here: see to_planes().
DepthwiseConvolution::Axis DepthwiseConvolution::input_axis(const ConvolutionShape& shape,
                                                            std::size_t axis) {
  const std::int64_t channels = shape.input_channels;
  const std::int64_t kernel = axis == kWidth ? channels : shape.kernel[kWidth] * channels;
  const std::int64_t source = axis == kWidth ? channels : shape.output[kWidth] * channels;
  const std::int64_t planes = axis == kWidth ? shape.output_channels / channels : 1;
  TermsOf terms(static_cast<std::size_t>(shape.input[axis]));
  for (std::int64_t from = 0; from < shape.output[axis]; ++from)
    for (std::int64_t tap = 0; tap < shape.kernel[axis]; ++tap) {
      const std::int64_t at = input_of(shape, axis, from, tap);
      if (at < 0 || at >= shape.input[axis]) continue;
      for (std::int64_t j = 0; j < planes; ++j)
        terms[static_cast<std::size_t>(at)].push_back(
            {tap * kernel + j * ConvolutionShape::product(shape.kernel) * channels,
             from * source + j * ConvolutionShape::product(shape.output) * channels});
    }
  return {terms, channels, shape.stride[axis], source};
}

DepthwiseConvolution::DepthwiseConvolution(const ConvolutionShape& shape,
                                           const DepthwiseKernels& kernels)
    : shape_(shape),
      kernels_(kernels),
      multiplier_(shape.output_channels / shape.input_channels),
      output_height_(output_axis(shape, kHeight)),
      output_width_(output_axis(shape, kWidth)),
      input_height_(input_axis(shape, kHeight)),
      input_width_(input_axis(shape, kWidth)) {
  const auto lines = [](const Axis& width, std::int64_t channels) {
    return DepthwiseLines{
        .runs = width.runs.data(),
        .last_run = width.runs.data() + width.runs.size(),
        .source_step = channels,
        .line_floats = static_cast<std::int64_t>(width.positions.size()) * channels,
        .channels = channels};
  };
  forward_ = lines(output_width_, shape.output_channels);
  forward_.source_step *= shape.stride[kWidth];
  forward_.source_line = shape.input[kWidth] * shape.output_channels;
  forward_.new_rows = shape.stride[kHeight];
  backward_ = lines(input_width_, shape.input_channels);
  backward_.source_line = shape.output[kWidth] * shape.input_channels;
}

const float* DepthwiseConvolution::repeated(const float* x) const {
  if (multiplier_ == 1) return x;
  const std::int64_t floats = shape_.input_floats();
  float* const to = scratch(Scratch::kSample, floats * multiplier_);
  for (std::int64_t i = 0; i < floats; ++i) std::fill_n(to + i * multiplier_, multiplier_, x[i]);
  return to;
}

void DepthwiseConvolution::to_planes(const float* from, std::int64_t positions,
                                     float* planes) const {
  const std::int64_t floats = positions * shape_.input_channels;
  for (std::int64_t j = 0; j < multiplier_; ++j)
    for (std::int64_t i = 0; i < floats; ++i) *planes++ = from[i * multiplier_ + j];
}

namespace {

/// f(samples) of parts of all samples, on as many threads as are worth it.
template <class F>
void share_out(std::int64_t samples, std::int64_t work, const F& f) {
  const std::int64_t parts =
      samples * work < kWorthThreads ? 1 : std::min<std::int64_t>(threads(), samples);
  parallel_for(parts, [&](std::int64_t part) { f(part_of({0, samples}, part, parts, 1)); });
}

}  // namespace

void DepthwiseConvolution::forward(std::int64_t samples, const float* x, const float* kernel,
                                   const ConvolutionEnd& end, float* y) const {
  const std::int64_t line = shape_.output[kWidth] * shape_.output_channels;
  const std::int64_t work = shape_.output_floats() * ConvolutionShape::product(shape_.kernel);
  share_out(samples, work, [&](Range part) {
    for (std::int64_t n = part.first; n < part.last; ++n) {
      const float* const source = repeated(x + n * shape_.input_floats());
      float* to = y + n * shape_.output_floats();
      for (const DepthwiseHeight& height : output_height_.positions) {
        kernels_.line(forward_, height, source, kernel, end.bias, end.relu, to);
        to += line;
      }
    }
  });
}

void DepthwiseConvolution::input_gradient(std::int64_t samples, const float* dy,
                                          const float* kernel, float* dx) const {
  const std::int64_t line = shape_.input[kWidth] * shape_.input_channels;
  const std::int64_t work = shape_.output_floats() * ConvolutionShape::product(shape_.kernel);
  if (multiplier_ > 1) {
    float* const planes = scratch(Scratch::kKernel, shape_.kernel_floats());
    to_planes(kernel, ConvolutionShape::product(shape_.kernel), planes);
    kernel = planes;
  }
  share_out(samples, work, [&](Range part) {
    for (std::int64_t n = part.first; n < part.last; ++n) {
      const float* source = dy + n * shape_.output_floats();
      if (multiplier_ > 1) {
        float* const planes = scratch(Scratch::kSample, shape_.output_floats());
        to_planes(source, ConvolutionShape::product(shape_.output), planes);
        source = planes;
      }
      float* to = dx + n * shape_.input_floats();
      for (const DepthwiseHeight& height : input_height_.positions) {
        kernels_.line(backward_, height, source, kernel, nullptr, false, to);
        to += line;
      }
    }
  });
}

void DepthwiseConvolution::grain_gradient(const float* x, const float* dy, Range samples,
                                          Range rows, float* sums) const {
  const std::int64_t row = shape_.kernel[kWidth] * shape_.output_channels;
  const std::int64_t line = shape_.output[kWidth] * shape_.output_channels;
  for (std::int64_t n = samples.first; n < samples.last; ++n) {
    const float* const source = repeated(x + n * shape_.input_floats());
    const float* gradient = dy + n * shape_.output_floats();
    for (DepthwiseHeight height : output_height_.positions) {
      while (height.terms < height.last_term && height.terms->kernel < rows.first * row)
        ++height.terms;
      while (height.terms < height.last_term && height.last_term[-1].kernel >= rows.last * row)
        --height.last_term;
      kernels_.add_gradient(forward_, height, source, gradient, sums);
      gradient += line;
    }
  }
}

void DepthwiseConvolution::subtree_gradient(const float* x, const float* dy,
                                            const Subtrees& subtrees, std::size_t subtree,
                                            Range rows, float* stack) const {
  const std::int64_t row = shape_.kernel[kWidth] * shape_.output_channels;
  const std::int64_t floats = shape_.kernel_floats(), some = rows.count() * row;
  const Range samples = subtrees.samples[subtree];
  const std::int64_t grains = subtrees.grains(subtree);
  const auto entry = [&](std::int64_t i) { return stack + i * floats + rows.first * row; };
  std::fill_n(entry(0), some, 0.0f);  // without grains
  std::int64_t entries = 0;
  for (std::int64_t grain = 0; grain < grains; ++grain) {
    const std::int64_t first = samples.first + grain * subtrees.grain;
    const Range of_grain{first, std::min(first + subtrees.grain, samples.last)};
    std::fill_n(entry(entries), some, 0.0f);
    grain_gradient(x, dy, of_grain, rows, stack + entries++ * floats);
    for (int merges = tree_merges_after(grain, grains); merges > 0; --merges, --entries) {
      float* const low = entry(entries - 2);
      kernels().sum(low, low + floats, low, some);
    }
  }
}

/// Threads take rows of the kernel.
void DepthwiseConvolution::kernel_gradient(const float* x, const float* dy,
                                           const Subtrees& subtrees, Range elements,
                                           float* out) const {
  const std::int64_t row = shape_.kernel[kWidth] * shape_.output_channels;
  const Range rows{elements.first / row, (elements.last + row - 1) / row};
  std::int64_t most_grains = 1;
  for (std::size_t i = 0; i < subtrees.size(); ++i)
    most_grains = std::max(most_grains, subtrees.grains(i));
  const std::int64_t entries = std::bit_width(static_cast<std::uint64_t>(most_grains)) + 1;
  float* const stack = scratch(Scratch::kStack, entries * shape_.kernel_floats());
  for (std::size_t i = 0; i < subtrees.size(); ++i, out += subtrees.stride) {
    const std::int64_t work = subtrees.samples[i].count() * shape_.output_floats() *
                              ConvolutionShape::product(shape_.kernel);
    const std::int64_t parts =
        work < kWorthThreads ? 1 : std::min<std::int64_t>(threads(), rows.count());
    parallel_for(parts, [&](std::int64_t part) {
      subtree_gradient(x, dy, subtrees, i, part_of(rows, part, parts, 1), stack);
    });
    std::copy_n(stack + elements.first, elements.count(), out);
  }
}

}  // namespace lockstep
