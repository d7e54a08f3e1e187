#pragma once

#include <cstdint>
#include <string_view>

namespace lockstep {

/// A term of a chain, as far as one axis decides: where its factors lie, in floats. The offsets of
/// height and width add up.
struct DepthwiseTerm {
  std::int64_t kernel;
  std::int64_t source;
};

/// Positions along the width that have the same taps, and so many floats from one to the next of
/// them. The terms are those of the first one, in the order of its chain; those of each next one
/// lie one `source_step` on.
struct DepthwiseRun {
  std::int64_t first;
  std::int64_t step;
  std::int64_t count;
  const DepthwiseTerm* terms;
  const DepthwiseTerm* last_term;
};

/// How each line of what is computed is put together: y of x, or dx of dy. Samples are (height,
/// width, channels), the kernel is (height, width, channels).
struct DepthwiseLines {
  const DepthwiseRun* runs = nullptr;  ///< of the width
  const DepthwiseRun* last_run = nullptr;
  std::int64_t source_step = 0;  ///< floats
  std::int64_t channels = 1;
};

/// The terms of a line along the height.
struct DepthwiseHeight {
  const DepthwiseTerm* terms;
  const DepthwiseTerm* last_term;
};

/// The loops of depthwise convolutions, compiled for several instruction sets from one source
/// (depthwise.inc). Every variant gives the same bits.
struct DepthwiseKernels {
  const char* name;  ///< as in Kernels

  /// One line of one sample: for each position and channel one chain of fma from +0, over (height,
  /// width) in the order of the terms. bias is added behind it, unless null, and then relu
  /// taken.
  void (*line)(const DepthwiseLines& lines, DepthwiseHeight height, const float* source,
               const float* kernel, const float* bias, bool relu, float* line);
  /// sums, (height, width, channels) as the kernel: for each tap the chain goes on over the line's
  /// positions ascending at which the tap exists, source times gradient.
  void (*add_gradient)(const DepthwiseLines& lines, DepthwiseHeight height, const float* source,
                       const float* line_gradient, float* sums);
};

/// The variant of that name; null if there is none, or if this CPU cannot run it.
const DepthwiseKernels* find_depthwise_kernels(std::string_view name);
/// The variant of the same name as kernels().
const DepthwiseKernels& depthwise_kernels();

}  // namespace lockstep
