#pragma once

#include "src/kernels/convolution.hpp"

namespace lockstep {

/// The same convolution with its trivial axes in front and those that the kernel does not span
/// made one.
ConvolutionShape simplified(const ConvolutionShape& shape);

}  // namespace lockstep
