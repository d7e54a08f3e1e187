#pragma once

#include <cstdint>
#include <vector>

#include "src/kernels/chain_plan.hpp"
#include "src/kernels/convolution.hpp"
#include "src/kernels/exact_convolution.hpp"

namespace lockstep {

/// Convolutions to so few channels that they leave most lanes of a vector empty, by vectors of
/// positions: each sample's x is transposed to (line, channel, position). Keeps its memory for the
/// next use.
class FewChannels {
 public:
  /// Whether that is faster than tiles of channels.
  static bool suits(const ExactConvolution& variant, const ChainConvolution& convolution);

  void begin(const ExactConvolution& variant) {
    variant_ = &variant;
    passes_ = 0;
  }
  /// A convolution of the x that all share: `weights` are rows of `stride` floats, those of a
  /// group's columns `group_stride` floats from the last group's. y is `y_first` floats behind.
  void add(const ChainConvolution& convolution, const float* weights, std::int64_t stride,
           std::int64_t group_stride, std::int64_t y_first);
  void run(Range samples, const float* x, const ConvolutionEnd& end, float* y) const;

 private:
  struct Pass {
    ChainConvolution convolution;
    const float* weights;
    std::int64_t weights_stride, group_stride, y_first;
    std::int64_t vectors;              ///< of a line
    std::vector<std::uint32_t> lanes;  ///< of (vector, tap along the last axis): those that exist
  };
  class SampleRun;

  const ExactConvolution* variant_ = nullptr;
  std::vector<Pass> kept_;
  std::size_t passes_ = 0;
};

}  // namespace lockstep
