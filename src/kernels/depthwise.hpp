#pragma once

#include <cstdint>
#include <vector>

#include "src/core/grain_tree.hpp"
#include "src/core/range.hpp"
#include "src/kernels/convolution.hpp"
#include "src/kernels/depthwise_kernels.hpp"

namespace lockstep {

/// A convolution whose groups are single input channels, over one or two axes of positions (the
/// first extents are 1): output channel c * multiplier + j is of input channel c. Keras's kernel,
/// (height, width, channels, multiplier), lies in memory as that of the convolution, and the bits
/// are those of convolution.hpp. Large ones are shared out over the threads of parallel.hpp.
class DepthwiseConvolution {
 public:
  explicit DepthwiseConvolution(const ConvolutionShape& shape,
                                const DepthwiseKernels& kernels = depthwise_kernels());

  DepthwiseConvolution(const DepthwiseConvolution&) = delete;
  DepthwiseConvolution& operator=(const DepthwiseConvolution&) = delete;

  /// As convolve().
  void forward(std::int64_t samples, const float* x, const float* kernel, const ConvolutionEnd& end,
               float* y) const;
  /// As convolve_input_gradient().
  void input_gradient(std::int64_t samples, const float* dy, const float* kernel, float* dx) const;
  /// As convolve_kernel_gradient().
  void kernel_gradient(const float* x, const float* dy, const Subtrees& subtrees, Range elements,
                       float* out) const;

 private:
  /// Which positions of one axis are made of which.
  struct Axis {
    std::vector<DepthwiseTerm> terms;
    std::vector<DepthwiseRun> runs;
    std::vector<DepthwiseHeight> positions;  ///< the terms of each

    /// Each position: so many floats. Runs go in steps of `step` positions.
    Axis(const std::vector<std::vector<DepthwiseTerm>>& terms_of, std::int64_t floats,
         std::int64_t step, std::int64_t source_step);
  };
  /// Of y, of x.
  static Axis output_axis(const ConvolutionShape& shape, std::size_t axis);
  /// Of dx, of dy.
  static Axis input_axis(const ConvolutionShape& shape, std::size_t axis);

  /// From Keras's order of output channels to `multiplier` planes of the input's channels.
  void to_planes(const float* from, std::int64_t positions, float* planes) const;
  /// A sample with each channel repeated as often as it has output channels; x itself if it is one.
  const float* repeated(const float* x) const;
  /// Of the taps in these rows of the kernel: `sums` is the whole kernel's.
  void grain_gradient(const float* x, const float* dy, Range samples, Range rows,
                      float* sums) const;
  /// The subtree's partial, at the stack's beginning.
  void subtree_gradient(const float* x, const float* dy, const Subtrees& subtrees,
                        std::size_t subtree, Range rows, float* stack) const;

  ConvolutionShape shape_;
  const DepthwiseKernels& kernels_;
  std::int64_t multiplier_;
  Axis output_height_, output_width_, input_height_, input_width_;
  DepthwiseLines forward_, backward_;
};

}  // namespace lockstep
